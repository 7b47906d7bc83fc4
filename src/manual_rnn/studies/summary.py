"""A study's numbers by configuration: over the seeds, a mean, a share or a median, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manual_rnn.studies.intervals import Interval, interval
from manual_rnn.studies.medians import Median
from manual_rnn.studies.record import Record
from manual_rnn.studies.shares import Share

Estimate = Interval | Share | Median


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One configuration."""

    configuration: Mapping[str, Any]
    seeds: int
    """How many results there are."""
    values: Mapping[str, Estimate]
    """The numbers."""
    curves: Mapping[str, Sequence[Interval]]
    """The lists of numbers that have the same length with every seed, entry by entry."""


def summarise(records: Iterable[Record]) -> list[Summary]:
    """One summary for each configuration, in the order in which they come; a value that is nan makes its mean nan.

    A number that is 0 or 1 in every record is a share, one that is infinite in some has a median, all others a mean: so
    every configuration has the same kind.
    """
    groups: dict[str, list[Record]] = {}
    every: dict[str, list[Any]] = {}
    for record in records:
        groups.setdefault(record.trial.text, []).append(record)
        for name, value in record.values.items():
            if _are_numbers([value]):
                every.setdefault(name, []).append(value)
    kinds = {name: _kind(column) for name, column in every.items()}
    return [_summary(group, kinds) for group in groups.values()]


def _kind(values: Sequence[float]) -> Callable[[Sequence[float]], Estimate]:
    if all(value in (0, 1) for value in values):
        return lambda column: Share(round(sum(column)), len(column))
    if math.inf in values and not any(math.isnan(value) or value == -math.inf for value in values):
        return lambda column: Median(tuple(column))
    return interval


def _summary(records: list[Record], kinds: Mapping[str, Callable[[Sequence[float]], Estimate]]) -> Summary:
    columns: dict[str, list[Any]] = {}
    for record in records:
        for name, value in record.values.items():
            columns.setdefault(name, []).append(value)
    return Summary(
        configuration=records[0].trial.configuration,
        seeds=len(records),
        values={name: kinds[name](column) for name, column in columns.items() if _are_numbers(column)},
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
