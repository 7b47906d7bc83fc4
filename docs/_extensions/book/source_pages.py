"""Files of the repository as pages of the book, with an anchor a line; made for those that a page links to."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from markupsafe import escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

logger = logging.getLogger(__name__)
ROOT = Path(__file__).parents[3]
LONG = 400_000
"""Bytes of a file from which on its page shows the beginning alone."""


class Source(SphinxRole):
    """``{source}`src/manual_rnn/bptt.py``` or ``{source}`the walk <src/manual_rnn/bptt.py>```, with ``#line-7``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        words, _, target = self.text.rpartition("<")
        path = (target or words).rstrip(">").strip()
        shown = nodes.Text(words.strip()) if words and target else nodes.literal("", path.partition("#")[0])
        file = path.partition("#")[0]
        if not (ROOT / file).exists():
            logger.warning("There is no %s in the repository.", file, location=self.get_location())
        return [source_reference(path, shown)], []


def source_reference(path: str, *shown: nodes.Node) -> nodes.Node:
    """A link to a file of the repository; ``path#line-N`` is one of its lines."""
    return SourceReference("", "", *shown, path=path)


class SourceReference(nodes.inline, nodes.Element):
    """A link whose page is known when the pages are written."""


class Resolve(SphinxPostTransform):
    """Turns links to files of the repository, those of Markdown too, into links to their pages."""

    default_priority = 5

    def run(self, **_: Any) -> None:
        for node in list(self.document.findall(SourceReference)):
            node.replace_self(self._link(node["path"], node.children))
        for node in list(self.document.findall(addnodes.download_reference)):
            here = posixpath.dirname(self.env.docname)
            path = posixpath.normpath(posixpath.join("docs", here, node["reftarget"]))
            if (ROOT / path).exists() and not path.endswith((".svg", ".png")):
                node.replace_self(self._link(path, node.children))
        for node in list(self.document.findall(addnodes.pending_xref)):  # of Markdown, to a folder
            here = posixpath.dirname(self.env.docname)
            path = posixpath.normpath(posixpath.join("docs", here, node["reftarget"]))
            if node.get("reftype") == "myst" and (ROOT / path).is_dir():
                node.replace_self(self._link(path, node.children))

    def _link(self, path: str, shown: list[nodes.Node]) -> nodes.Node:
        file, _, line = path.partition("#")
        if not (ROOT / file).exists():
            return nodes.inline("", "", *shown)
        linked(self.env).add(file)
        uri = self.app.builder.get_relative_uri(self.env.docname, page_of(file)) + (f"#{line}" if line else "")
        return nodes.reference("", "", *shown, internal=True, refuri=uri)


def linked(env: BuildEnvironment) -> set[str]:
    """The files that pages link to."""
    if not hasattr(env, "linked_sources"):
        env.linked_sources = set()  # type: ignore[attr-defined]
    found: set[str] = env.linked_sources  # type: ignore[attr-defined]
    return found


def page_of(file: str) -> str:
    return f"source/{file}"


def setup(app: Sphinx) -> None:
    app.add_role("source", Source())
    app.add_post_transform(Resolve)
    app.connect("html-collect-pages", _pages)


def _pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    for file in sorted(linked(app.env)):
        path = ROOT / file
        body = _folder(app, file) if path.is_dir() else _highlighted(path)
        yield page_of(file), {"title": file, "body": f"<h1><code>{escape(file)}</code></h1>{body}"}, "page.html"


def _highlighted(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    cut = "" if len(text) <= LONG else f"<p>The first {LONG:,} of {len(text):,} characters.</p>"
    try:
        lexer = get_lexer_for_filename(path.name)
    except ClassNotFound:
        lexer = TextLexer()
    formatter = HtmlFormatter(linenos="inline", lineanchors="line", anchorlinenos=True, wrapcode=True)
    return cut + str(highlight(text[:LONG], lexer, formatter))


def _folder(app: Sphinx, file: str) -> str:
    names = sorted(path.name for path in (ROOT / file).iterdir() if not path.name.startswith((".", "__pycache__")))
    return "<ul>" + "".join(f"<li><code>{escape(os.fspath(name))}</code></li>" for name in names) + "</ul>"
