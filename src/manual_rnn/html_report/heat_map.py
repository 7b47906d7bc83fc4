"""The heat map: a row an equation, a column a step, from t = 0 over the first and the last steps to τ.

Rows are drawn in units of columns and stretched by the page, so that they fill a telephone as well as a desktop.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from manual_rnn.html_report.mathml import left_side
from manual_rnn.html_report.scale import in_words, level
from manual_rnn.testing.profile import COLUMNS, EDGE, MIDDLE, NO_CASE, UNDECIDED
from manual_rnn.testing.report import EquationReport

GAP = 0.6
"""Between t = 0, the first steps, those between, and the last, in columns."""
WIDTH = 1 + COLUMNS + 3 * GAP


@dataclass(frozen=True)
class Box:
    """One rectangle of a row: where it stands, its class of the scale, and its words."""

    x: float
    width: float
    css: str
    title: str


@dataclass(frozen=True)
class Row:
    """One equation: its boxes, and the whole row in words for those who do not see it."""

    label: str
    name: str
    symbol: Markup
    agree: bool
    boxes: tuple[Box, ...]
    summary: str
    summed: bool


@dataclass(frozen=True)
class Tick:
    """A label of the axis, at a share of the width; those that are not ``main`` give way on a telephone."""

    percent: float
    text: str
    main: bool = True


def rows(equations: tuple[EquationReport, ...]) -> list[Row]:
    """The rows of the heat map, in the order of the derivation."""
    return [_row(equation) for equation in equations]


def ticks() -> list[Tick]:
    """The axis of all rows."""

    def tick(column: int, text: str, main: bool = True) -> Tick:
        return Tick(round(100 * (_x(column) + 0.5) / WIDTH, 2), text, main)

    middle = Tick(round(100 * (_x(EDGE) + MIDDLE / 2) / WIDTH, 2), "between")
    first = [tick(0, "1"), tick(4, "5", False), tick(9, "10", False), tick(14, "15", False)]
    last = [tick(COLUMNS - 1 - back, f"τ−{back}", False) for back in (14, 9, 4)]
    return [tick(-1, "0", False), *first, middle, *last, tick(COLUMNS - 1, "τ")]


def step_name(column: int) -> str:
    """The step that a column stands for, in the derivation's counting."""
    if column < 0:
        return "t = 0"
    if column < EDGE:
        return f"t = {column + 1}"
    if column < EDGE + MIDDLE:
        part = column - EDGE
        return f"part {part + 1} of {MIDDLE} of the steps between"
    back = COLUMNS - 1 - column
    return f"t = τ − {back}" if back else "t = τ"


def _x(column: int) -> float:
    gaps = 0 if column < 0 else 1 if column < EDGE else 2 if column < EDGE + MIDDLE else 3
    return column + 1 + gaps * GAP


def _row(equation: EquationReport) -> Row:
    if equation.by_step:
        shares = {column: share for column, share in enumerate(equation.by_step) if share != NO_CASE}
        boxes = tuple(_box(_x(column), 1, step_name(column), share) for column, share in shares.items())
        summary, summed = _summary(shares), False
    else:
        worst = max((units / bound for units, bound in equation.by_length.values()), default=UNDECIDED)
        summed = not equation.name.endswith("0")
        x, width, where = (_x(0), WIDTH - _x(0), "summed over all steps") if summed else (0.0, 1.0, step_name(-1))
        boxes = (_box(x, width, where, worst),)
        summary = f"{where}: {in_words(worst)}"
    label, name = equation.label, equation.name
    wrong = any(box.css.startswith("bad") for box in boxes)
    return Row(label, name, left_side(name, equation.latex), not wrong, boxes, f"{label} {name}: {summary}", summed)


def _box(x: float, width: float, where: str, share: float) -> Box:
    return Box(round(x, 2), round(width, 2), level(share).css, f"{where}: {in_words(share)}")


def _summary(shares: dict[int, float]) -> str:
    if not shares:
        return "no case of more than one step"
    wrong = [column for column, share in shares.items() if share > 1]
    largest = max(shares, key=lambda column: shares[column])
    worst = f"{in_words(shares[largest])} at {step_name(largest)}"
    if not wrong:
        return f"agrees at every step; largest {worst}"
    places = [step_name(column) for column in wrong]
    where = "every step" if len(wrong) == len(shares) else ", ".join(places[:4]) + (" and more" if wrong[4:] else "")
    return f"wrong at {where}; largest {worst}"
