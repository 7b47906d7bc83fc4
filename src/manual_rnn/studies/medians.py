"""What was needed, of which some seeds have no end, such as updates until a task is solved: the median.

A mean does not exist where one is infinite. The median does, and is infinite itself where more than half are.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Median:
    """Of numbers that may be infinite."""

    each: tuple[float, ...]
    """At least one number, in the order of the seeds."""

    @property
    def median(self) -> float:
        """The middle one; of an even number, the mean of the two in the middle."""
        return statistics.median(self.each)

    @property
    def never(self) -> int:
        """How many are infinite."""
        return sum(math.isinf(one) for one in self.each)

    def __str__(self) -> str:
        never = f", {self.never} of {len(self.each)} inf" if self.never > 0 else ""
        return f"median {self.median:.5g}{never}" if self.never < len(self.each) else "inf"
