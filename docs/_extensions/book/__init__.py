"""What the book needs beyond Sphinx and MyST: mathematics without a script, equations with code and error, sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from book import equation_pages, figure_pairs, mathematics, source_pages

ROOT = Path(__file__).parents[3]


def setup(app: Sphinx) -> dict[str, Any]:
    for part in (mathematics, source_pages, figure_pairs, equation_pages):
        part.setup(app)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
