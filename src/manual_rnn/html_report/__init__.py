"""The verdict as one HTML page: no script, no network, light and dark, desktop and telephone.

    report = verify(cell, oracle)
    write(Path("report.html"), render([report]))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from manual_rnn.html_report.environment import environment
from manual_rnn.html_report.headline import headline, how
from manual_rnn.html_report.pass_section import PassSection, pass_section
from manual_rnn.html_report.place import check_place, write
from manual_rnn.html_report.section import Section, section
from manual_rnn.testing.local import bound_for
from manual_rnn.testing.passes.pass_report import PassReport
from manual_rnn.testing.report import Report

__all__ = ["check_place", "environment", "render", "write"]


def render(
    reports: Sequence[Report | PassReport], *, facts: Mapping[str, str] | None = None, seconds: float | None = None
) -> str:
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
    sections: list[Section | PassSection] = [
        section(report, number) if isinstance(report, Report) else pass_section(report, number)
        for number, report in enumerate(reports, start=1)
    ]
    return jinja.get_template("template.html").render(
        sections=sections,
        agree=bool(reports) and all(report.agree for report in reports),
        headline=headline(reports),
        how=how(reports),
        seconds=seconds,
        facts={**(facts or {}), **environment()},
        heat_map=heat_map,
        length_plot=length_plot,
        legend=scale.LEGEND,
        bound_for=bound_for,
    )
