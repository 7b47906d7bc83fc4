r"""Draws one matrix W as a copy at each step, and how the gradients of the copies add up to that of W.

    python docs/draw_copies.py [FOLDER]
"""

import sys
from pathlib import Path

from drawn_graph import arrow, between, node, sheet

from manual_rnn.figures import write_figure

COLUMN, ROWS, APART = 2.3, {"a": 0.0, "copy": 1.6, "W": 3.2}, 0.1


def draw(theme):
    """W above, its copies below it, and the pre-activation of its step below each."""
    figure, axes = sheet((-0.7, 6.25), (-1.15, 4.45))
    colour, middle = theme.colours[4], (COLUMN, ROWS["W"])
    node(axes, theme, middle, "$W$", size=15, fill=0.35)
    for t in (1, 2, 3):
        x = COLUMN * (t - 1)
        a, copy = (x, ROWS["a"]), (x, ROWS["copy"])
        node(axes, theme, copy, f"$W_{t}$", fill=0.2)
        node(axes, theme, a, f"$a({t})$")
        for low, high, label in ((a, copy, rf"$\nabla a({t})\,h({t - 1})^{{\top}}$"), (copy, middle, "")):
            arrow(axes, *between(high, low, side=-APART), theme.grey, 1.3)
            arrow(axes, *between(low, high, side=-APART), colour, 2.0, label, (0.14, 0), ha="left", va="center")
    axes.text(-0.55, 4.15, "One matrix is a copy at every step", size=13, weight="bold", va="center")
    axes.text(-0.55, -0.85, r"$\nabla W = \nabla W_1 + \nabla W_2 + \nabla W_3$: gradients add where arrows meet.",
              size=11, va="center")  # fmt: skip
    return figure


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures"
    for path in write_figure(draw, folder / "copies", png=False):
        print(path)
