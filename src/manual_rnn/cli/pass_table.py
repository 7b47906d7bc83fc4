"""The verdict on a whole pass as a table: each gradient, then what else is wrong, the mistake, and how to see it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from manual_rnn.cli.cell_table import number
from manual_rnn.testing.passes.pass_report import Gradient, PassReport

WORDS = {"right": "agrees", "wrong": "WRONG", "right, in another convention": "agrees*"}


def show_pass(console: Console, report: PassReport) -> None:
    """Prints the table and the sentences below it."""
    console.print(_table(report))

    def line(text: str, style: str | None = None) -> None:
        console.print(Text(text, style=style or ""), soft_wrap=not console.is_terminal)

    for gradient in report.equations:
        if gradient.check.outcome == "right, in another convention":
            line(f"* {gradient.name}: right, in another convention: {gradient.check.message}.", "dim")
    for text in _counts(report):
        line(text, "dim")
    for promise in report.broken:
        line(f"{promise.name}: {promise.message}", "bold red")
        if promise.details:
            line(promise.details)
    if report.first_divergence:
        line(report.first_divergence)
    for sentence in report.explained:
        line(f"Diagnosis: {sentence}", "bold")
    if report.smallest:
        s = report.smallest
        line(f"The same gradients are wrong in the {s.family} case, {s.sizes}, seed {s.seed}. To see it again:")
        for row in report.reproduce.splitlines():
            line(f"    {row}")
    for note in report.notes:
        line(f"Note: {note}")


def _table(report: PassReport) -> Table:
    title = f"{report.name}: {report.what} against {report.source}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("no.")
    table.add_column("gradient")
    table.add_column("verdict")
    table.add_column("error", justify="right")
    table.add_column("where the error is largest", overflow="fold")
    for gradient in report.equations:
        table.add_row(*_row(gradient), style=None if gradient.agree else "bold red")
    return table


def _row(gradient: Gradient) -> tuple[str, ...]:
    check, worst = gradient.check, gradient.check.worst
    parts = (worst.place, worst.spec.family, str(worst.spec.sizes), worst.spec.dtype) if worst else (_why(gradient),)
    where = ", ".join(filter(None, parts))
    return gradient.label, gradient.name, WORDS.get(check.outcome, check.outcome), relative(gradient.error), where


def relative(error: float | None) -> str:
    """A relative error as a reader can compare it: 1.6e-15, 73 %, 84 ×."""
    if error is None:
        return ""
    if error == float("inf"):
        return "not finite"
    return f"{error:.1e}" if error < 0.01 else f"{100 * error:.0f} %" if error < 10 else f"{number(error)} ×"


def _why(gradient: Gradient) -> str:
    """Why there is no place to be named."""
    return "" if gradient.check.outcome.startswith("right") else gradient.check.message


def _counts(report: PassReport) -> list[str]:
    total = report.total
    families = ", ".join(f"{name} {count.examples}" for name, count in report.families.items())
    return [
        f"{total.examples} cases in {report.shapes} shapes of up to {report.max_length} steps: {families}.",
        "error: relative to the largest number of its block, a step of one sequence or a whole array; allowed are 4500 "
        "units in the last place (1e-12 in float64) and what rounding can do there.",
        f"not decided: {total.ill_conditioned} cases at some block, where rounding can change half of the digits; "
        f"{total.undecided} times a gradient, below the format's limit.",
    ]
