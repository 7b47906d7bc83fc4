r"""The families of cases: the regimes in which a gradient can be right, and in which checks go blind.

A family turns a severity in [0, 1] into a recipe of scales, from which the arrays are filled at random. W is
drawn with entries $N(0, g^2/n)$ or as g times a random orthogonal matrix, whose products of any length keep the size
$g^k$: so the families that need a given growth over T steps can say which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from manual_rnn import losses
from manual_rnn.cell import Array, Cell, of_input
from manual_rnn.network import Network, parameter_shapes
from manual_rnn.testing.problem import Case, Sizes, Spec
from manual_rnn.testing.sequences import draw_masks, draw_sequences


@dataclass(frozen=True)
class Recipe:
    """The scales that a case's arrays are filled with; weights: which steps have a loss."""

    gain: float = 1.0
    orthogonal: bool = False
    U: float = 1.0
    V: float = 1.0
    b: float = 0.5
    c: float = 0.5
    x: float = 1.0
    initial: float = 0.7
    weights: str | None = None
    bias_away_from_zero: bool = False
    lattice: bool = False
    """Entries from {−1, 0, 1}, so that sums of them are often exactly zero, and then nudged by about an ulp."""

    @property
    def U_above(self) -> float:
        """The scale of U above the first layer: its input is a state, and need not be made small to be so."""
        return max(self.U, 0.2)


def _decades(dtype: np.dtype[np.floating]) -> float:
    """The decimal exponents that the dtype has below one, less some room: 300 for float64, 36 for float32."""
    return float(-np.log10(np.finfo(dtype).tiny)) - 8 + 0.3


def ordinary(severity: float, sizes: Sizes, decades: float) -> Recipe:
    """Scales near one: what a network looks like on most days."""
    return Recipe(gain=0.3 + 1.2 * severity, U=0.3 + severity)


def long(severity: float, sizes: Sizes, decades: float) -> Recipe:
    """Hundreds of steps along which a gradient neither dies nor explodes by itself."""
    return Recipe(gain=10 ** ((2 * severity - 1) * 3 / sizes.T), orthogonal=True, U=0.2, initial=0.3)


def vanished(severity: float, sizes: Sizes, decades: float) -> Recipe:
    """Gradients that fall through all decades of the format, into underflow at the end of the range."""
    exponent = -(0.05 + severity) * decades
    if sizes.T >= 4:
        return Recipe(gain=10 ** (exponent / sizes.T), orthogonal=True, weights="last")
    return Recipe(V=10 ** max(exponent, -decades))


def exploding(severity: float, sizes: Sizes, decades: float) -> Recipe:
    """Gradients that grow by up to two thirds of the format's decades, from states small enough not to saturate."""
    exponent = severity * decades * 2 / 3
    small = 10**-exponent
    return Recipe(gain=10 ** (exponent / sizes.T), orthogonal=True, U=small, b=small, initial=small, weights="last")


def saturated(severity: float, sizes: Sizes, decades: float) -> Recipe:
    """Pre-activations of up to some forties, where 1 − h² has lost its digits or is zero."""
    return Recipe(b=2 + 38 * severity, U=1 + 5 * severity, bias_away_from_zero=True)


def chaotic(severity: float, sizes: Sizes, decades: float) -> Recipe:
    """Gains far above the critical one: two right gradients end far apart. Bounded, for cells that do not saturate."""
    return Recipe(gain=min(2 + 14 * severity, 10 ** (decades * 2 / 3 / sizes.T)), U=1.0)


def logits(severity: float, sizes: Sizes, decades: float) -> Recipe:
    """Logits that are all zero, or so large that one class has all the probability that the format can hold."""
    if severity < 0.3:
        return Recipe(V=0.0, c=0.0)
    return Recipe(V=10 ** (1 + 4 * severity), c=10 ** (1 + 4 * severity))


def away_from_kink(severity: float, sizes: Sizes, decades: float) -> Recipe:
    """Pre-activations that stay clear of zero, so that the derivative does not jump."""
    return Recipe(gain=0.05 + 0.2 * severity, U=0.2, b=3.0, bias_away_from_zero=True)


def near_kink(severity: float, sizes: Sizes, decades: float) -> Recipe:
    """Pre-activations that are exactly zero, or an ulp from it, where the derivative jumps."""
    return Recipe(lattice=True)


FAMILIES: dict[str, Callable[[float, Sizes, float], Recipe]] = {
    "ordinary": ordinary,
    "smallest": ordinary,  # T = B = n = 1: a family by its shape
    "long": long,
    "vanished": vanished,
    "exploding": exploding,
    "saturated": saturated,
    "chaotic": chaotic,
    "logits": logits,
    "away_from_kink": away_from_kink,
    "near_kink": near_kink,
}

OF_KINKS = ("away_from_kink", "near_kink")


def families_for(model: Cell | Network) -> list[str]:
    """The names of the families that apply to a cell or network: those about kinks only where it has one."""
    kinks = any(cell.kinks for cell in Network.of(model).cells)
    return [name for name in FAMILIES if kinks or name not in OF_KINKS]


