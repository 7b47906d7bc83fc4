"""The equations on the book's pages: the directive ``equation``, the role ``eq``, and their index."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from book.equations import Equation, Missing, all_equations, where_tested
from book.source_pages import source_reference
from manual_rnn import losses
from manual_rnn.html_report.mathml import equation as as_mathematics
from manual_rnn.html_report.numbers import number

logger = logging.getLogger(__name__)
INDEX = "equations/index"


def setup(app: Sphinx) -> None:
    app.add_directive("equation", OneEquation)
    app.add_directive("equation-index", EquationIndex)
    app.add_role("eq", EquationNumber(), override=True)  # Sphinx has one, not used here
    app.connect("builder-inited", _judge)


def _judge(app: Sphinx) -> None:
    """Judges all cells before the first page is read: what is missing ends the build."""
    try:
        where_tested()
        logger.info("%d equations agree with jax.grad", len(all_equations()))
    except Missing as error:
        raise ExtensionError(str(error)) from None


class OneEquation(SphinxDirective):
    """``{equation} rnn.grad_W``: its number, itself, its code, and how well both agree in this build."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        equation = all_equations().get(self.arguments[0])
        if equation is None:
            raise self.error(f"There is no equation {self.arguments[0]}; the index of equations names all.")
        box = nodes.container(classes=["equation-box"])
        head = nodes.paragraph(classes=["equation-head"])
        head += _index_link(self.env, equation, classes=["equation-number"])
        head += nodes.raw("", f'<span class="equation-math">{as_mathematics(equation.latex)}</span>', format="html")
        code = "\n".join(line.code for line in equation.lines)
        box += [head, nodes.literal_block(code, code, language="python"), _measured(equation)]
        return [box]


def _measured(equation: Equation) -> nodes.paragraph:
    paragraph = nodes.paragraph(classes=["equation-measured"])
    for k, line in enumerate(equation.lines):
        place = nodes.literal("", f"{line.file.rpartition('src/')[2]}:{line.number}")
        paragraph += [nodes.Text(", " if k else ""), source_reference(line.target, place)]
    words = f", against jax.grad in this build: {_error(equation)} in {equation.examples} cases. Tests: "
    paragraph += nodes.Text(words)
    for k, (shows, test) in enumerate(equation.tests.items()):
        paragraph += [nodes.Text(", " if k else ""), source_reference(test.target, nodes.Text(shows))]
    paragraph += nodes.Text(".")
    return paragraph


def _error(equation: Equation) -> str:
    if not equation.error_ulp:
        return "not one bit differs"
    return f"at most {number(equation.error_ulp)} units in the last place"


def _index_link(env: Any, equation: Equation, **options: Any) -> nodes.Node:
    uri = env.app.builder.get_relative_uri(env.docname, INDEX) + f"#{equation.anchor}"
    return nodes.reference("", "", nodes.Text(equation.number), internal=True, refuri=uri, **options)


class EquationNumber(SphinxRole):
    """``{eq}`rnn.grad_W```: its number, as a link to the index."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        equation = all_equations().get(self.text)
        if equation is None:
            logger.warning("There is no equation %s.", self.text, location=self.get_location())
            return [nodes.Text(self.text)], []
        return [_index_link(self.env, equation, classes=["equation-number"])], []


class EquationIndex(SphinxDirective):
    """All equations, a section for each cell and for each loss that no cell's section has."""

    def run(self) -> list[nodes.Node]:
        result: list[nodes.Node] = []
        for of, equations in groupby(all_equations().values(), key=lambda equation: equation.of):
            section = nodes.section(ids=[f"of-{of.replace('_', '-')}"])
            words = [nodes.Text(", the loss")] if of in losses.names() else []
            section += nodes.title("", "", nodes.literal("", of), *words)
            listed = nodes.container(classes=["equation-list"])
            for equation in equations:
                listed += self._row(equation)
            section += listed
            result.append(section)
        return result

    def _row(self, equation: Equation) -> nodes.Node:
        row = nodes.container(ids=[equation.anchor], classes=["equation-row"])
        of = nodes.paragraph(classes=["equation-head"])
        of += nodes.inline("", equation.number, classes=["equation-number"])
        of += nodes.raw("", f'<span class="equation-math">{as_mathematics(equation.latex)}</span>', format="html")
        links = nodes.paragraph(classes=["equation-measured"])
        links += nodes.literal("", equation.name)
        for k, line in enumerate(equation.lines):
            place = nodes.Text(f"{line.file.rpartition('/')[2]}:{line.number}")
            links += [nodes.Text(", " if k else " · "), source_reference(line.target, place)]
        links += nodes.Text(f" · {_error(equation)} · ")
        for k, (shows, test) in enumerate(equation.tests.items()):
            links += [nodes.Text(", " if k else "tests: "), source_reference(test.target, nodes.Text(shows))]
        row += [of, links]
        return row
