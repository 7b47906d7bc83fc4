r"""The mean over seeds, and the interval that a mean of so many has.

The 95 % interval is Student's, mean ± t s/√n. It takes the seeds for independent draws of something not far from
normal; of three seeds it says little, and of one nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over seeds."""

    mean: float
    half: float | None
    """Half the width of the 95 % interval; None for a single seed, infinite where no float holds it."""

    def __str__(self) -> str:
        return f"{self.mean:.5g}" + ("" if self.half is None else f" ± {self.half:.2g}")


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent draws, and its 95 % interval."""
    n = len(values)
    if strange := [value for value in values if not math.isfinite(value)]:
        return Interval(sum(strange), None)
    try:
        mean = math.fsum(values) / n
    except OverflowError:  # the sum is no float, though the mean is one
        mean = math.fsum(value / n for value in values)
    return Interval(mean, _half(values) if n > 1 else None)


def _half(values: Sequence[float]) -> float:
    try:
        deviation = statistics.stdev(values)
    except OverflowError:
        deviation = math.inf
    return student_t(len(values) - 1) * deviation / math.sqrt(len(values))


@lru_cache
def student_t(degrees: int) -> float:
    """t with P(|T| ≤ t) = 95 %, for a whole number of degrees of freedom: Abramowitz & Stegun 26.7.3 and 26.7.4."""
    low, high = 0.0, 13.0  # 12.7 for one degree, less for more
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _within(middle, degrees) < CONFIDENCE else (low, middle)
    return middle


def _within(t: float, degrees: int) -> float:
    """P(|T| ≤ t)."""
    angle = math.atan(t / math.sqrt(degrees))
    odd, square = degrees % 2, math.cos(angle) ** 2
    term = math.cos(angle) if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= square * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
