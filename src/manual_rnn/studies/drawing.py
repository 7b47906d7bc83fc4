"""A study's figures: each number against the setting that varies most, with a line for each of the other settings.

Two numbers that make a full grid are drawn as a plane of colours where lines would be more than five. A list of
numbers is drawn entry by entry, a line for each configuration. What more varies than a figure can hold is left to the
table and the export.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from manual_rnn.figures import Theme, headline
from manual_rnn.studies.summary import Interval, Summary
from manual_rnn.studies.table import setting, varying

LINES = 5
"""As many as there are colours that can be told apart."""
Draw = Callable[[Theme], Any]
Curve = tuple[str, Sequence[float], Sequence[Interval]]
"""A label, x, and what is measured there."""


def drawings(name: str, summaries: Sequence[Summary]) -> dict[str, Draw]:
    """(what is measured, how to draw it) for all that a figure can hold; empty if nothing varies."""
    found: dict[str, Draw] = {}
    for value in _common([set(summary.values) for summary in summaries]):
        if draw := _of_value(name, value, summaries):
            found[value] = draw
    if len(summaries) <= LINES:
        for value in _common([set(summary.curves) for summary in summaries]):
            found[value] = _of_lists(name, value, summaries)
    return found


def _common(names: Sequence[set[str]]) -> list[str]:
    return sorted(set.intersection(*names))


def _of_value(name: str, value: str, summaries: Sequence[Summary]) -> Draw | None:
    axes = varying(summaries)
    numeric = [axis for axis in axes if all(_is_number(summary.configuration.get(axis)) for summary in summaries)]
    if not numeric:
        return None
    x = max(numeric, key=lambda axis: len({setting(summary, axis) for summary in summaries}))
    lines: dict[str, list[Summary]] = {}
    for summary in summaries:
        label = ", ".join(f"{axis} = {setting(summary, axis)}" for axis in axes if axis != x)
        lines.setdefault(label, []).append(summary)
    if len(lines) <= LINES:
        return _lines(f"{name}: {value}", x, value, [_curve(label, x, value, group) for label, group in lines.items()])
    if len(axes) == len(numeric) == 2:
        return _plane(f"{name}: {value}", x, next(axis for axis in axes if axis != x), value, summaries)
    return None


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _curve(label: str, x: str, value: str, group: Sequence[Summary]) -> Curve:
    ordered = sorted(group, key=lambda summary: summary.configuration[x])
    return label, [summary.configuration[x] for summary in ordered], [summary.values[value] for summary in ordered]


def _of_lists(name: str, value: str, summaries: Sequence[Summary]) -> Draw:
    axes = varying(summaries)
    curves = [
        (
            ", ".join(f"{axis} = {setting(summary, axis)}" for axis in axes),
            range(len(summary.curves[value])),
            summary.curves[value],
        )
        for summary in summaries
    ]
    return _lines(f"{name}: {value}", "entry", value, curves)


def _lines(title: str, x: str, y: str, curves: Sequence[Curve]) -> Draw:
    def draw(theme: Theme) -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.6, 4.6), layout="constrained")
        axes = figure.add_subplot(xlabel=x)
        headline(axes, title, f"{y}: mean over seeds, and its 95 % interval")
        for (label, at, measured), colour in zip(curves, theme.colours, strict=False):
            mean = np.array([one.mean for one in measured])
            half = np.array([one.half or 0.0 for one in measured])
            axes.plot(at, mean, "o-", ms=4, color=colour, lw=1.5, label=label)
            axes.fill_between(at, mean - half, mean + half, color=colour, alpha=0.25, lw=0)
        if len(curves) > 1:
            figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
        return figure

    return draw


def _plane(title: str, x: str, y: str, value: str, summaries: Sequence[Summary]) -> Draw | None:
    at = {(s.configuration[x], s.configuration[y]): s.values[value].mean for s in summaries}
    columns, rows = sorted({a for a, _ in at}), sorted({b for _, b in at})
    if len(at) < len(columns) * len(rows):
        return None

    def draw(theme: Theme) -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.6, 5.2), layout="constrained")
        axes = figure.add_subplot(xlabel=x, ylabel=y)
        headline(axes, title, f"{value}: mean over seeds")
        means = np.array([[at[a, b] for a in columns] for b in rows])
        mesh = axes.pcolormesh(columns, rows, means, cmap="viridis", rasterized=True, shading="nearest")
        figure.colorbar(mesh, label=value, orientation="horizontal", shrink=0.7, aspect=30)
        return figure

    return draw
