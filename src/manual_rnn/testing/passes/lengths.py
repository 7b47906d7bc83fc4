"""Sequences of ragged lengths: who has how many steps, and what the loss counts.

Sequence b has the steps 0 … lengths[b] − 1; the rows after them are padding, filled with numbers that mean nothing, so
that a leak shows. The loss counts steps that there are: "every" sums over them, "mean" divides by how many they are
in all sequences together, "last" takes each sequence's own last one; an upstream gradient is zero past the end. What
your code has for h past the end (frozen, zero, or gone on with padding) is its own affair: no loss sees it.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.problem import Sizes

RAGGED = ("lengths", "mask")
"""How your code is told: integers (B,), or (T, B) in the order of your axes, one where there is a step, else zero."""


def draw_lengths(rng: np.random.Generator, s: Sizes) -> Array:
    """Lengths from 1 to T, unsorted: one sequence fills all rows, at least one other does not."""
    lengths = rng.integers(1, s.T + 1, s.B)
    if s.B > 1:
        lengths[0] = s.T
    if s.T > 1:
        lengths[-1] = rng.integers(max(1, s.T // 2), s.T)
    return rng.permutation(lengths)


def mask_of(lengths: Array, T: int) -> Array:
    """(T, B): one where a sequence has a step, zero past its end."""
    return np.asarray((np.arange(T)[:, None] < lengths).astype(np.float64))


def weights_of(loss: str, lengths: Array, T: int) -> Array:
    """(T, B): what each step counts in a loss of the given name."""
    mask = mask_of(lengths, T)
    if loss == "last":
        return np.asarray((np.arange(T)[:, None] == lengths - 1).astype(np.float64))
    return mask / mask.sum() if loss == "mean" else mask
