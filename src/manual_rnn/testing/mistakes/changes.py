"""What may stand in the place of an equation: sums of other terms, and things done to the right numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.mistakes.formula import Value
from manual_rnn.testing.mistakes.planting import Change
from manual_rnn.testing.mistakes.terms import Outer, Quantities, Quantity, Term


def at_each_step(terms: Callable[[Quantities, int], Sequence[Term]]) -> Change:
    """The sum of some terms at a row; at row −1 where the equation has no rows: it is that of an initial state."""

    def change(known: Quantities, value: Array, t: int | None) -> Array:
        row = -1 if t is None else t
        return np.asarray(sum((term.row(known, row) for term in terms(known, row)), start=np.zeros_like(value)))

    return change


def sum_over_time(outer: Outer) -> Change:
    """Another sum over time."""
    return lambda known, value, t: np.asarray(outer.value(known))


def of_one_sequence(outer: Outer, of: slice = slice(0, 1)) -> Change:
    """A sum over time of one sequence of the batch alone, the first by default."""
    return lambda known, value, t: np.asarray(outer.by_step(known, of).sum(axis=0))


def without_the_first_step(outer: Outer) -> Change:
    """A sum over time from the second step on."""
    return lambda known, value, t: np.asarray(outer.by_step(known)[1:].sum(axis=0))


def last_step_twice(a: Quantity) -> Change:
    """The sum of a quantity over time, its last step counted twice."""

    def change(known: Quantities, value: Array, t: int | None) -> Array:
        steps = Outer(a, Quantity("1")).by_step(known)
        return np.asarray(steps.sum(axis=0) + steps[-1])

    return change


def times(factor: Callable[[Quantities], float]) -> Change:
    """The right numbers times a factor that depends on the sizes."""
    return lambda known, value, t: factor(known) * value


def clipped(known: Quantities, value: Array, t: int | None) -> Array:
    """The right numbers clipped, at a limit that acts in ordinary cases."""
    return np.clip(value, -0.01, 0.01)


def in_single(known: Quantities, value: Array, t: int | None) -> Array:
    """The right numbers, rounded to float32."""
    return value.astype(np.float32)


class StaleTape(Quantities):
    """The nodes of each sequence are those of the one before it: what stands on the tape is of other inputs."""

    def __init__(self, known: Quantities) -> None:
        super().__init__(known.cell, known.case, known.nodes, known.grads, known.upstream)
        self.rows = known.rows

    def at(self, quantity: Quantity, t: int) -> Array:
        found = super().at(quantity, t)
        of_the_tape = not quantity.gradient and quantity.name not in ("1", "x")
        return np.roll(found, 1, axis=0) if of_the_tape else found


def of_another_batch(right: Value) -> Value:
    """The right equation, read from a stale tape."""
    return lambda known: right(StaleTape(known))
