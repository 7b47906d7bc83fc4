"""How this project's figures look and are written: one drawing, for light and for dark surroundings, byte by byte.

Matplotlib belongs to the extra "figures" and is imported only where a figure is written. Figures are drawn narrow, in
letters that stay legible when a telephone shows them 380 pixels wide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from manual_rnn.files import write_whole


@dataclass(frozen=True, kw_only=True)
class Theme:
    """The colours of a figure for one kind of surroundings. The background is left to the surroundings."""

    name: str
    ink: str
    """Text and whatever must be read."""
    grey: str
    """What is read second."""
    faint: str
    """Frames, grids, what stands behind."""
    paper: str
    """What the surroundings are taken to be: fills of nodes, halos of labels."""
    colours: tuple[str, ...]
    """Five that can be told apart with any kind of colour vision, each dark (or light) enough for text."""


LIGHT = Theme(
    name="light",
    ink="#1f2328",
    grey="#656d76",
    faint="#d1d5da",
    paper="#ffffff",
    colours=("#7a3e8e", "#0b5fa5", "#00806a", "#876800", "#c2410c"),
)
DARK = Theme(
    name="dark",
    ink="#e6edf3",
    grey="#9198a1",
    faint="#3d444d",
    paper="#0d1117",
    colours=("#cfa0e6", "#62b0f0", "#3cc6a4", "#dfb93c", "#ff8f5f"),
)


def write_figure(draw: Callable[[Theme], Any], stem: Path, *, png: bool = True) -> list[Path]:
    """Writes ``stem-light.svg``, ``stem-dark.svg`` and ``stem.png`` (on white) of a figure; returns the paths.

    ``draw`` makes a ``matplotlib.figure.Figure`` in a theme's colours. The same figure gives the same bytes: no date,
    no random ids. Letters are drawn as shapes, so that they look the same where the font is missing.

    Raises ModuleNotFoundError, with what to install, if matplotlib is missing.
    """
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'A figure needs matplotlib, which is not installed; it comes with: pip install "manual-rnn[figures]".',
            name="matplotlib",
        ) from error

    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = []
    for theme in (LIGHT, DARK):
        with mpl.rc_context(_settings(theme)):
            figure, content = draw(theme), BytesIO()
            paths.append(stem.with_name(f"{stem.name}-{theme.name}.svg"))
            figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
            write_whole(paths[-1], content.getvalue())
            if png and theme is LIGHT:
                paths.append(stem.with_name(f"{stem.name}.png"))
                figure.savefig(paths[-1], facecolor=theme.paper, dpi=200)
    return paths


def headline(axes: Any, title: str, subtitle: str) -> None:
    """What there is to see, in one bold line, and what the axis y measures, below it; both at the left."""
    axes.set_title(subtitle, loc="left", size=11)
    axes.annotate(title, (0, 1), (0, 26), xycoords="axes fraction", textcoords="offset points", weight="bold", size=13)


def decades(axes: Any) -> None:
    """Marks an axis y that holds log10 with powers of ten, on lines across."""
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.yaxis.set_major_formatter(lambda power, _: f"$10^{{{power:.0f}}}$" if power else "1")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y")


def label_ends(
    axes: Any, x: float, heights: Sequence[float], texts: Sequence[str], colours: Sequence[str], *, gap: float = 0.1
) -> None:
    """Writes each curve's name to the right of its end, in its colour, moved apart where two would touch.

    The limits of the axes must be set. ``gap`` is the part of their height that a text needs.
    """
    low, high = axes.get_ylim()
    for y, text, colour in zip(spread(heights, gap * (high - low)), texts, colours, strict=True):
        place = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
        axes.annotate(text, (x, y), (7, 0), color=colour, **place)


def spread(values: Iterable[float], gap: float) -> list[float]:
    """Positions for labels, as near to the values as they can be with at least ``gap`` from one to the next.

    Labels that would touch are moved apart as a group, around their common middle.
    """
    given = list(values)
    order = sorted(range(len(given)), key=given.__getitem__)
    groups: list[list[float]] = []  # each: the wished positions of labels that touch
    for i in order:
        groups.append([given[i]])
        while len(groups) > 1 and _bottom(groups[-1], gap) < _bottom(groups[-2], gap) + gap * len(groups[-2]):
            last = groups.pop()
            groups[-1] += last
    placed = [_bottom(group, gap) + gap * k for group in groups for k in range(len(group))]
    positions = [0.0] * len(given)
    for i, position in zip(order, placed, strict=True):
        positions[i] = position
    return positions


def _bottom(group: list[float], gap: float) -> float:
    """Where the lowest label of a group stands if the group's middle is the mean of what its members wish."""
    return sum(group) / len(group) - gap * (len(group) - 1) / 2


def _settings(theme: Theme) -> Any:
    return {
        "svg.hashsalt": "manual-rnn",
        "svg.fonttype": "path",
        "font.family": "DejaVu Sans",
        "mathtext.fontset": "dejavusans",
        "font.size": 11,
        "axes.facecolor": "none",
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": theme.ink,
        "axes.labelcolor": theme.ink,
        "text.color": theme.ink,
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "grid.color": theme.faint,
        "lines.solid_capstyle": "round",
    }
