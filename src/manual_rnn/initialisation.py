r"""Initial parameters, the first of the six steps of training: one function an idea, each with its source.

Biases are zero unless a gate is to keep its state at the start, and so are peepholes. A weight that is made of a
parameter (W of Y, W of A) starts in the way that its cell declares.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from manual_rnn.cell import Array, Cell
from manual_rnn.check import check_model
from manual_rnn.network import Network, parameter_shapes

SPECTRAL_RADIUS = 0.95
"""Of the sparse W, unless another is given."""
NON_ZEROS = 15
"""In each row of the sparse W; all, where a row has fewer entries."""


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    r"""Entries from $N(0, 1/n)$, n being the width of the input: a product keeps the size of what goes in.

    Sompolinsky, Crisanti, Sommers 1988, for W: its spectral radius is about one.
    """
    return np.asarray(1 / np.sqrt(shape[1]) * rng.standard_normal(shape))


def glorot(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    r"""Entries from $U(-s, s)$, $s = \sqrt{6/(n + m)}$: variance 2/(n + m), between what keeps the size of the values
    on the way forward (1/n) and of the gradients on the way back (1/m). Glorot, Bengio 2010, equation 16.
    """
    return np.asarray(rng.uniform(-1, 1, shape) * np.sqrt(6 / sum(shape)))


def orthogonal(rng: np.random.Generator, n: int) -> Array:
    """Uniform over the orthogonal matrices: no vector is made shorter or longer. Saxe, McClelland, Ganguli 2014.

    Q of the QR decomposition is uniform only with the signs of R's diagonal in it (Mezzadri 2007).
    """
    Q, R = np.linalg.qr(rng.standard_normal((n, n)))
    return np.asarray(Q * np.where(np.diag(R) < 0, -1, 1))


def identity(n: int) -> Array:
    """The state is handed on as it is, for the ReLU (IRNN). Le, Jaitly, Hinton 2015."""
    return np.eye(n)


def sparse(rng: np.random.Generator, n: int) -> Array:
    """A few Gaussian entries a row, in columns at random: each unit sees few others, whatever the width.

    Martens 2010, section 5, has 15 entries; to a spectral radius of 0.95 it is scaled in Pascanu, Mikolov, Bengio
    2013, after the echo state networks of Jaeger 2001.
    """
    W = np.zeros((n, n))
    for row in W:
        columns = rng.choice(n, min(n, NON_ZEROS), replace=False)
        row[columns] = rng.standard_normal(len(columns))
    return W


def radius_of(W: Array) -> float:
    """The largest absolute eigenvalue of a matrix (n, n), in float64."""
    return float(np.abs(np.linalg.eigvals(W.astype(np.float64))).max())


def chrono_biases(rng: np.random.Generator, n: int, longest: int) -> Array:
    r"""Biases $\log u$, $u \sim U(1, T_{\max} - 1)$, of the gate that keeps: σ(b) = u/(1 + u) forgets in 1 + u steps.

    So memory lasts from 2 to T_max steps, ``longest``, as many units for each. Tallec, Ollivier 2018, equation 16.
    """
    return np.log(rng.uniform(1, longest - 1, n))


RECURRENT: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "gaussian": lambda rng, n: gaussian(rng, (n, n)),
    "glorot": lambda rng, n: glorot(rng, (n, n)),
    "orthogonal": orthogonal,
    "identity": lambda rng, n: identity(n),
    "sparse": sparse,
}
"""How W may start: the matrices that a map takes of a state."""


def initialise(
    cell: Cell | Network,
    *,
    n_in: int,
    n_hidden: int,
    n_out: int,
    seed: int | np.random.Generator = 0,
    recurrent: str | None = None,
    gain: float = 1.0,
    spectral_radius: float | None = None,
    forget_bias: float | None = None,
    chrono: int | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> dict[str, Array]:
    r"""The parameters of a network before the first update, by name.

    Args:
        cell: a cell, such as ``cells.get("lstm")``, or a network of several.
        n_in, n_hidden, n_out: the widths.
        seed: a seed, or a generator to draw from.
        recurrent: how each W starts: "gaussian" (the default), "glorot", "orthogonal", "identity" or "sparse". All
            other matrices are Gaussian, or Glorot's with "glorot".
        gain: the scale of every matrix.
        spectral_radius: the largest absolute eigenvalue that each W is scaled to, in place of the gain. "sparse" has
            0.95 unless it is given.
        forget_bias: the bias of the gate that keeps the state: b_f of an LSTM (1 in Gers, Schmidhuber, Cummins 2000
            and in Jozefowicz, Zaremba, Sutskever 2015), b_z of a GRU, b_u of a minimalRNN. Zero by default.
        chrono: T_max, the length of the longest memory, for biases of that gate drawn as log U(1, T_max − 1), and
            with the other sign for an input gate that is not the same gate (:func:`chrono_biases`).
        dtype: of all parameters. What is drawn is drawn in float64, whatever it is.

    Raises:
        ValueError: there is no cell, a width or an option makes no sense, or the cell has nothing that it applies to.
    """
    check_model(cell)
    for name, n in {"n_in": n_in, "n_hidden": n_hidden, "n_out": n_out}.items():
        if isinstance(n, bool) or not isinstance(n, int | np.integer):
            raise ValueError(f"{name} is {n!r}; it must be a whole number.")
        if n < 1:
            raise ValueError(f"{name} is {n}; it must be at least 1.")
    if not np.issubdtype(_dtype(dtype), np.inexact):
        raise ValueError(f"dtype is {dtype!r}; parameters are floating-point numbers, such as 'float32'.")
    wrong = refusal(
        cell, recurrent=recurrent, gain=gain, spectral_radius=spectral_radius, forget_bias=forget_bias, chrono=chrono
    )
    if wrong:
        raise ValueError(wrong)
    rng = np.random.default_rng(seed)
    network = Network.of(cell)
    starts = {w.of: w.start for each in network.cells for w in each.weights if w.start}
    of_states = {m.W for each in network.cells for m in each.maps}
    if recurrent == "sparse" and spectral_radius is None:
        spectral_radius = SPECTRAL_RADIUS

    def draw(name: str, shape: tuple[int, ...]) -> Array:
        if len(shape) == 1:
            return np.zeros(shape)
        if name in starts:
            return starts[name](rng, n_hidden, gain)
        if name not in of_states:
            return gain * (glorot if recurrent == "glorot" else gaussian)(rng, shape)
        W = RECURRENT[recurrent or "gaussian"](rng, n_hidden)
        return W * (gain if spectral_radius is None else spectral_radius / radius_of(W))

    shapes = parameter_shapes(cell, n_in=n_in, n_hidden=n_hidden, n_out=n_out)
    params = {name: draw(name, shape) for name, shape in shapes.items()}
    for each in network.cells:
        if each.keep and forget_bias is not None:
            params[each.keep] += forget_bias
        if each.keep and chrono is not None:
            params[each.keep] = chrono_biases(rng, n_hidden, chrono)
            if each.write:
                params[each.write] = -params[each.keep]
    return {name: array.astype(dtype) for name, array in params.items()}


def _dtype(given: npt.DTypeLike) -> np.dtype[Any]:
    try:
        return np.dtype(given)
    except TypeError:
        raise ValueError(f"dtype is {given!r}; expected one of NumPy's, such as 'float32'.") from None


def refusal(
    cell: Cell | Network,
    *,
    recurrent: str | None,
    gain: float,
    spectral_radius: float | None,
    forget_bias: float | None,
    chrono: int | None,
    say: Callable[[str], str] = str,
) -> str | None:
    """What speaks against these options for this cell, in a sentence; ``say`` gives an option's name."""
    numbers = {"gain": gain, "spectral_radius": spectral_radius, "forget_bias": forget_bias, "chrono": chrono}
    for name, value in numbers.items():
        if not isinstance(value, Real) and (value is not None or name == "gain"):
            return f"{say(name)} is {value!r}; expected a number."
    if recurrent is not None and recurrent not in list(RECURRENT):
        return f"{say('recurrent')} is {recurrent!r}; it is one of {', '.join(RECURRENT)}."
    for name, value in {"gain": gain, "spectral_radius": spectral_radius}.items():
        if value is not None and not (value > 0 and math.isfinite(value)):
            return f"{say(name)} is {value}; it must be a positive, finite number."
    if forget_bias is not None and not math.isfinite(forget_bias):
        return f"{say('forget_bias')} is {forget_bias}; it must be a finite number."
    if chrono is not None and not (chrono > 2 and math.isfinite(chrono)):
        return f"{say('chrono')} is {chrono}; it is the length of the longest memory in steps, more than 2."
    if forget_bias is not None and chrono is not None:
        return f"{say('forget_bias')} and {say('chrono')} exclude each other: each says where the same bias starts."
    cell = Network.of(cell).cells[0]  # the layers of a network are alike, but for their names
    made = {w.name: w.of for w in cell.weights}
    if {m.W for m in cell.maps if m.W} <= set(made):
        ways = ", ".join(f"{W} of {of}" for W, of in made.items())
        for name, option in {"recurrent": recurrent, "spectral_radius": spectral_radius}.items():
            if option is not None:
                return f"{say(name)} is {option!r}, but the cell {cell.name!r} makes {ways}, with a start of its own."
    for name, value in {"forget_bias": forget_bias, "chrono": chrono}.items():
        if value is not None and cell.keep is None:
            return f"{say(name)} is {value}, but the cell {cell.name!r} has no gate that keeps its state; leave it out."
    return None
