"""What was measured at several widths n, beside a theory of n → ∞: its line in a table, its numbers, its picture.

A finite width takes something off that no number of networks mends (:func:`manual_rnn.diagnostics.extrapolated`). So
what stands beside theory is where a line in 1/n ends, with the line's own slope, and χ², which says whether it is one;
and each width alone is saved with what it is off by, in itself and in standard errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from manual_rnn.diagnostics.slope import Limit, Slope, extrapolated
from manual_rnn.experiment import Line
from manual_rnn.figures import Theme


@dataclass(frozen=True)
class OverWidths:
    """Measurements by width, two or more, and theory's value for n → ∞. Raises as ``extrapolated`` does, when asked."""

    by_width: Mapping[int, Slope]
    theory: float

    @cached_property
    def limit(self) -> Limit:
        """Where the line in 1/n ends."""
        return extrapolated(self.by_width)

    def line(self, what: str, **checked: Any) -> Line:
        """The limit beside theory, with the line's slope in 1/n and its χ²; ``checked`` is the cross-check's part."""
        trend = self.limit.trend
        bias = f"{trend.value:+.1f}/n ± {trend.standard_error:.1f}"
        fits = f", χ² {self.limit.chi_squared:.1f}" if self.limit.freedom else ""
        return Line(what=f"{what}, n → ∞ (bias {bias}{fits})", measured=self.limit.value,
                    standard_error=self.limit.standard_error, theory=self.theory, **checked)  # fmt: skip

    def record(self) -> dict[str, Any]:
        """All of it, as JSON has it: the limit, and by width the deviation in itself and in standard errors."""
        def at(one: Slope) -> dict[str, float]:
            off = one.value - self.theory
            return {**asdict(one), "deviation": off, "in_standard_errors": off / one.standard_error}

        return {"theory": self.theory, "by_width": {n: at(self.by_width[n]) for n in sorted(self.by_width)},
                "extrapolated": asdict(self.limit)}  # fmt: skip

    def draw(self, axes: Any, theme: Theme, colour: str) -> tuple[float, float]:
        """What it is less theory, over 1/n, with one standard error, the line, and its end at n → ∞ as a ring.

        Returns where the line is at the narrowest width: a place for its name.
        """
        widths = sorted(self.by_width)
        off = [self.by_width[n].value - self.theory for n in widths]
        errors = [self.by_width[n].standard_error for n in widths]
        axes.errorbar([1 / n for n in widths], off, errors, fmt="o", ms=4, lw=1, color=colour)
        end, narrow = self.limit.value - self.theory, 1 / widths[0]
        wide_off = end + self.limit.trend.value * narrow
        axes.plot([0, narrow], [end, wide_off], color=colour, lw=1)
        axes.errorbar([0], [end], [self.limit.standard_error], fmt="o", ms=6, lw=1, mfc=theme.paper, color=colour,
                      zorder=4, clip_on=False)  # fmt: skip
        return narrow, wide_off


def axis_of_widths(axes: Any, theme: Theme, widths: Iterable[int]) -> None:
    """Marks an axis x that is a scale of 1/n with widths, and y = 0, where theory is, with a dashed line."""
    widths = sorted(set(widths), reverse=True)
    axes.set_xticks([0, *(1 / n for n in widths)], ["∞", *widths])
    axes.axhline(0, ls="--", color=theme.ink, lw=1)
