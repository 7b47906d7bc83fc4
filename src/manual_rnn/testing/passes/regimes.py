r"""Cases for a whole backward pass, drawn so that right code agrees to 1e-12 at any magnitude of the gradient.

W is g times an orthogonal matrix, so that a product of k of them keeps the size $g^k$, and pre-activations stay
small, so that no 1 − h² loses its digits. Then two right implementations differ by rounding only, and whatever
differs by more is a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.network import parameter_shapes
from manual_rnn.testing.families import draw_targets
from manual_rnn.testing.passes.lengths import draw_lengths, mask_of, weights_of
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.problem import Case, Sizes, Spec

REGIMES: dict[str, tuple[Sizes, ...]] = {
    "ordinary": (Sizes(1, 2, 3, 4, 2), Sizes(4, 3, 2, 5, 3), Sizes(7, 2, 3, 4, 5)),
    "long": (Sizes(50, 1, 2, 3, 3),),
    "vanished": (Sizes(50, 1, 2, 3, 3),),
    "exploding": (Sizes(50, 1, 2, 3, 3),),
}
"""Few shapes, as a compiled oracle pays for each; small ones where steps are many, as a complex step pays for each
number."""
OF_A_STEP: dict[str, tuple[Sizes, ...]] = {
    "ordinary": (Sizes(1, 2, 3, 4, 2), Sizes(1, 4, 2, 3, 2), Sizes(1, 1, 4, 2, 2)),
    "vanished": (Sizes(1, 3, 2, 4, 2),),
    "exploding": (Sizes(1, 3, 2, 4, 2),),
}
"""A single step has no length; what comes from above is tiny or huge instead."""
DECADES = {"vanished": 200.0, "exploding": 100.0}
"""How many powers of ten a gradient falls or grows over the case, in float64."""
LOUD = 20.0
"""The powers of ten, in float64, of what comes from above a whole exploding pass: there every gradient is beyond any
limit at which code may clip, also those of x and W, in which what has grown meets what is still small."""


@dataclass(frozen=True)
class Drawn:
    """One case: our arrays by our names (parameters, states, x, y), the upstream gradient, and each step's weight."""

    regime: str
    sizes: Sizes
    seed: int
    params: Mapping[str, Array]
    initial: Mapping[str, Array]
    x: Array
    y: Array
    weights: Array
    upstream: Array | None
    beside: Mapping[str, Array] = field(default_factory=dict)
    """What else is handed over and has no gradient: "lengths" or "mask", and "grad_c" of a step with two states."""
    step_loss: str = "softmax"

    @property
    def arrays(self) -> dict[str, Array]:
        """All that a backward pass is handed, by our names."""
        given = {**self.params, **{f"{name}0": h for name, h in self.initial.items()}, "x": self.x}
        above = {"y": self.y} if self.upstream is None else {"grad_h": self.upstream}
        return {**given, **above, **self.beside}

    @property
    def lengths(self) -> Array:
        """The steps that each sequence has, (B,): all T where they are not ragged."""
        if "mask" in self.beside:
            return np.asarray((self.beside["mask"] > 0).sum(axis=0))
        return self.beside.get("lengths", np.full(self.sizes.B, self.sizes.T))

    @property
    def case(self) -> Case:
        """The same as a case of the judge, for what reads one."""
        spec = Spec("ordinary", self.sizes, "float64", self.seed, 0, self.step_loss)
        return Case(spec, self.params, self.initial, self.x, self.y, self.weights)

    def __str__(self) -> str:
        return f"{self.regime} case, {self.sizes}, seed {self.seed}"


def regimes_of(target: Target) -> dict[str, tuple[Sizes, ...]]:
    """The regimes of a whole pass, or of a single step."""
    return OF_A_STEP if target.layout.step else REGIMES


def decades_of(target: Target, regime: str) -> float:
    """The powers of ten of a regime in the target's format: float32 has an eighth of them."""
    return DECADES.get(regime, 0.0) / (8 if target.dtype == "float32" else 1)


def loudness(target: Target, regime: str) -> float:
    """The powers of ten of what comes from above, beyond the ordinary."""
    if target.layout.step:
        return {"vanished": -1.0, "exploding": 1.0}.get(regime, 0.0) * decades_of(target, regime)
    return LOUD / (8 if target.dtype == "float32" else 1) if regime == "exploding" else 0.0


def sizes_for(target: Target, regime: str) -> list[Sizes]:
    """The shapes of a regime: one sequence where the code has no batch axis, two or more where lengths are ragged."""
    found = regimes_of(target)[regime]
    if not target.layout.has_batch:
        return [replace(s, B=1) for s in found]
    return [replace(s, B=max(s.B, 2)) for s in found] if target.ragged else list(found)


