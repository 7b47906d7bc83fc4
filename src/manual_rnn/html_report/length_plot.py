"""The error of each equation against the length T of the sequence, beside its bound: one small plot an equation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from manual_rnn.html_report.mathml import left_side
from manual_rnn.html_report.numbers import number, power_of_ten
from manual_rnn.testing.report import EquationReport

WIDTH, HEIGHT = 190, 118
LEFT, RIGHT, TOP, BOTTOM = 30, 8, 8, 22
LOWEST = 0.05
"""Units at the foot of the axis: an error of zero stands there."""


@dataclass(frozen=True)
class Point:
    """One length: where it is drawn, whether its error is above the bound, and its words."""

    x: float
    y: float
    wrong: bool
    title: str


@dataclass(frozen=True)
class Panel:
    """The plot of one equation. Its axes are those of all right, or of all wrong, equations of the target."""

    label: str
    name: str
    symbol: Markup
    points: tuple[Point, ...]
    bound: str
    """The path of the bound line."""
    above: str
    """The outline of what lies above the bound."""
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    summary: str


@dataclass(frozen=True)
class Axes:
    """Logarithmic both ways: T from one to the longest, units from ``LOWEST`` to ``most``."""

    longest: float
    most: float

    def x(self, T: float) -> float:
        return round(LEFT + 6 + (WIDTH - LEFT - RIGHT - 12) * math.log(T) / math.log(max(self.longest, 2)), 1)

    def y(self, units: float) -> float:
        inside = min(max(units, LOWEST), self.most)
        share = math.log(inside / LOWEST) / math.log(self.most / LOWEST)
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share, 1)


def panels(equations: Sequence[EquationReport]) -> list[Panel]:
    """A panel for each equation of which any case could be decided.

    The right ones have the same axes, and so have the wrong ones: one error of 10¹⁵ units must not flatten all others.
    """
    drawn = [equation for equation in equations if equation.by_length]
    longest = max((T for equation in drawn for T in equation.by_length), default=1)
    axes = {local_agree: Axes(longest, _most(drawn, local_agree)) for local_agree in (True, False)}
    return [_panel(equation, axes[equation.local_agree]) for equation in drawn]


def _most(equations: Sequence[EquationReport], local_agree: bool) -> float:
    """The power of ten at the head of the axis of those that agree, or do not."""
    lengths = [pair for e in equations if e.local_agree == local_agree for pair in e.by_length.values()]
    finite = [number for pair in lengths for number in pair if math.isfinite(number)]
    return float(10 ** math.ceil(math.log10(max([100, *finite])) + 0.15))


def _panel(equation: EquationReport, axes: Axes) -> Panel:
    points, line = [], []
    for T, (units, bound) in equation.by_length.items():
        title = f"T = {T}: {number(units)} units, the bound is {bound:.0f}"
        points.append(Point(axes.x(T), axes.y(units), units > bound, title))
        line.append((axes.x(T), axes.y(bound)))
    line = [(float(LEFT), line[0][1]), *line, (float(WIDTH - RIGHT), line[-1][1])]
    bound_path = "M" + " L".join(f"{x} {y}" for x, y in line)
    wrong = [T for T, (units, bound) in equation.by_length.items() if units > bound]
    worst = max(units for units, _ in equation.by_length.values())
    above = f"above the bound at {len(wrong)} of {len(points)} lengths"
    verdict = above if wrong else "below the bound at every length"
    return Panel(
        equation.label,
        equation.name,
        left_side(equation.name, equation.latex),
        tuple(points),
        bound_path,
        f"{bound_path} V{TOP} H{LEFT} Z",
        tuple((axes.x(T), str(T)) for T in (1, 10, 100, 1000) if axes.longest >= T),
        tuple((axes.y(units), _power(units)) for units in _decades(axes.most)),
        f"{equation.label} {equation.name}: error against T, {verdict}, at most {number(worst)} units",
    )


def _decades(most: float) -> list[float]:
    top = round(math.log10(most))
    every = max(1, math.ceil(top / 4))
    return [10.0**exponent for exponent in range(0, top + 1, every)]


def _power(units: float) -> str:
    exponent = round(math.log10(units))
    return f"{units:.0f}" if exponent <= 2 else power_of_ten(exponent)
