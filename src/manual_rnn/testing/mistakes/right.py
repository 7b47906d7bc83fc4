"""The right equation, as a function of the quantities it is made of."""

from __future__ import annotations

from functools import partial

import numpy as np

from manual_rnn.cell import Array, Cell, Derived
from manual_rnn.testing.mistakes.equations import initial, stepwise, summed
from manual_rnn.testing.mistakes.formula import Value
from manual_rnn.testing.mistakes.own import OwnEquation
from manual_rnn.testing.mistakes.terms import Quantities


def right_value(cell: Cell, equation: str, loss: str = "softmax", *, above: bool = False) -> Value | None:
    """What an equation of a cell gives: of all cells by its terms, of the cell's own and of made weights by its code.

    None for code that cannot be read as an expression. ``above`` as for :func:`stepwise`.
    """
    if equation in (sums := summed(cell)):
        return sums[equation].value
    if equation in (steps := stepwise(cell, loss, above=above)):
        return lambda known: np.stack([sum(term.row(known, t) for term in steps[equation]) for t in known.rows])
    if equation in (starts := initial(cell)):
        return lambda known: np.asarray(sum(term.row(known, -1) for term in starts[equation]))
    for w in cell.weights:
        if equation == w.name:
            return lambda known, w=w: w.forward(known.case.params[w.of])  # type: ignore[misc]
        if equation == f"grad_{w.of}":
            return partial(_of_made, w)
    found = OwnEquation.of(cell, equation)
    return found.value if found else None


def _of_made(w: Derived, known: Quantities) -> Array:
    return w.backward(known.case.params[w.of], known.nodes[w.name], known.grads[w.name])
