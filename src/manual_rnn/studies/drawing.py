"""A study's figures: which number is drawn against which setting, in which panels and colours.

Each number stands against the setting that varies most, with a line for each of the other settings. Where these would
be more than five, two numbers that make a full grid are drawn as a plane of colours, and other settings as panels, one
for each value of the one that parts them best. A list of numbers is drawn entry by entry, a line for each
configuration. What more varies than a figure can hold is left to the table and the export.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from manual_rnn.studies.curves import Curve, Draw, curves
from manual_rnn.studies.plane import plane
from manual_rnn.studies.summary import Summary
from manual_rnn.studies.table import setting, varying

LINES = 5
"""As many as there are colours that can be told apart."""
PANELS = 9


def drawings(
    name: str, summaries: Sequence[Summary], floors: Mapping[str, float | str] = MappingProxyType({})
) -> dict[str, Draw]:
    """(what is measured, how to draw it) for all that a figure can hold; empty if nothing varies.

    ``floors`` as in :class:`manual_rnn.studies.Study`; a number that is a floor has no figure of its own.
    """
    found: dict[str, Draw] = {}
    for value in _common([set(summary.values) for summary in summaries]):
        if value not in floors.values() and (draw := _of_value(name, value, summaries, floors.get(value))):
            found[value] = draw
    if len(summaries) <= LINES:
        for value in _common([{name for name, curve in summary.curves.items() if curve} for summary in summaries]):
            found[value] = _of_lists(name, value, summaries)
    return found


def _common(names: Sequence[set[str]]) -> list[str]:
    return sorted(set.intersection(*names))


def _of_value(name: str, value: str, summaries: Sequence[Summary], floor: float | str | None) -> Draw | None:
    axes = varying(summaries)
    numeric = [axis for axis in axes if all(_is_number(summary.configuration.get(axis)) for summary in summaries)]
    if not numeric:
        return None
    x = max(numeric, key=lambda axis: _levels(summaries, [axis]))
    others, title = [axis for axis in axes if axis != x], f"{name}: {value}"
    if _levels(summaries, others) <= LINES:
        return curves(title, x, value, {"": _lines(x, value, others, summaries, floor)})
    if len(axes) == len(numeric) == 2:
        return plane(title, x, others[0], value, summaries)
    parting = [axis for axis in others if _levels(summaries, [axis]) <= PANELS
               and _levels(summaries, [other for other in others if other != axis]) <= LINES]  # fmt: skip
    if not parting:
        return None
    panel = min(reversed(parting), key=lambda axis: _levels(summaries, [axis]))
    rest, groups = [axis for axis in others if axis != panel], _grouped(summaries, [panel])
    return curves(
        title, x, value, {label: _lines(x, value, rest, group, floor) for label, group in groups.items()}
    )  # fmt: skip


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _grouped(summaries: Sequence[Summary], axes: Sequence[str]) -> dict[str, list[Summary]]:
    """By what they have in these settings; a name says itself, a number what it is of."""
    groups: dict[str, list[Summary]] = {}
    for summary in summaries:
        told = [(axis, setting(summary, axis), summary.configuration.get(axis)) for axis in axes]
        label = ", ".join(text if isinstance(value, str) else f"{axis} = {text}" for axis, text, value in told)
        groups.setdefault(label, []).append(summary)
    return groups


def _levels(summaries: Sequence[Summary], axes: Sequence[str]) -> int:
    return len({tuple(setting(summary, axis) for axis in axes) for summary in summaries})


def _lines(
    x: str, value: str, axes: Sequence[str], summaries: Sequence[Summary], floor: float | str | None
) -> list[Curve]:
    found = []
    for label, group in _grouped(summaries, axes).items():
        ordered = sorted(group, key=lambda summary: summary.configuration[x])
        found.append(Curve(label, [summary.configuration[x] for summary in ordered],
                           [summary.values[value] for summary in ordered], _floors(ordered, floor)))  # fmt: skip
    return found


def _floors(summaries: Sequence[Summary], floor: float | str | None) -> list[float]:
    """Of each summary; none where there are none, or the number that is one is not in all of them a mean."""
    if floor is None or isinstance(floor, float):
        return [] if floor is None else [floor] * len(summaries)
    means = [getattr(summary.values.get(floor), "mean", None) for summary in summaries]
    return [] if None in means else [float(mean) for mean in means if mean is not None]


def _of_lists(name: str, value: str, summaries: Sequence[Summary]) -> Draw:
    lines = [
        Curve(label, list(range(len(one.curves[value]))), one.curves[value], [])
        for label, group in _grouped(summaries, varying(summaries)).items()
        for one in group
    ]
    return curves(f"{name}: {value}", "entry", value, {"": lines})
