"""The verdicts as tables on stdout, one a target, and what they come to below."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console

from manual_rnn.cli.cell_table import show_cell
from manual_rnn.cli.pass_table import show_pass
from manual_rnn.cli.verdict import Judged, word_of
from manual_rnn.testing import Report

WIDTH_IN_A_PIPE = 160


def show(reports: Sequence[Judged], seconds: float) -> None:
    """Prints one table a target, and the verdict below."""
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=WIDTH_IN_A_PIPE)
    for report in reports:
        if isinstance(report, Report):
            show_cell(console, report)
        else:
            show_pass(console, report)
        console.print()
    style = "bold green" if all(report.agree for report in reports) else "bold red"
    console.print(f"{_verdict(reports)}, {seconds:.1f} s", style=style)


def _verdict(reports: Sequence[Judged]) -> str:
    words = {word: [report.name for report in reports if word_of(report) == word] for word in ("WRONG", "failed")}
    if any(words.values()):
        return "; ".join(f"{', '.join(names)}: {word}" for word, names in words.items() if names)
    if all(isinstance(report, Report) for report in reports):
        return "All equations agree with jax.grad"
    sources = dict.fromkeys("jax.grad" if isinstance(report, Report) else report.source for report in reports)
    return f"All gradients agree with {' and '.join(sources)}"
