"""LaTeX as MathML, which browsers set without a script and without a network."""

from __future__ import annotations

import re
from functools import cache
from xml.etree import ElementTree

from markupsafe import Markup, escape

from manual_rnn.formulas import symbol

ELEMENTS = {
    *("math", "mrow", "mi", "mo", "mn", "mtext", "mspace", "mstyle", "msub", "msup", "msubsup", "mfrac", "msqrt"),
    *("mroot", "mover", "munder", "munderover", "mtable", "mtr", "mtd", "mpadded", "mphantom", "mmultiscripts"),
}
ATTRIBUTES = {
    *("display", "stretchy", "accent", "width", "mathvariant", "fence", "separator", "form", "movablelimits"),
    *("displaystyle", "rowspacing", "columnspacing", "columnalign", "linethickness", "minsize", "maxsize"),
}


@cache
def mathml(latex: str) -> Markup:
    """The formula; as code, escaped, where it cannot be converted: a cell's own LaTeX may be anything."""
    try:
        return Markup(as_mathml(latex))
    except ValueError:
        return Markup("<code>{}</code>").format(escape(latex))


def as_mathml(latex: str, display: str = "inline") -> str:
    """The formula, in a line of text or as a ``block``. Raises ValueError where it cannot be converted."""
    from latex2mathml.converter import convert

    try:
        return _plain(_with_functions_spaced(convert(latex, display=display)))
    except Exception as error:  # the converter raises what it likes on LaTeX that is none
        raise ValueError(f"{type(error).__name__}: {error}") from None


def equation(latex: str) -> Markup:
    r"""A whole equation; what stands beside it after a ``\quad``, and each term of a sum, may go to a line of its own.

    Browsers break no line inside ``<math>``, so every term is one of its own.
    """
    return Markup(", ").join(_sum(part) for part in latex.split(r", \quad "))


def _sum(latex: str) -> Markup:
    first, *others = _terms(latex)
    infix = Markup('<mo form="infix">')  # the sign stands between two terms, and is none of the second's own
    return Markup("<wbr>").join([mathml(first), *(mathml(term).replace(Markup("<mo>"), infix, 1) for term in others)])


def _terms(latex: str) -> list[str]:
    """The formula cut before every + and − that stands between two terms, outside of any bracket."""
    depth, starts = 0, [0]
    for place, character in enumerate(latex):
        depth += (character in "({[") - (character in ")}]")
        if depth == 0 and re.match(r"[^=\s] [+-] ", latex[place:]):
            starts.append(place + 1)
    return [latex[start:end].strip() for start, end in zip(starts, [*starts[1:], len(latex)], strict=True)]


def _plain(text: str) -> str:
    r"""The mathematics written anew from what it consists of, without the namespace, which HTML knows.

    The converter hands the text inside \text{...} on unescaped: what is no mathematics must not get into the page.
    """
    root = ElementTree.fromstring(text)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        if element.tag not in ELEMENTS or not set(element.attrib) <= ATTRIBUTES:
            raise ValueError(f"<{element.tag}> is no mathematics.")
    return ElementTree.tostring(root, encoding="unicode")


def _with_functions_spaced(text: str) -> str:
    """Names of functions as identifiers, with the thin space before an argument that TeX sets and browsers do not."""
    text = re.sub(r"<mo>([a-z]{2,})</mo>", r"<mi>\1</mi>", text)
    return re.sub(r"(<mi>[a-z]{2,}</mi>)(?=<m(?:i|sub|sup|subsup)>)", r'\1<mspace width="0.167em" />', text)


def left_side(name: str, latex: str | None) -> Markup:
    """What an equation is of, ∇a(t): from its LaTeX, or from its name alone."""
    if latex and "=" in latex:
        return mathml(latex.partition("=")[0].strip())
    variable = name.removeprefix("grad_")
    return mathml((r"\nabla " if variable != name else "") + symbol(variable) + "(t)")
