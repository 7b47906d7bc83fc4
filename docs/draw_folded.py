r"""Draws one network twice: as a loop, and unrolled over three steps.

    python docs/draw_folded.py [FOLDER]
"""

import sys
from pathlib import Path

from drawn_graph import EDGE, RADIUS, arrow, between, node, sheet
from matplotlib.patches import FancyArrowPatch

from manual_rnn.figures import write_figure

FIRST, COLUMN, ROWS = 1.95, 1.32, {"x": 0.0, "h": 1.35, "o": 2.7}
WEIGHTS = {("x", "h"): "$U$", ("h", "o"): "$V$"}


def draw(theme):
    """At the left the loop, at the right h(0) and three steps; each matrix has its colour in both."""
    figure, axes = sheet((-0.5, 6.45), (-0.5, 4.0))
    colours = {"$U$": theme.colours[1], "$V$": theme.colours[2], "$W$": theme.colours[4]}

    def column(x, time):
        for kind, y in ROWS.items():
            node(axes, theme, (x, y), f"${kind}{time}$")
        for (low, high), name in WEIGHTS.items():
            ends = between((x, ROWS[low]), (x, ROWS[high]))
            arrow(axes, *ends, colours[name], 1.6, name, (-0.1, 0), size=12, ha="right", va="center")

    column(0.0, "")
    loop = {"arrowstyle": "-|>,head_length=0.5,head_width=0.25", "mutation_scale": 11, "lw": 1.6, "shrinkA": 0}
    y, W = ROWS["h"], colours["$W$"]
    start, end = (RADIUS * 0.85, y + RADIUS * 0.6), (RADIUS * 0.85, y - RADIUS * 0.6)
    curve = "arc,angleA=35,angleB=-35,armA=26,armB=26,rad=18"
    axes.add_patch(FancyArrowPatch(start, end, color=W, connectionstyle=curve, shrinkB=0.5, **loop))
    axes.text(0.78, y, "$W$", color=W, size=12, ha="left", va="center")

    node(axes, theme, (FIRST, y), "$h(0)$")
    for t in (1, 2, 3):
        x = FIRST + COLUMN * t
        column(x, f"({t})")
        ends = between((x - COLUMN, y), (x, y))
        arrow(axes, *ends, W, 1.6, "$W$", (0, 0.1), size=12, ha="center", va="bottom")
    for x, text in ((-EDGE, "A loop …"), (FIRST - EDGE, "… and unrolled over three steps")):
        axes.text(x, 3.62, text, size=12.5, weight="bold", va="center")
    return figure


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures"
    for path in write_figure(draw, folder / "folded", png=False):
        print(path)
