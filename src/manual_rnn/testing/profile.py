"""Where in time an equation's error lies: its largest share of the bound by step and by length, over all cases.

A mistake at the first or the last step must show at exactly that step, whatever the length; so the steps are counted
one by one from both ends, and only those between share columns. A step belongs to the end that it is nearer to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from manual_rnn.cell import Array

EDGE = 16
"""Steps that have a column of their own, at each end."""
MIDDLE = 8
"""Columns for all steps between, in equal parts."""
COLUMNS = EDGE + MIDDLE + EDGE

UNDECIDED = -1.0
"""In place of a share: numbers were compared at this step, and not one could be decided."""
NO_CASE = -2.0
"""In place of a share: no case has this step."""


@cache
def columns_of(T: int) -> tuple[Array, Array]:
    """For T steps, the columns that they fill, and the row at which each of these begins."""
    rows = np.arange(T)
    from_end = T - 1 - rows
    between = EDGE + (rows - EDGE) * MIDDLE // max(T - 2 * EDGE, 1)
    nearer_end = np.where(from_end < EDGE, COLUMNS - 1 - from_end, between)
    column = np.where(rows <= from_end, np.where(rows < EDGE, rows, between), nearer_end)
    columns, starts = np.unique(column, return_index=True)
    return columns, starts


@dataclass
class Profile:
    """The count of one equation; profiles of parts of the cases can be merged. Its size has a bound."""

    by_step: Array = field(default_factory=lambda: np.full(COLUMNS, NO_CASE))
    by_length: dict[int, tuple[float, float]] = field(default_factory=dict)
    """By T, of the case with the largest share of its bound: the error in units, and that bound."""

    def add(self, units: Array, undecided: Array, bound: float, T: int, *, every_step: bool) -> None:
        """Counts a case: an error for each number (infinite for a NaN), time first where ``every_step``."""
        shares: Any = units / bound
        shares = np.where(undecided & (shares <= 1), UNDECIDED, shares)
        # A sequence of one step is no evidence on the first step or on the last: it is both.
        if every_step and T > 1:
            columns, starts = columns_of(T)
            shares = np.maximum.reduceat(shares.reshape(T, -1).max(axis=1), starts)
            self.by_step[columns] = np.maximum(self.by_step[columns], shares)
        if (largest := float(shares.max())) >= 0:
            self._add_length(T, largest * bound, bound)

    def _add_length(self, T: int, units: float, bound: float) -> None:
        known, of = self.by_length.get(T, (UNDECIDED, 1.0))
        if units / bound > known / of:
            self.by_length[T] = units, bound

    def merge(self, other: Profile) -> None:
        """Takes in the count of another part of the cases."""
        self.by_step = np.maximum(self.by_step, other.by_step)
        for T, (units, bound) in other.by_length.items():
            self._add_length(T, units, bound)
