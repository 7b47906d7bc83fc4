"""Two pages to play with: their numbers are computed while the book is built, and drawn by plain scripts."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PARTS = ("decay_explorer", "decay_table", "step_player", "agreement")


class Interactive(SphinxDirective):
    """``{interactive} PART``: a part of a page, one of ``PARTS``, as :mod:`interactive.pages` writes it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from interactive import decay, graph, pages, steps

        if self.arguments[0] not in PARTS:
            raise self.error(f"There is no part {self.arguments[0]}; there are {', '.join(PARTS)}.")
        for module in (decay, steps, graph, pages):
            self.env.note_dependency(str(module.__file__))
        return [nodes.raw("", getattr(pages, self.arguments[0])(), format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("interactive", Interactive)
    app.connect("html-page-context", _files_of_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _files_of_page(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.Node | None) -> None:
    folder, _, name = page.partition("/")
    if folder == "interactive":
        app.add_css_file("interactive.css")
        app.add_js_file(f"{name}.js", loading_method="defer")
