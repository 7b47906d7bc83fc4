"""Nodes and arrows: what the drawings of networks in this folder are made of."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch

RADIUS = 0.37
EDGE = RADIUS + 0.05
"""How far from the middle of a node its arrows begin and end."""
INCHES = 5.6 / 6.95
"""Of one unit of length: a figure 6.95 wide is as wide as a telephone shows it legibly."""


def sheet(xlim, ylim):
    """An empty figure, with the axes that fill it."""
    size = np.ptp([xlim, ylim], axis=1) * INCHES
    figure = Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1), xlim=xlim, ylim=ylim, aspect="equal")
    axes.axis("off")
    return figure, axes


def node(axes, theme, place, text, *, fill=0.0, colour=None, size=12.5, line="-"):
    """A circle around its name, filled with a colour as densely as ``fill`` says."""
    axes.add_patch(Circle(place, RADIUS, fc=colour or theme.colours[4], alpha=fill, ec="none"))
    axes.add_patch(Circle(place, RADIUS, fc="none", ec=theme.ink if line == "-" else theme.grey, lw=1.2, ls=line))
    axes.text(*place, text, ha="center", va="center", size=size)


def arrow(axes, start, end, colour, width=1.3, label="", offset=(0, 0), *, size=11, bend=0.0, **alignment):
    """An arrow, and its label at ``offset`` from its middle; ``bend`` makes an arc of it."""
    head = f"-|>,head_length={0.35 + 0.1 * width},head_width={0.16 + 0.06 * width}"
    curve = {"connectionstyle": f"arc3,rad={bend}"} if bend else {}
    line = {"arrowstyle": head, "mutation_scale": 11, "lw": width, "shrinkA": 0, "shrinkB": 0, **curve}
    axes.add_patch(FancyArrowPatch(start, end, color=colour, **line))
    axes.text(*(np.add(start, end) / 2 + offset), label, color=colour, size=size, **alignment)


def between(start, end, side=0.0):
    """Where an arrow between two nodes begins and ends; ``side`` moves it to its left, for a pair there and back."""
    along = np.subtract(end, start) / np.linalg.norm(np.subtract(end, start))
    aside = side * np.array([-along[1], along[0]])
    return start + EDGE * along + aside, end - EDGE * along + aside
