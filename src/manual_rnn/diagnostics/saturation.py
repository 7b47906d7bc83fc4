r"""How much of a derivative is left in the squashing functions: mean φ′² and the fraction of units that are saturated.

Every squashing function of one map or node is found from the cell's own code, h = tanh a or f = σ(a_f), and its slope
is taken from the pre-activation,

.. math:: \tanh'(a) = \frac{4 e^{-2|a|}}{(1 + e^{-2|a|})^2}, \qquad \sigma'(a) = \frac{e^{-|a|}}{(1 + e^{-|a|})^2}

which keeps its digits where 1 − h² has none left (docs/numerics.md). For the vanilla network g² · mean φ′² is χ of
mean-field theory, measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from manual_rnn.activations import sigmoid
from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.comparison import ROUNDINGS, CrossCheck, Oracle, checked, compare
from manual_rnn.diagnostics.labelled import xr
from manual_rnn.diagnostics.one_step import Steps
from manual_rnn.diagnostics.trajectory import Trajectory
from manual_rnn.expression import Call, Expression, Unreadable, evaluate, forward_equations, symbols

SATURATED = 0.05
"""A unit is saturated where its slope is below this part of the largest that the function has."""


@of_one_cell
def saturation(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    *,
    initial: Mapping[str, Array] | None = None,
    saturated: float = SATURATED,
    against: Oracle | None = None,
) -> xr.Dataset:
    """By ``node`` (made by a tanh, a logistic function or a ReLU of one other) and ``step`` t = 1 … T:

    - ``mean_squared_slope``: the mean of φ′² over units and sequences;
    - ``fraction``: of the units whose slope is below ``saturated`` times the function's largest.

    ``against`` is the oracle of a cross-check (:mod:`.comparison`): at up to 64 steps, from the run's own states, the
    nodes and what they are made of; and φ′ of each unit, which is ∇(what it is made of) / ∇node by autodiff. It does
    not see φ′ of a function that is a part of an equation and no node of its own, nor where no gradient arrives.

    Raises ValueError where an argument does not fit or the cell has no such node, Unmeasurable where a state is not
    finite, Disagreement.
    """
    if not 0 < saturated <= 1:
        raise ValueError(f"saturated is {saturated}; it is a part of the largest slope, more than 0 and at most 1.")
    run = Trajectory.of(cell, params, x, initial)
    found = squashed(cell)
    if not found:
        raise ValueError(f"The cell {cell.name!r} has no tanh, logistic function or ReLU in its equations.")
    slopes = [one.slopes(run).reshape(run.T, -1) for one in found]
    lost = [array < saturated * one.kind.largest for one, array in zip(found, slopes, strict=True)]
    by_node = xr.Dataset(
        {
            "mean_squared_slope": (("node", "step"), [(array**2).mean(axis=1) for array in slopes]),
            "fraction": (("node", "step"), [array.mean(axis=1) for array in lost]),
        },
        coords={"node": [one.name for one in found], "step": np.arange(1, run.T + 1)},
        attrs={"diagnostic": "saturation", "saturated": saturated},
    )
    return by_node if against is None else checked(by_node, _checks(Steps(run, params, against), found))


def _checks(steps: Steps, found: list[Squashed]) -> dict[str, CrossCheck]:
    run = steps.run
    own = {node for _, node in run.by_step}
    nodes, grads = steps.of_oracle()
    forward = list(dict.fromkeys(name for one in found for name in (one.of, one.name) if name in own))
    checks = {"nodes": steps.nodes(forward, nodes)}
    moved, limits = steps.moved(), np.finfo(run.params["V"].dtype)
    arrived = limits.smallest_normal / limits.eps  # below it the quotient's digits may be gone
    for one in (one for one in found if one.name in own):
        ours, (of, node) = one.slopes(run)[steps.rows], (grads[one.of], grads[one.name])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            theirs = np.where(np.abs(node) > arrived, of / node, ours)
        # The reverse mode takes the slope from the rounded node, 1 − h²: an error of some eps, however small the slope.
        size = np.maximum(np.linalg.norm(ours, axis=-1), limits.smallest_normal)
        least = ROUNDINGS * limits.eps * one.kind.largest * np.sqrt(ours.shape[-1]) / size
        others = [one.slopes(other).reshape(ours.shape) for other in moved]
        checks[f"slope of {one.name}"] = compare(ours, theirs, others, steps.places, least=least)
    return checks


@dataclass(frozen=True)
class Squashed:
    """A function of one node in a cell's code, that squashes."""

    name: str
    """The node that it makes, or where it is a part of an equation its own: ``tanh a``."""
    of: str
    """The map or node that it is taken of."""
    kind: Kind

    def slopes(self, run: Trajectory) -> Array:
        """φ′ at each step, (T, B, n_hidden)."""
        return self.kind.slope(run.tape[run.cell.full(self.of)])


@dataclass(frozen=True)
class Kind:
    """A squashing function, its slope, and the largest that it has."""

    name: str
    function: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    largest: float


def squashed(cell: Cell) -> list[Squashed]:
    """Every squashing function in a cell's forward code. Raises ValueError where that cannot be read as equations."""
    try:
        equations = forward_equations(cell).tapped
    except Unreadable as error:
        raise ValueError(f"The forward code of the cell {cell.name!r} cannot be read as equations: {error}.") from None
    return [found for node, expression in equations.items() for found in _squashed(expression, node)]


def _squashed(expression: Expression, node: str | None = None) -> list[Squashed]:
    """Those in an expression, the widest only: σ is a quotient of an exponential, but no two functions."""
    of = symbols(expression)
    if len(of) == 1 and isinstance(expression, Call):
        (symbol,) = of
        with np.errstate(all="ignore"):
            values = evaluate(expression, lambda _: PROBE)
        for kind in KNOWN:
            if symbol.kind != "prev" and np.allclose(values, kind.function(PROBE), rtol=1e-12, atol=1e-15):
                return [Squashed(node or f"{kind.name} {symbol.name}", symbol.name, kind)]
    return [found for part in getattr(expression, "arguments", ()) for found in _squashed(part)]


def _slope_of_tanh(a: Array) -> Array:
    e = np.exp(-2 * np.abs(a))
    return np.asarray(4 * e / (1 + e) ** 2)


def _slope_of_sigmoid(a: Array) -> Array:
    return _slope_of_tanh(a / 2) / 4


def _relu(a: Array) -> Array:
    return np.maximum(a, 0)


KNOWN = [
    Kind("tanh", np.tanh, _slope_of_tanh, 1.0),
    Kind("σ", sigmoid, _slope_of_sigmoid, 0.25),
    Kind("ReLU", _relu, lambda a: np.asarray((a > 0).astype(a.dtype)), 1.0),
]
PROBE = np.array([-40.0, -1.5, -0.2, 0.0, 0.3, 2.0, 40.0])
