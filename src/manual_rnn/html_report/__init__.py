"""The verdict as one HTML page: no script, no network, light and dark, desktop and telephone.

    report = verify(cell, oracle)
    write(Path("report.html"), render([report]))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from manual_rnn.html_report.environment import environment
from manual_rnn.html_report.place import check_place, write
from manual_rnn.html_report.section import Section, section
from manual_rnn.testing.report import Report

__all__ = ["check_place", "environment", "render", "write"]


def render(reports: Sequence[Report], *, facts: Mapping[str, str] | None = None, seconds: float | None = None) -> str:
    """The page as text.

    Args:
        reports: one a target, in the order in which they are shown.
        facts: what is said of how the page came about, above the environment: the command, the seed, ...
        seconds: how long the judging took.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from manual_rnn.html_report import heat_map, length_plot, scale

    jinja = Environment(
        loader=PackageLoader("manual_rnn.html_report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections: list[Section] = [section(report, number) for number, report in enumerate(reports, start=1)]
    return jinja.get_template("template.html").render(
        sections=sections,
        agree=all(report.agree for report in reports),
        headline=_headline(reports),
        seconds=seconds,
        facts={**(facts or {}), **environment()},
        heat_map=heat_map,
        length_plot=length_plot,
        legend=scale.LEGEND,
    )


def _headline(reports: Sequence[Report]) -> str:
    wrong = [report for report in reports if not report.agree]
    if not wrong:
        return "Every equation agrees with autodiff"
    if len(reports) > 1:
        return f"{len(wrong)} of {len(reports)} targets disagree with autodiff"
    blamed = wrong[0].blame
    alone = any(not equation.local_agree for equation in wrong[0].equations)
    if not alone:
        return "The gradients disagree with autodiff"
    if len(blamed) > 1:
        return f"{len(blamed)} equations are wrong"
    (label,) = (equation.label for equation in wrong[0].equations if equation.name == blamed[0])
    return f"Equation {label} is wrong: {blamed[0]}"
