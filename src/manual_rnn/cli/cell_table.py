"""The verdict on a cell as a table: each equation with its number, its largest error, and where it stands."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from manual_rnn.testing import Report
from manual_rnn.testing.report import EquationReport


def show_cell(console: Console, report: Report) -> None:
    """Prints the table, how many cases it rests on, and the diagnosis."""
    console.print(_table(report))
    for line in _counts(report):
        console.print(Text(line), style="dim", soft_wrap=not console.is_terminal)
    for sentence in report.diagnosis:
        console.print(Text(sentence), style="bold", soft_wrap=not console.is_terminal)


def _table(report: Report) -> Table:
    setting = f" with {report.setting}" if report.setting else ""
    title = f"{report.name}{setting}: manual against autodiff"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("no.")
    table.add_column("equation")
    table.add_column("verdict")
    table.add_column("error (ulp)", justify="right")
    table.add_column("end to end", justify="right")
    table.add_column("where the error is largest", overflow="fold")
    for equation in report.equations:
        style = None if equation.agree else "bold red"
        table.add_row(*_row(equation), style=style)
    return table


def _row(equation: EquationReport) -> tuple[str, ...]:
    worst = equation.worst
    parts = (worst.place, worst.spec.family, str(worst.spec.sizes), worst.spec.dtype) if worst else ()
    verdict = "agrees" if equation.agree else "WRONG" if not equation.local_agree else "wrong input"
    share = equation.max_share_of_budget
    return (
        equation.label,
        equation.name,
        verdict,
        number(equation.max_error_ulp),
        f"{100 * share:.0f} %" if share < 10 else f"{number(share)} ×",
        ", ".join(filter(None, parts)),
    )


def number(value: float) -> str:
    """Two digits that a reader can compare: 3.5, 120, 4.5e15."""
    return f"{value:.1f}" if value < 100 else f"{value:.0f}" if value < 1e4 else f"{value:.1e}"


def _counts(report: Report) -> list[str]:
    total = report.total
    families = ", ".join(f"{name} {count.examples}" for name, count in report.families.items())
    return [
        f"{total.examples} cases in {report.shapes} shapes of up to {report.max_length} steps: {families}.",
        "error: of the equation alone, fed with right values, in units in the last place of its terms' magnitudes.",
        "end to end: of the whole pass, as a share of what rounding can do in that very case.",
        f"not decided: {total.ill_conditioned} cases at some step, where rounding can change half of the digits; "
        f"{total.undecided} times an equation, below the format's limit or cancelled.",
    ]
