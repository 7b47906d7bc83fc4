"""One gradient array against the truth: relative per array, and per time step and sequence where it has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.oracles.estimate import Estimate

DEMAND = 4500
"""Units in the last place that every block may be off by: 1e-12 in float64. Right code was measured to stay
below 1,600 in 10,760 of these cases (benchmarks/right_code.py); a mistake of one part in a thousand is off by 1e12."""


@dataclass(frozen=True)
class Blocks:
    """Blocks of one array in one case: a row per step and sequence, a row per sequence, or the whole."""

    error: Array
    """The largest difference in each block, relative to the block's largest number."""
    budget: Array
    """What rounding may do in this very case, relative likewise, and the demand."""
    ill_conditioned: Array
    """Blocks whose budget exceeds half of the digits: the case cannot decide them."""
    undecided: Array
    """Blocks that lie below the smallest normal number."""

    @property
    def wrong(self) -> Array:
        return np.asarray(~(self.error <= self.budget) & ~self.ill_conditioned & ~self.undecided)

    @property
    def decided(self) -> Array:
        return ~self.ill_conditioned & ~self.undecided


def blocks(ours: Array, truth: Estimate, axes: int, dtype: str) -> Blocks:
    """Compares arrays of one shape; the first ``axes`` axes are time and batch, or batch, or none."""
    info = np.finfo(dtype)
    rows = (*truth.value.shape[:axes], -1)
    with np.errstate(all="ignore"):
        size = np.abs(truth.value).reshape(rows).max(axis=-1)
        off = np.abs(ours.astype(np.float64) - truth.value).reshape(rows).max(axis=-1)
        known = truth.error.reshape(rows).max(axis=-1)
        true_zero = (size == 0) & (known <= info.tiny)  # a step that no loss reaches
        relative_to = np.where(true_zero, 1.0, size)
        budget = np.where(true_zero, info.tiny, DEMAND * info.eps + known / relative_to)
        ill = ~true_zero & ~(known / relative_to <= np.sqrt(info.eps))
        undecided = ~true_zero & (size < info.tiny / info.eps)
        error = np.where(np.isfinite(ours).reshape(rows).all(axis=-1), off / relative_to, np.inf)
    return Blocks(error, budget, np.asarray(ill & ~undecided), np.asarray(undecided))
