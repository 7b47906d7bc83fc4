"""How a study's numbers look as lines, with what is known of them, in one panel or in several.

A mean is a line in the band of its 95 % interval, a share a point with Wilson's; a median a line through the median of
all seeds, each a point, with those that are infinite on a row of their own above. Lines that would lie on one another
stand a little beside each other. A floor is dashed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_rnn.figures import Theme, headline
from manual_rnn.studies.intervals import Interval
from manual_rnn.studies.medians import Median
from manual_rnn.studies.shares import Share
from manual_rnn.studies.summary import Estimate

Draw = Callable[[Theme], Any]
APART = 0.03
"""Of the width, between lines of shares and medians."""
DECADES = 100
"""Where means reach further than so many times the smallest, all above zero, the axis is logarithmic."""


@dataclass(frozen=True)
class Curve:
    """One line."""

    label: str
    x: Sequence[float]
    y: Sequence[Estimate]
    floor: Sequence[float]
    """At each x; empty where there is none."""


def curves(title: str, x: str, y: str, panels: Mapping[str, Sequence[Curve]]) -> Draw:
    """One panel for each name; the colours go by the labels of the lines."""
    every = [curve for lines in panels.values() for curve in lines]
    labels = list(dict.fromkeys(curve.label for curve in every))
    kind = type(every[0].y[0])
    told = {
        Share: f"{y}: share of the seeds, and Wilson's 95 % interval",
        Median: f"{y}: every seed, medians joined; × never",
        Interval: f"{y}: mean over seeds, and its 95 % interval",
    }[kind]

    def draw(theme: Theme) -> Any:
        from matplotlib.figure import Figure

        colours = dict(zip(labels, theme.colours, strict=False))
        columns = 1 if len(panels) == 1 else 3 if len(panels) == 3 else 2
        rows = math.ceil(len(panels) / columns)
        height = 4.6 if len(panels) == 1 else 1.5 + 1.85 * rows
        figure = Figure(figsize=(5.6, height), layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, (name, lines) in zip(grid.flat, panels.items(), strict=False):
            _marks(axes, lines, theme, colours, labels)
            if name:
                axes.set_title(name, loc="left", size=11)
        _scales(grid.flat[0], every, theme)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes in grid.flat[max(0, len(panels) - columns) : len(panels)]:
            axes.set_xlabel(x)
            axes.tick_params(labelbottom=True)
        if len(panels) == 1:
            headline(grid.flat[0], title, told)
        else:
            figure.suptitle(title, x=0.015, ha="left", weight="bold", size=13)
        _legend(figure, theme, colours, told if len(panels) > 1 else "", floor=any(curve.floor for curve in every))
        return figure

    return draw


def _marks(
    axes: Any, lines: Sequence[Curve], theme: Theme, colours: Mapping[str, str], labels: Sequence[str]
) -> None:
    width = max((max(curve.x) - min(curve.x) for curve in lines), default=0) or 1
    floors = {tuple(curve.floor) for curve in lines if curve.floor}
    for curve in lines:
        colour, x = colours[curve.label], np.array(curve.x, float)
        beside = x + (labels.index(curve.label) - (len(labels) - 1) / 2) * APART * width
        if curve.floor:
            axes.plot(x, curve.floor, "--", color=theme.ink if len(floors) == 1 else colour, lw=1)
        if isinstance(curve.y[0], Share):
            _shares(axes, beside, [one for one in curve.y if isinstance(one, Share)], colour)
        elif isinstance(curve.y[0], Median):
            _medians(axes, beside, [one for one in curve.y if isinstance(one, Median)], colour)
        else:
            _means(axes, x, [one for one in curve.y if isinstance(one, Interval)], colour)


def _means(axes: Any, x: Any, means: Sequence[Interval], colour: str) -> None:
    mean = np.array([one.mean for one in means])
    half = np.array([one.half or 0.0 for one in means])
    axes.plot(x, mean, "o-", ms=4, color=colour, lw=1.5)
    axes.fill_between(x, mean - half, mean + half, color=colour, alpha=0.2, lw=0)


def _shares(axes: Any, x: Any, shares: Sequence[Share], colour: str) -> None:
    axes.plot(x, [one.mean for one in shares], "o-", ms=4.5, color=colour, lw=1.5)
    axes.vlines(x, [one.low for one in shares], [one.high for one in shares], color=colour, lw=1.5, alpha=0.5)


def _medians(axes: Any, x: Any, medians: Sequence[Median], colour: str) -> None:
    axes.plot(x, [one.median if math.isfinite(one.median) else math.nan for one in medians], "-", marker="_", ms=9,
              color=colour, lw=1.5)  # fmt: skip
    for at, one in zip(x, medians, strict=True):
        finite = [value for value in one.each if math.isfinite(value)]
        axes.plot([at] * len(finite), finite, "o", ms=4, color=colour, alpha=0.8, mew=0)
        if one.never:
            # In axes' height, above all that is measured: the axis ends at 1, see _scales.
            axes.plot([at], [0.94], "x", ms=5, color=colour, mew=1.5, transform=axes.get_xaxis_transform())
            if one.never < len(one.each):
                axes.annotate(str(one.never), (at, 0.94), (0, -6), xycoords=axes.get_xaxis_transform(), size=8,
                              textcoords="offset points", ha="center", va="top", color=colour)  # fmt: skip


def _scales(axes: Any, every: Sequence[Curve], theme: Theme) -> None:
    kind = type(every[0].y[0])
    if kind is Share:
        axes.set_ylim(-0.05, 1.05)
        axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    elif kind is Median:
        finite = [value for curve in every for one in curve.y if isinstance(one, Median) for value in one.each
                  if math.isfinite(value)]  # fmt: skip
        top = max(finite, default=1.0)
        axes.set_ylim(min([0.0, *finite]), 1.3 * top if top > 0 else 1)
    else:
        means = [one.mean for curve in every for one in curve.y if isinstance(one, Interval)]
        if min(means) > 0 and max(means) > DECADES * min(means):
            axes.set_yscale("log")
        elif min(means) >= 0:  # an interval of few seeds may reach below what is possible
            axes.set_ylim(bottom=0)
    at = sorted({x for curve in every for x in curve.x})
    if len(at) <= 5:
        axes.set_xticks(at, [f"{x:.6g}" for x in at])


def _legend(figure: Any, theme: Theme, colours: Mapping[str, str], told: str, *, floor: bool) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=colour, marker="o", ms=4, lw=1.5, label=label)
               for label, colour in colours.items() if len(colours) > 1]  # fmt: skip
    if floor:
        entries.append(Line2D([], [], color=theme.ink, ls="--", lw=1, label="floor"))
    if entries or told:
        made = figure.legend(handles=entries, loc="outside lower left", frameon=False, fontsize=10.5, ncols=2,
                             title=told or None, alignment="left")  # fmt: skip
        made.get_title().set_fontsize(10.5)
