"""Figures in two versions, of which the page shows the one that its colours ask for."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PICTURE = re.compile(
    r'<picture>\s*<source [^>]*srcset="(?P<name>[^"]*)-dark\.svg">\s*'
    r'<img src="(?P=name)-light\.svg" alt="(?P<alt>[^"]*)"[^>]*>\s*</picture>'
)


class Pair(SphinxDirective):
    """``{pair} NAME``: NAME-light.svg and NAME-dark.svg, with ``:alt:`` for who does not see it, and a caption."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required, "name": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        if not self.options.get("alt"):
            raise self.error(f"The figure {self.arguments[0]} has no :alt:, which says in words what it shows.")
        figure = nodes.figure("", classes=["pair"])
        figure.source, figure.line = self.get_source_info()
        for theme in ("light", "dark"):
            uri = f"{self.arguments[0]}-{theme}.svg"
            figure += nodes.image("", uri=uri, alt=self.options["alt"], classes=[f"only-{theme}"])
        if self.content:
            caption = nodes.caption("", "", *self.parse_inline("\n".join(self.content))[0])
            figure += caption
        self.add_name(figure)
        return [figure]


def setup(app: Sphinx) -> None:
    app.add_directive("pair", Pair)
    app.connect("source-read", _pictures)


def _pictures(app: Sphinx, docname: str, source: list[str]) -> None:
    """Pages that are also read as plain files have HTML for two versions; the book's own switch does not reach it."""

    def pair(found: re.Match[str]) -> str:
        return f"```{{pair}} {found['name']}\n:alt: {_one_line(found['alt'])}\n```"

    source[0] = PICTURE.sub(pair, source[0])


def _one_line(text: str) -> Any:
    return " ".join(text.split())
