"""What the book needs beyond Sphinx and MyST: mathematics without a script, equations with code and error, sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    from book import docstrings, equation_pages, figure_pairs, mathematics, mathematics_font, source_pages

    for part in (mathematics, mathematics_font, docstrings, source_pages, figure_pairs, equation_pages):
        part.setup(app)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
