"""Docstrings as they are read in the source: mathematics stands between dollars, and a sentence may have a colon."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

DOLLARS = re.compile(r"(?<![\w$])\$(?P<latex>[^$\s](?:[^$]*[^$\s])?)\$(?![\w$])")


def setup(app: Sphinx) -> None:
    before, after = 400, 600  # napoleon is between them
    app.connect("autodoc-process-docstring", _convert, priority=before)
    app.connect("autodoc-process-docstring", _restore, priority=after)


converted: list[str] = []
"""The lines of the docstring at hand, before napoleon."""


def _convert(app: Sphinx, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    lines[:] = with_roles("\n".join(lines)).split("\n")
    converted[:] = lines


def _restore(app: Sphinx, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Of an attribute napoleon takes what stands before a colon for its type; here it begins a sentence."""
    if what in ("attribute", "data", "property"):
        lines[:] = converted


def with_roles(text: str) -> str:
    """Each ``$…$`` as ``:math:`…```; one that goes over lines comes into the first of them."""
    return DOLLARS.sub(lambda found: f":math:`{' '.join(found['latex'].split())}`", text)
