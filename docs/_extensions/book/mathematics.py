"""Mathematics as MathML, which browsers set without a script and without a network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from manual_rnn.html_report.mathml import as_mathml

logger = logging.getLogger(__name__)
ALIGNED = re.compile(r"(?<=\\begin\{)aligned(?=\})|(?<=\\end\{)aligned(?=\})")
"""The converter knows one name for lines that are aligned."""


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.config["html_math_renderer"] = "mathml"


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(_converted(node, "inline"))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    # A wide equation scrolls in a box of its own; whoever uses the keyboard must be able to reach it.
    writer.body.append('<div class="math-block" tabindex="0">')
    for part in node.astext().split("\n\n"):
        if part.strip():
            writer.body.append(_converted(node, "block", part))
    writer.body.append("</div>\n")
    raise nodes.SkipNode


def _converted(node: nodes.Element, display: str, latex: str | None = None) -> str:
    latex = node.astext() if latex is None else latex
    if r"\\" in latex and r"\begin" not in latex:
        latex = rf"\begin{{align*}} {latex} \end{{align*}}"
    latex = ALIGNED.sub("align*", latex)
    try:
        return as_mathml(latex, display)
    except ValueError as error:
        logger.warning("This mathematics cannot be converted: %s (%s)", latex, error, location=node)
        return ""
