"""What the verdicts come to, in the words at the head of the page."""

from __future__ import annotations

from collections.abc import Sequence

from manual_rnn.testing.passes.pass_report import PassReport
from manual_rnn.testing.report import Report


def headline(reports: Sequence[Report | PassReport]) -> str:
    """The verdict on all targets in one line."""
    wrong = [report for report in reports if not report.agree]
    cells = [report for report in reports if isinstance(report, Report)]
    if not reports:
        return "No target came to a verdict"
    if not wrong:
        return "Every equation agrees with autodiff" if len(cells) == len(reports) else "Every gradient agrees"
    if len(reports) > 1:
        against = " with autodiff" if len(cells) == len(reports) else ""
        return f"{len(wrong)} of {len(reports)} targets disagree{against}"
    return _of_cell(wrong[0]) if isinstance(wrong[0], Report) else _of_pass(wrong[0])


def how(reports: Sequence[Report | PassReport]) -> str:
    """How they were judged."""
    whole, alone = "the whole gradient end to end", "each equation alone at every step"
    kinds = {type(report) for report in reports}
    if kinds == {PassReport}:
        return whole
    return f"{alone}, and {whole}" if kinds == {Report} else f"of a cell {alone}, and {whole}"


def _of_cell(report: Report) -> str:
    if not any(not equation.local_agree for equation in report.equations):
        return "The gradients disagree with autodiff"
    if len(report.blame) > 1:
        return f"{len(report.blame)} equations are wrong"
    (label,) = (equation.label for equation in report.equations if equation.name == report.blame[0])
    return f"Equation {label} is wrong: {report.blame[0]}"


def _of_pass(report: PassReport) -> str:
    if len(report.blame) == 1:
        return f"One gradient is wrong: {report.blame[0]}"
    if report.blame:
        return f"{len(report.blame)} of {len(report.equations)} gradients are wrong"
    if report.only_failed:
        return "The gradients agree, but it failed on some cases"
    return "The gradients agree, but not all promises are kept" if report.broken else "Not every gradient was decided"