def draw(target: Target, cell: Cell, regime: str, sizes: Sizes, seed: int) -> Drawn:
    """Fills the arrays of one case. The same arguments give the same bits."""
    rng = np.random.default_rng([seed, *(ord(letter) for letter in regime)])
    decades = decades_of(target, regime)
    from_above = loudness(target, regime)
    decades = 0.0 if target.layout.step else decades  # over one step nothing grows
    growth = {"vanished": -decades, "exploding": decades}.get(regime, 0.5)
    gain = 10 ** (growth / sizes.T)
    small = 10**-decades if regime == "exploding" else 1.0
    shapes, recurrent = _shapes(target, cell, sizes), _recurrent(target, cell)
    # U x must be small: each has its half of that, so that neither's gradient, which the other is part of, stays small.
    inputs = set() if target.layout.tokens or target.layout.shapes else {m.U for m in cell.maps}
    half = np.sqrt(small) if inputs else 1.0

    def fill(name: str, shape: tuple[int, ...]) -> Array:
        if name in recurrent:
            return np.asarray(gain * np.linalg.qr(rng.standard_normal(shape))[0])
        if name in target.layout.shapes and len(shape) == 2 and sizes.n_hidden in shape:
            return np.asarray(0.7 / np.sqrt(sizes.n_hidden) * rng.standard_normal(shape))
        if name in ("V", "c"):
            return np.asarray(rng.standard_normal(shape) / np.sqrt(shape[-1]))
        if name == cell.keep and gain < 0.5 and not target.layout.shapes:  # what a gate keeps falls as fast as the rest
            return np.full(shape, np.log(gain) - np.log1p(-gain))
        return np.asarray((half if name in inputs else small) * 0.2 * rng.standard_normal(shape))

    params = {name: fill(name, shape) for name, shape in shapes.items()}
    if regime == "vanished" and target.has_readout and target.loss != "last":
        params = {n: a * (10**-decades if n == "V" else 1.0) for n, a in params.items()}
    s = sizes
    x = rng.integers(0, s.n_in, (s.T, s.B)) if target.layout.tokens else half * rng.standard_normal((s.T, s.B, s.n_in))
    states = target.layout.step or [n for n in cell.states if not target.layout.shapes or n == "h"]
    initial = {name: small * 0.3 * rng.standard_normal((s.B, s.n_hidden)) for name in states}
    y = draw_targets(rng, target.step_loss, s, 1.0)
    lengths = draw_lengths(rng, s) if target.ragged else np.full(s.B, s.T)
    upstream = None if target.has_readout else 10**from_above * _upstream(rng, target.loss, regime, s, lengths)
    further = {f"grad_{n}": 10**from_above * rng.standard_normal((1, s.B, s.n_hidden)) for n in target.layout.step[1:]}
    ragged = {"lengths": lengths, "mask": mask_of(lengths, s.T)}
    told = {target.ragged: ragged[target.ragged]} if target.ragged else {}
    as_given = np.dtype(target.dtype)
    without = target.layout.absent

    def rounded(name: str, array: Array) -> Array:
        """In the user's numbers, held in float64: the oracle sees what the user's code sees."""
        return (np.zeros_like(array) if name in without else array).astype(as_given).astype(np.float64)

    return Drawn(
        regime, s, seed,
        {n: rounded(n, a) for n, a in params.items()},
        {n: rounded(f"{n}0", a) for n, a in initial.items()},
        x if target.layout.tokens else rounded("x", x),
        rounded("y", y) if np.issubdtype(y.dtype, np.floating) else y,
        weights_of(target.loss, lengths, s.T) if target.has_readout else np.ones((s.T, s.B)),
        None if upstream is None else rounded("grad_h", upstream),
        {n: rounded(n, a) for n, a in further.items()} | told,
        target.step_loss,
    )  # fmt: skip


def _shapes(target: Target, cell: Cell, s: Sizes) -> dict[str, tuple[int, ...]]:
    if target.layout.shapes:
        states = [f"{name}0" for name in target.layout.step]
        own = {name: shape for name, shape in target.layout.shapes.items() if name not in states}
        return {name: tuple(_size(word, s) for word in shape) for name, shape in own.items()}
    shapes = parameter_shapes(cell, n_in=s.n_in, n_hidden=s.n_hidden, n_out=s.n_out)
    return shapes if target.has_readout else {n: shape for n, shape in shapes.items() if n not in ("V", "c")}


def _recurrent(target: Target, cell: Cell) -> set[str]:
    """The matrices from state to state, by what they are: V or U may happen to be as square."""
    declared = {name for name, shape in target.layout.shapes.items() if tuple(shape) == ("n_hidden", "n_hidden")}
    return declared if target.layout.shapes else {m.W for m in cell.maps if m.W}


def _size(word: str, s: Sizes) -> int:
    """4 n_hidden, B, 3: a factor and one of the sizes' names."""
    total = 1
    for part in word.split():
        if not part.isdigit() and part not in ("T", "B", "n_in", "n_hidden", "n_out"):
            raise ValueError(
                f"A shape has {word!r}; sizes are T, B, n_in, n_hidden, n_out, and multiples of them: '4 n_hidden'."
            )
        total *= int(part) if part.isdigit() else getattr(s, part)
    return total


def _upstream(rng: np.random.Generator, loss_name: str, regime: str, s: Sizes, lengths: Array) -> Array:
    upstream = rng.standard_normal((s.T, s.B, s.n_hidden))
    last, valid = weights_of("last", lengths, s.T), mask_of(lengths, s.T)
    if regime in ("vanished", "exploding"):
        valid = last
    elif loss_name == "some":
        upstream *= rng.random(upstream.shape) < 0.4
        upstream[..., 0] = np.where(last, 1.5, upstream[..., 0])  # the way back starts at the end
    return np.where(valid[..., None], upstream, 0.0)
