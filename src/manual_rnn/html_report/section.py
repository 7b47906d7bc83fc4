"""What the page says of one target, made ready for the template: text, mathematics, and the two pictures."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from manual_rnn.html_report.heat_map import Row, rows
from manual_rnn.html_report.length_plot import Panel, panels
from manual_rnn.html_report.mathml import equation as equation_of
from manual_rnn.html_report.mathml import left_side
from manual_rnn.html_report.numbers import number
from manual_rnn.html_report.scale import in_words
from manual_rnn.testing.report import EquationReport, FamilyCount, Report, Worst


@dataclass(frozen=True)
class Line:
    """One equation in the table."""

    label: str
    name: str
    math: Markup
    known: bool
    """Whether the whole equation is shown, or its left side alone."""
    verdict: str
    css: str
    units: str
    share: str
    end_to_end: str
    where: str
    case: str


@dataclass(frozen=True)
class Section:
    """One target."""

    anchor: str
    name: str
    agree: bool
    verdict: str
    blamed: tuple[str, ...]
    total: FamilyCount
    shapes: int
    max_length: int
    diagnosis: tuple[str, ...]
    lines: tuple[Line, ...]
    heat: tuple[Row, ...]
    panels: tuple[Panel, ...]
    families: dict[str, FamilyCount]
    template: str = "cell.html"


def section(report: Report, number: int) -> Section:
    """Everything that the template needs of one report."""
    labels = {equation.name: equation.label for equation in report.equations}
    return Section(
        anchor=f"target-{number}",
        name=report.name,
        agree=report.agree,
        verdict="agrees" if report.agree else "wrong",
        blamed=() if report.agree else tuple(f"{labels[name]} {name}" for name in report.blame),
        total=report.total,
        shapes=report.shapes,
        max_length=report.max_length,
        diagnosis=report.diagnosis,
        lines=tuple(_line(equation) for equation in report.equations),
        heat=tuple(rows(report.equations)),
        panels=tuple(panels(report.equations)),
        families=dict(report.families),
    )


def _line(equation: EquationReport) -> Line:
    verdict, css = ("agrees", "ok") if equation.agree else ("wrong", "bad")
    if equation.local_agree and not equation.end_to_end_agree:
        verdict, css = "wrong input", "misled"
    share = max((units / bound for units, bound in equation.by_length.values()), default=-1.0)
    worst = equation.worst
    return Line(
        label=equation.label,
        name=equation.name,
        math=equation_of(equation.latex) if equation.latex else left_side(equation.name, None),
        known=bool(equation.latex),
        verdict=verdict,
        css=css,
        units=number(equation.max_error_ulp),
        share=in_words(share).removesuffix(", wrong"),
        end_to_end=_of_budget(equation.max_share_of_budget),
        where=place(worst) if worst else "",
        case=_case(worst, whole=not equation.local_agree) if worst else "",
    )


def place(worst: Worst) -> str:
    """Where an error is largest, in one phrase; steps count from one, as in the derivation."""
    parts = {
        "step": None if worst.t is None else worst.t + 1,
        "batch": worst.batch,
        "entry": list(worst.index) or None,
    }
    return ", ".join(f"{name} {number}" for name, number in parts.items() if number is not None)


def _case(worst: Worst, *, whole: bool) -> str:
    """All that reproduces the case, where there is something to look at."""
    spec = worst.spec
    if not whole:
        return f"{spec.family}, T={spec.sizes.T}, {spec.dtype}"
    return f"{spec.family}, {spec.sizes}, {spec.dtype}, seed {spec.seed}, severity {spec.severity}"


def _of_budget(share: float) -> str:
    return f"{100 * share:.0f} %" if share < 10 else f"{number(share)} ×"
