r"""How often a thing came true, of so many seeds: the share, and Wilson's interval.

.. math::
    \frac{p + z^2/2n \pm z \sqrt{p(1-p)/n + z^2/4n^2}}{1 + z^2/n}, \qquad z = 1.96

It never leaves [0, 1] and has a width where all seeds agree, as Student's has not: three of three are 0.44 to 1. Its
cover of 95 % is that of an average over p. Wilson, "Probable inference, the law of succession, and statistical
inference", J. Am. Stat. Assoc. 22 (1927).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from manual_rnn.studies.intervals import CONFIDENCE

Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int
    of: int
    """At least one."""

    @property
    def mean(self) -> float:
        """The share itself."""
        return self.count / self.of

    @property
    def low(self) -> float:
        """The lower end of the 95 % interval; zero where the count is."""
        return max(0.0, self._middle - self._half) if self.count else 0.0

    @property
    def high(self) -> float:
        """The upper end."""
        return min(1.0, self._middle + self._half) if self.count < self.of else 1.0

    @property
    def _middle(self) -> float:
        return (self.mean + Z**2 / (2 * self.of)) / (1 + Z**2 / self.of)

    @property
    def _half(self) -> float:
        root = math.sqrt(self.mean * (1 - self.mean) / self.of + Z**2 / (4 * self.of**2))
        return Z * root / (1 + Z**2 / self.of)

    def __str__(self) -> str:
        return f"{self.count} of {self.of} ({self.low:.2f} to {self.high:.2f})"
