"""A study as a table to be read: a row for each configuration, and what they all share above it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from manual_rnn.aligned import aligned
from manual_rnn.studies.medians import Median
from manual_rnn.studies.plain import canonical
from manual_rnn.studies.shares import Share
from manual_rnn.studies.summary import Estimate, Summary


def varying(summaries: Sequence[Summary]) -> list[str]:
    """The names of the configurations' settings that are not the same, or not there, in all."""
    names = dict.fromkeys(name for summary in summaries for name in summary.configuration)
    return [name for name in names if len({setting(summary, name) for summary in summaries}) > 1]


def setting(summary: Summary, name: str) -> str:
    """A setting of a configuration as it is shown; nothing where the configuration has it not."""
    if name not in summary.configuration:
        return ""
    value = summary.configuration[name]
    return value if isinstance(value, str) else f"{value:.6g}" if isinstance(value, float) else canonical(value)


def table(summaries: Sequence[Summary]) -> str:
    """The table; lists of numbers are left to the figures and the export."""
    names = varying(summaries)
    values = list(dict.fromkeys(name for summary in summaries for name in summary.values))
    rows = [[*names, "seeds", *values]]
    for summary in summaries:
        told = [str(summary.values[name]) if name in summary.values else "" for name in values]
        rows.append([*(setting(summary, name) for name in names), str(summary.seeds), *told])
    shared = [name for name in summaries[0].configuration if name not in names]
    above = [", ".join(f"{name} = {setting(summaries[0], name)}" for name in shared)] if shared else []
    return "\n".join([*above, aligned(rows)])


def rows(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """The same for JSON, with the lists; what is not finite is null there."""
    return [
        {
            "configuration": dict(summary.configuration),
            "seeds": summary.seeds,
            "values": {name: _told(one) for name, one in summary.values.items()},
            "curves": {name: [_told(one) for one in curve] for name, curve in summary.curves.items()},
        }
        for summary in summaries
    ]


def _told(one: Estimate) -> dict[str, float | None]:
    if isinstance(one, Share):
        return {"mean": one.mean, "interval": None, "low": one.low, "high": one.high}
    if isinstance(one, Median):
        return {"mean": None, "interval": None, "median": _finite(one.median), "infinite": one.never}
    return {"mean": _finite(one.mean), "interval": None if one.half is None else _finite(one.half)}


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
