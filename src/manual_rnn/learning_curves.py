"""The figure of a training: the losses by update and, below, the norm of the gradient and what clipping cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from manual_rnn.figures import Theme, headline, label_ends
from manual_rnn.trace import Stretch
from manual_rnn.training import Metrics

BEYOND = 1e30
"""A norm above it, or below its inverse, zero too, stands there: no axis has room for more."""


def learning_curves(
    lines: Sequence[Stretch], evaluations: Sequence[Metrics], theme: Theme, *, clip: float, best: bool = False
) -> Any:
    """A matplotlib Figure of the lines of steps.jsonl, one at least, and of metrics.jsonl; ``clip`` is --clip.

    With ``best`` the best evaluation is marked, as the one whose weights are kept.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    drawing = Figure(figsize=(5.6, 6.4), layout="constrained")
    above, below = drawing.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    x = [line.update - (line.updates - 1) / 2 for line in lines]
    _losses(above, x, lines, evaluations, theme, best=best)
    _norms(below, x, lines, theme, clip)
    below.set(xlabel="updates", xlim=(0, lines[-1].update))
    below.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    below.xaxis.set_major_formatter(lambda update, _: f"{update:,.0f}")
    drawing.get_layout_engine().set(hspace=0.06)  # type: ignore[union-attr,call-arg]
    return drawing


def _losses(
    axes: Any, x: Sequence[float], lines: Sequence[Stretch], evaluations: Sequence[Metrics], theme: Theme, *, best: bool
) -> None:
    colours = theme.colours[1], theme.colours[4]
    nats = [line.nats for line in lines]
    measured = "loss (nats per character)"
    axes.plot(x, nats, "-" if len(lines) > 1 else "o", ms=4, lw=1, color=colours[0], alpha=0.7)
    ends, names = [evaluations[-1].train_nats if evaluations else nats[-1]], ["training"]
    if evaluations:
        at, val_nats = [one.update for one in evaluations], [one.val_nats for one in evaluations]
        many = len(evaluations) > 40  # of which the points would be a band
        axes.plot(at, val_nats, "-" if many else "o-", ms=4, lw=1.8, color=colours[1], clip_on=False, zorder=3)
        ends, names = [*ends, val_nats[-1]], [*names, "validation"]
        if best:
            one = min(evaluations, key=lambda metrics: metrics.val_nats)
            axes.plot(one.update, one.val_nats, "o", ms=10, mfc="none", mec=theme.ink, clip_on=False, zorder=4)
            measured += f"; ○ the best, {_shown(one.val_nats)} at {one.update:,}"
    headline(axes, "Learning curve", measured)
    axes.set_ylim(*axes.get_ylim())
    axes.grid(axis="y", lw=0.6)
    axes.tick_params(axis="y", length=0)
    texts = [f"{name}\n{_shown(end)}" for name, end in zip(names, ends, strict=True)]
    label_ends(axes, lines[-1].update, ends, texts, colours[: len(ends)], gap=0.16)


def _shown(nats: float) -> str:
    return f"{nats:.3f}" if nats < 1000 else f"{nats:.3g}"


def _norms(axes: Any, x: Sequence[float], lines: Sequence[Stretch], theme: Theme, clip: float) -> None:
    mine, cut = theme.colours[2], theme.colours[4]
    mean, least, largest = (
        [min(max(getattr(line, name), 1 / BEYOND), BEYOND) for line in lines]
        for name in ("grad_norm", "grad_norm_min", "grad_norm_max")
    )
    clipped, updates = sum(line.clipped for line in lines), sum(line.updates for line in lines)
    headline(axes, "Norm of the gradient", f"before clipping, which shortened {_share(clipped, updates)}")
    axes.set_yscale("log")
    axes.fill_between(x, least, largest, color=mine, alpha=0.25, lw=0)
    axes.plot(x, mean, "-" if len(lines) > 1 else "o", ms=4, lw=1, color=mine)
    if math.isfinite(clip):
        axes.axhline(clip, ls="--", lw=1.2, color=theme.ink)
        axes.annotate(
            f"--clip {clip:g}", (1, clip), (7, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
            va="center", color=cut if clipped else theme.grey,
        )  # fmt: skip
    if clipped:
        over = [norm > clip for norm in largest]
        axes.fill_between(x, clip, largest, where=over, interpolate=True, color=cut, alpha=0.45, lw=0)
    _ticks(axes)


def _share(clipped: int, updates: int) -> str:
    if not clipped:
        return "no gradient"
    return f"{clipped / updates:.0%} of the gradients" if clipped >= 0.01 * updates else "less than 1% of the gradients"


def _ticks(axes: Any) -> None:
    """So many that a range of an octave has some, and one of twenty decades not too many."""
    from matplotlib.ticker import LogLocator, NullLocator

    low, high = axes.get_ylim()
    if high < 2 * low:
        low, high = math.sqrt(low * high / 2), math.sqrt(2 * low * high)
        axes.set_ylim(low, high)
    decades = math.log10(high / low)
    few = [1.0, 3.0] if decades > 1.5 else [1.0, 2.0, 5.0] if decades > 0.8 else [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]
    axes.yaxis.set_major_locator(LogLocator(subs=[1.0] if decades > 3 else few, numticks=9))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(axis="y", lw=0.6)
    axes.tick_params(axis="y", length=0)
