r"""Draws a text cut into two streams and windows of four: the state goes on, the gradient ends where its window begins.

    python docs/draw_windows.py [FOLDER]

The streams are those of ``manual_rnn.windows``, which training reads.
"""

import sys
from pathlib import Path

import numpy as np
from drawn_graph import arrow, sheet
from matplotlib.patches import FancyBboxPatch

from manual_rnn.figures import write_figure
from manual_rnn.windows import Windows

TEXT = "to be or not to be, that"
T, B = 4, 2
LETTER, GAP, ROW = 0.46, 0.26, 1.75


def draw(theme):
    """A row a stream; grey arrows from window to window, coloured ones back inside each."""
    figure, axes = sheet((-0.5, 6.45), (-2.6, 2.2))
    windows = Windows.of(np.array([ord(character) for character in TEXT + "?"]), T=T, B=B)
    for k in range(windows.per_epoch):
        left = 0.34 + k * (T * LETTER + GAP)
        right = left + T * LETTER
        axes.text((left + right) / 2, 1.32, f"window {k + 1}", size=11, ha="center", color=theme.grey)
        for stream in range(B):
            y = 0.45 - ROW * stream
            frame = FancyBboxPatch((left, y - 0.3), T * LETTER, 0.6, boxstyle="round,pad=0,rounding_size=0.1")
            frame.set(fc="none", ec=theme.ink, lw=1.2)
            axes.add_patch(frame)
            for t, character in enumerate(windows[k].x[:, stream]):
                shown = "␣" if chr(character) == " " else chr(character)
                middle, font = {"ha": "center", "va": "center"}, {"size": 14, "family": "DejaVu Sans Mono"}
                axes.text(left + (t + 0.5) * LETTER, y, shown, **middle, **font)
            if k:
                arrow(axes, (left - GAP - 0.3, y + 0.48), (left + 0.3, y + 0.48), theme.grey, 1.6)
            arrow(axes, (right - 0.12, y - 0.5), (left + 0.12, y - 0.5), theme.colours[4], 2.0)
            axes.plot([left + 0.06] * 2, [y - 0.62, y - 0.38], color=theme.colours[4], lw=2.4)
    for stream in range(B):
        axes.text(0.2, 0.45 - ROW * stream, f"{stream + 1}", size=12, ha="right", va="center", color=theme.grey)
    axes.text(-0.42, 1.88, "Two streams, read side by side in windows of four", size=13, weight="bold", va="center")
    axes.text(0.34, -2.3, "The state is carried over;", color=theme.grey, size=11, va="center")
    axes.text(2.84, -2.3, "the gradient ends at the window.", color=theme.colours[4], size=11, va="center")
    return figure


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures"
    for path in write_figure(draw, folder / "windows", png=False):
        print(path)
