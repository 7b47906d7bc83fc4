"""The right equation, as a function of the quantities it is made of."""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Cell
from manual_rnn.testing.mistakes.equations import initial, stepwise, summed
from manual_rnn.testing.mistakes.formula import Value
from manual_rnn.testing.mistakes.own import OwnEquation


def right_value(cell: Cell, equation: str, loss: str = "softmax") -> Value | None:
    """What an equation of a cell gives: of all cells by its terms, of the cell's own by its code.

    None for code that cannot be read as an expression.
    """
    if equation in (sums := summed(cell)):
        return sums[equation].value
    if equation in (steps := stepwise(cell, loss)):
        return lambda known: np.stack([sum(term.row(known, t) for term in steps[equation]) for t in known.rows])
    if equation in (starts := initial(cell)):
        return lambda known: np.asarray(sum(term.row(known, -1) for term in starts[equation]))
    found = OwnEquation.of(cell, equation)
    return found.value if found else None
