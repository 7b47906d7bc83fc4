"""What the page says of one whole pass, made ready for the template."""

from __future__ import annotations

import math
from dataclasses import dataclass

from manual_rnn.html_report.numbers import number, power_of_ten
from manual_rnn.html_report.section import place
from manual_rnn.testing.passes.backward_report import Check
from manual_rnn.testing.passes.blocks import DEMAND
from manual_rnn.testing.passes.pass_report import Gradient, PassReport
from manual_rnn.testing.passes.target import loss_in_words
from manual_rnn.testing.report import FamilyCount, Worst

LEAST = -16
"""The power of ten at the left end of the strip that shows an error; its right end is 1."""


@dataclass(frozen=True)
class Strip:
    """An error on a logarithmic scale, beside the demand."""

    x: float | None
    demand: float
    words: str
    WIDTH: int = 160

    @classmethod
    def of(cls, gradient: Gradient) -> Strip:
        demand = cls._at(DEMAND * gradient.epsilon)
        if gradient.error is None:
            return cls(None, demand, "no error is known")
        return cls(cls._at(gradient.error), demand, f"an error of {relative(gradient.error)}")

    @classmethod
    def _at(cls, error: float) -> float:
        """At least a tick: an error of zero is seen to have been measured."""
        power = math.log10(min(max(error, 10.0**LEAST), 1.0))
        return round(max(2.0, cls.WIDTH * (1 - power / LEAST)), 1)


@dataclass(frozen=True)
class GradientLine:
    """One gradient in the table."""

    label: str
    name: str
    verdict: str
    css: str
    error: str
    strip: Strip
    where: str
    case: str


@dataclass(frozen=True)
class PassSection:
    """One target that is a whole pass."""

    anchor: str
    name: str
    agree: bool
    verdict: str
    blamed: tuple[str, ...]
    total: FamilyCount
    shapes: int
    max_length: int
    diagnosis: tuple[str, ...]
    families: dict[str, FamilyCount]
    what: str
    source: str
    loss: str
    lines: tuple[GradientLine, ...]
    preflight: tuple[Check, ...]
    smallest: str
    reproduce: str
    notes: tuple[str, ...]
    template: str = "pass.html"


def pass_section(report: PassReport, number: int) -> PassSection:
    """Everything that the template needs of one report."""
    small = report.smallest
    return PassSection(
        anchor=f"target-{number}",
        name=report.name,
        agree=report.agree,
        verdict="agrees" if report.agree else "failed" if report.only_failed else "wrong",
        blamed=(*report.blame, *(promise.name for promise in report.broken)),
        total=report.total,
        shapes=report.shapes,
        max_length=report.max_length,
        diagnosis=report.diagnosis,
        families=dict(report.families),
        what=report.what[0].upper() + report.what[1:],
        source=report.source,
        loss=loss_in_words(report.loss, report.step_loss),
        lines=tuple(_line(gradient) for gradient in report.equations),
        preflight=report.preflight,
        smallest=f"The same gradients are wrong in the {small.family} case, {small.sizes}, seed {small.seed}"
        if small else "",
        reproduce=report.reproduce,
        notes=report.notes,
    )  # fmt: skip


def _line(gradient: Gradient) -> GradientLine:
    check, worst = gradient.check, gradient.check.worst
    verdict = {"right": "agrees", "right, in another convention": "agrees"}.get(check.outcome, check.outcome)
    return GradientLine(
        label=gradient.label,
        name=gradient.name,
        verdict=verdict,
        css={"wrong": "bad", "right": "ok", "right, in another convention": "ok"}.get(check.outcome, "open"),
        error="" if gradient.error is None else relative(gradient.error),
        strip=Strip.of(gradient),
        where=place(worst) if worst else _why(check),
        case=_case(worst) if worst else "",
    )


def relative(error: float) -> str:
    """A relative error: 1.6·10⁻¹⁵, 73 %, 84 ×."""
    if error == 0 or not math.isfinite(error):
        return "0" if error == 0 else "not finite"
    if error >= 0.01:
        return f"{100 * error:.0f} %" if error < 10 else f"{number(error)} ×"
    digits, _, exponent = f"{error:.1e}".partition("e")
    return f"{digits}·{power_of_ten(int(exponent))}"


def _why(check: Check) -> str:
    """What is to be said where no number stands."""
    return f"{check.outcome}: {check.message}" if "convention" in check.outcome else check.message


def _case(worst: Worst) -> str:
    return f"{worst.spec.family}, {worst.spec.sizes}, {worst.spec.dtype}, seed {worst.spec.seed}"
