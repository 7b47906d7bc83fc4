"""Mathematics in docstrings stands between dollars, as it is read in the source; reStructuredText has a role for it."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

DOLLARS = re.compile(r"(?<![\w$])\$(?P<latex>[^$\s](?:[^$]*[^$\s])?)\$(?![\w$])")


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", _convert)


def _convert(app: Sphinx, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    lines[:] = with_roles("\n".join(lines)).split("\n")


def with_roles(text: str) -> str:
    """Each ``$…$`` as ``:math:`…```; one that goes over lines comes into the first of them."""
    return DOLLARS.sub(lambda found: f":math:`{' '.join(found['latex'].split())}`", text)
