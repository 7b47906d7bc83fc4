r"""The Jacobians of the steps multiplied in the wrong order of time.

The loss of step t reaches the state of step s through $J(s+1)^\top \cdots J(t)^\top$, where $J(t) = \partial h(t) /
\partial h(t-1)$: going back, that of step t comes first. Code that multiplies them as they were made on the way
forward takes that of step s + 1 first. It is right wherever they commute.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from manual_rnn.bptt import step_back
from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.maps import Maps
from manual_rnn.tape import Tape
from manual_rnn.testing.mistakes.formula import Formula, symbol
from manual_rnn.testing.mistakes.terms import Quantities


def in_order_of_time(cell: Cell, equation: str) -> Iterator[Formula]:
    """The formula for the gradient of a state, or of the initial one, of a cell that has one state."""
    state = cell.states[0]
    if len(cell.states) > 1 or equation not in (f"grad_{state}", f"grad_{state}0"):
        return
    words = f"{symbol(equation)}: the Jacobians of the steps are multiplied in the order of time, not going back."
    if equation == f"grad_{state}":
        yield Formula(words, lambda known: np.stack([_arriving(known, s) for s in known.rows]))
    else:
        yield Formula(words, lambda known: _arriving(known, -1))


def _arriving(known: Quantities, s: int) -> Array:
    """What all losses give to the state of row s, −1 being the initial one."""
    parts = []
    for t in range(max(s, 0), known.T):
        part = known.upstream[t] if known.upstream is not None else known.grads["o"][t] @ known.case.params["V"]
        for k in range(s + 1, t + 1):
            part = _a_step_back(known, k, part)
        parts.append(part)
    return np.asarray(sum(parts))


def _a_step_back(known: Quantities, t: int, gradient: Array) -> Array:
    """J(t)ᵀ times a gradient, by the cell's own code."""
    cell = known.cell
    (state,) = cell.states
    maps = Maps(cell, known.weights)
    return step_back(cell, maps, *known.nodes_at(t), Nodes(**{state: gradient}), Tape(1))[state]
