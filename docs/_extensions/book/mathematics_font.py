"""A font for mathematics, in the pages' own style sheet: few systems have one, and without one letters and brackets
are put together from whatever there is. Inside the style sheet it needs no file beside the page, which browsers do not
load for pages from a file system."""

from __future__ import annotations

import base64
import io
import logging
from importlib.resources import files
from pathlib import Path

from fontTools import subset
from sphinx.application import Sphinx

logging.getLogger("fontTools.subset").setLevel(logging.WARNING)  # it tells each table that it cuts
STYLE_SHEET = "mathematics.css"
USED = (
    (0x0020, 0x007E),  # Latin
    (0x00A0, 0x00FF),
    (0x0391, 0x03F5),  # Greek
    (0x2010, 0x2044),  # dashes, primes, ‖, …
    (0x2100, 0x214F),  # ℓ, and the italic h
    (0x2190, 0x22FF),  # arrows and operators
    (0x2308, 0x230B),  # brackets
    (0x27E8, 0x27E9),
    (0x1D434, 0x1D467),  # italics, which a single letter in mathematics is set in
    (0x1D6E2, 0x1D71B),
)
"""The characters that are kept, first and last of each range: a fifth of the font."""


def setup(app: Sphinx) -> None:
    app.add_css_file(STYLE_SHEET)
    app.connect("build-finished", _write)


def _write(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        (Path(app.outdir) / "_static" / STYLE_SHEET).write_text(_style_sheet(), encoding="utf-8")


def _style_sheet() -> str:
    encoded = base64.b64encode(_font()).decode("ascii")
    source = f'@font-face {{ font-family: "Mathematics"; src: url("data:font/woff;base64,{encoded}"); }}'
    return f'{source}\nmath {{ font-family: "Mathematics", math; }}\n'


def _font() -> bytes:
    """STIX Two Math (SIL Open Font License 1.1), as ziamath brings it, without what the book has no use for."""
    options = subset.Options(flavor="woff", layout_features=["ssty", "dtls", "flac"])
    font = subset.load_font(str(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf"), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in USED for code in range(first, last + 1)])
    subsetter.subset(font)
    written = io.BytesIO()
    subset.save_font(font, written, options)
    return written.getvalue()
