"""The classes that errors are drawn in: shares of the bound, on a logarithmic scale, each with a sign of its own."""

from __future__ import annotations

from dataclasses import dataclass

from manual_rnn.html_report.numbers import number
from manual_rnn.testing.profile import NO_CASE, UNDECIDED


@dataclass(frozen=True)
class Level:
    """One class of the scale; ``css`` is also what the template draws it by."""

    css: str
    meaning: str


NONE = Level("none", "no case")
OPEN = Level("open", "not decided")
AGREE = (
    (1 / 64, Level("ok0", "≤ 1/64 of the bound")),
    (1 / 16, Level("ok1", "≤ 1/16")),
    (1 / 4, Level("ok2", "≤ 1/4")),
    (1.0, Level("ok3", "≤ the bound")),
)
WRONG = (
    (1e4, Level("bad0", "wrong, ≤ 10⁴ × the bound")),
    (1e10, Level("bad1", "wrong, ≤ 10¹⁰ ×")),
    (float("inf"), Level("bad2", "wrong, more")),
)
LEGEND = (*(level for _, level in AGREE), OPEN, *(level for _, level in WRONG))


def level(share: float) -> Level:
    """The class of an error, given as a share of its bound or as one of the two marks."""
    if share == NO_CASE:
        return NONE
    if share == UNDECIDED:
        return OPEN
    return next(level for most, level in (*AGREE, *WRONG) if share <= most)


def in_words(share: float) -> str:
    """A share of the bound as text: ``12 % of the bound``, ``3.4·10¹² × the bound, wrong``."""
    if share in (NO_CASE, UNDECIDED):
        return level(share).meaning
    if share == float("inf"):
        return "infinite or not a number, wrong"
    if share <= 1:
        return f"{100 * share:.0f} % of the bound" if share >= 0.005 or share == 0 else "below 1 % of the bound"
    return f"{number(share)} × the bound, wrong"
