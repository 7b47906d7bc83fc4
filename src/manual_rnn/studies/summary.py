r"""A study's numbers by configuration: mean over the seeds, and the interval that a mean of so many has.

The 95 % interval is Student's, mean ± t s/√n. It takes the seeds for independent draws of something not far from
normal; of three seeds it says little, and of one nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from manual_rnn.studies.record import Record

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over seeds."""

    mean: float
    half: float | None
    """Half the width of the 95 % interval; None for a single seed."""

    def __str__(self) -> str:
        return f"{self.mean:.5g}" + ("" if self.half is None else f" ± {self.half:.2g}")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One configuration."""

    configuration: Mapping[str, Any]
    seeds: int
    """How many results there are."""
    values: Mapping[str, Interval]
    """The numbers."""
    curves: Mapping[str, Sequence[Interval]]
    """The lists of numbers that have the same length with every seed, entry by entry."""


def summarise(records: Iterable[Record]) -> list[Summary]:
    """One summary for each configuration, in the order in which they come; a value that is nan makes its mean nan."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.trial.text, []).append(record)
    return [_summary(group) for group in groups.values()]


def _summary(records: list[Record]) -> Summary:
    columns: dict[str, list[Any]] = {}
    for record in records:
        for name, value in record.values.items():
            columns.setdefault(name, []).append(value)
    return Summary(
        configuration=records[0].trial.configuration,
        seeds=len(records),
        values={name: interval(column) for name, column in columns.items() if _are_numbers(column)},
        curves={
            name: [interval(entry) for entry in zip(*column, strict=True)]
            for name, column in columns.items()
            if _are_curves(column)
        },
    )


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _are_curves(values: Sequence[Any]) -> bool:
    lists = all(isinstance(value, list) and _are_numbers(value) for value in values)
    return lists and len({len(value) for value in values}) == 1


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent draws, and its 95 % interval."""
    n = len(values)
    if not all(map(math.isfinite, values)):
        return Interval(math.fsum(values) / n if not math.isnan(sum(values)) else math.nan, None)
    mean = math.fsum(values) / n
    return Interval(mean, student_t(n - 1) * statistics.stdev(values) / math.sqrt(n) if n > 1 else None)


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