def build(model: Cell | Network, spec: Spec) -> Case:
    """Fills the arrays of a case. Deterministic: the same model and spec give the same bits on one platform."""
    network, dtype, s = Network.of(model), np.dtype(spec.dtype), spec.sizes
    recipe = FAMILIES[spec.family](spec.severity / 100, s, _decades(dtype))
    rng = np.random.default_rng(spec.seed)

    def fill(shape: tuple[int, ...], scale: float) -> Array:
        if recipe.lattice:
            nudge = np.finfo(dtype).eps * rng.integers(-1, 2, shape)
            return np.asarray(rng.integers(-1, 2, shape) * (1 + nudge))
        return np.asarray(scale * rng.standard_normal(shape))

    shapes = parameter_shapes(network, n_in=s.n_in, n_hidden=s.n_hidden, n_out=s.n_out)
    scales = {"V": recipe.V / np.sqrt(shapes["V"][1]), "c": recipe.c}
    scales |= dict.fromkeys(network.learned.values(), recipe.initial)
    for k, layer in enumerate(network.layers):
        for cell in layer:
            scales |= _scales_of(cell, recipe, recipe.U_above if k else recipe.U, shapes[of_input(cell)])
    params = {name: fill(shape, scales[name]) for name, shape in shapes.items()}
    for cell in network.cells:
        _regulate(cell, recipe, params, rng)

    tokens = bool(rng.integers(2))
    x = rng.integers(0, s.n_in, (s.T, s.B)) if tokens else fill((s.T, s.B, s.n_in), recipe.x).astype(dtype)
    initial = {name: fill((s.B, s.n_hidden), recipe.initial).astype(dtype) for name in network.states}
    y = draw_targets(rng, spec.loss, s, max(1.0, recipe.c))
    kind = recipe.weights or str(rng.choice(["sum", "mean", "last", "ragged", "any"]))
    weights = _weights(rng, kind, s)
    # What a family does over T steps it does between two resets.
    few = recipe.orthogonal or recipe.weights is not None
    sequences = draw_sequences(rng, network, s, resets=spec.resets, few=few)
    if kind == "last":
        weights = sequences.at_an_end(rng, network)
    above = {f"{cell.prefix}x": shapes[of_input(cell)][1] for layer in network.layers[1:] for cell in layer}
    masks = draw_masks(rng, above, s) if spec.dropout else {}
    return Case(
        spec=spec,
        params={name: array.astype(dtype) for name, array in params.items()},
        initial=initial,
        x=x,
        y=y if losses.get(spec.loss).targets.ids else y.astype(dtype),
        weights=(weights * sequences.within).astype(dtype),
        begins=sequences.begins,
        masks={name: mask.astype(dtype) for name, mask in masks.items()},
    )


def _scales_of(cell: Cell, recipe: Recipe, U: float, shape: tuple[int, ...]) -> dict[str, float]:
    """The scale of each parameter of a cell whose matrices of the input have this shape."""
    n_hidden, n_in = shape
    scales: dict[str, float] = {}
    for m in cell.maps:
        scales |= {m.U: U / np.sqrt(n_in)} if m.U else {}
        scales |= {m.b: recipe.b} if m.b else {}
        for term in m.terms:
            scales[term.weight] = recipe.gain if term.diagonal else recipe.gain / np.sqrt(n_hidden)
    for w in cell.weights:
        # No growth over T steps comes of the size of what W is made of, which may be squared on the way.
        scales[w.of] = float(np.clip(scales.pop(w.name), 0.01, 100))
    return scales


def _regulate(cell: Cell, recipe: Recipe, params: dict[str, Array], rng: np.random.Generator) -> None:
    """Gives the parameters of a cell what scales alone do not: rotations, biases clear of zero, gates that let go."""
    n_hidden = len(params[of_input(cell)])
    for m in cell.maps:
        for term in m.terms if recipe.orthogonal else ():
            if term.weight in params and not term.diagonal:
                params[term.weight] = recipe.gain * np.linalg.qr(params[term.weight])[0]
        if recipe.bias_away_from_zero and m.b:
            params[m.b] = recipe.b * rng.choice([-1.0, 1.0], n_hidden) * rng.uniform(0.7, 1.0, n_hidden)
    if recipe.orthogonal and recipe.gain < 1 and cell.keep:  # what a gate keeps must fall as fast as the rest
        params[cell.keep] = np.full(n_hidden, np.log(recipe.gain) - np.log1p(-recipe.gain))


def draw_targets(rng: np.random.Generator, loss: str, s: Sizes, scale: float) -> Array:
    """Ids; numbers of the given size; or where they have bounds, these themselves and what lies between."""
    takes = losses.get(loss).targets
    if takes.ids:
        return rng.integers(0, s.n_out, (s.T, s.B))
    rows = (s.T, s.B, s.n_out)
    if not takes.bounded:
        return np.asarray(scale * rng.standard_normal(rows))
    between = rng.uniform(takes.least, takes.most, rows)
    at_a_bound = np.where(between < (takes.least + takes.most) / 2, takes.least, takes.most)
    return np.where(rng.integers(2, size=(s.T, s.B, 1)), at_a_bound, between)


def _weights(rng: np.random.Generator, kind: str, s: Sizes) -> Array:
    """The weight of each step's loss: all, the mean, ragged lengths by a mask, or any numbers; of the last step alone
    when it is known where sequences end."""
    if kind == "ragged":
        return (np.arange(s.T)[:, None] < rng.integers(1, s.T + 1, s.B)).astype(float)
    if kind == "mean":
        return np.full((s.T, s.B), 1 / (s.T * s.B))
    if kind == "any":
        return rng.standard_normal((s.T, s.B))
    return np.ones((s.T, s.B))
