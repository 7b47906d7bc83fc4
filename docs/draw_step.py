r"""Draws one step as a graph of its nodes, forward and back, each arrow with the number of its equation.

    python docs/draw_step.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np
from drawn_graph import arrow, between, node, sheet

from manual_rnn.figures import write_figure

PLACES = {
    "h(t{-}1)": (0.0, 1.7), "a(t)": (1.95, 1.7), "h(t)": (3.9, 1.7), "a(t{+}1)": (5.85, 1.7),
    "x(t)": (1.95, 0.0), "o(t)": (3.9, 3.4), r"\ell(t)": (5.85, 3.4),
}  # fmt: skip
SHARES = (
    (r"\nabla V", r"\nabla o(t)\,h(t)^{\top}", "B3"),
    (r"\nabla c", r"\nabla o(t)", "B2"),
    (r"\nabla W", r"\nabla a(t)\,h(t{-}1)^{\top}", "B7"),
    (r"\nabla U", r"\nabla a(t)\,x(t)^{\top}", "B8"),
    (r"\nabla b", r"\nabla a(t)", "B6"),
)
"""What the step adds to the gradient of each parameter."""
OUTSIDE = ("h(t{-}1)", "a(t{+}1)")
"""What belongs to the step before and to the step after."""
V_T, W_T, U_T = (rf"{name}^{{\!\top}}\!" for name in "VWU")
EDGES = (
    # from, to, forward, where it is made; back: what arrives, where that is made
    ("h(t{-}1)", "a(t)", "$W$", "F1", rf"${W_T}\nabla a(t)$", "B4, B10"),
    ("x(t)", "a(t)", "$U$", "F1", rf"${U_T}\nabla a(t)$", "B9"),
    ("a(t)", "h(t)", r"$\tanh$", "F2", r"$\circ\,(1{-}h^2)$", "B5"),
    ("h(t)", "o(t)", "$V$", "F3", rf"${V_T}\nabla o(t)$", "B4"),
    ("o(t)", r"\ell(t)", r"$-\log\,\hat y_{y(t)}$", "F4", r"$\hat y(t) - 1_{y(t)}$", "B1"),
    ("h(t)", "a(t{+}1)", "$W$", "", rf"${W_T}\nabla a(t{{+}}1)$", "B4"),
)


def draw(theme, *, back):
    """The nodes; between them grey arrows forward, or coloured ones back."""
    figure, axes = sheet((-0.5, 6.45), (-0.85 if back else -0.52, 4.5))
    for name, place in PLACES.items():
        size, line = (11.5, ":") if name in OUTSIDE else (12.5, "-")
        node(axes, theme, place, f"${name}$", size=size, line=line)
    for low, high, there, number, returned, back_number in EDGES:
        start, end = np.array(PLACES[low]), np.array(PLACES[high])
        text, label = (returned, back_number) if back else (there, number)
        colour = theme.grey if not back else theme.colours[4 if W_T in returned else 1]
        upright = start[0] == end[0]
        ends = between(end, start) if back else between(start, end)
        if upright:
            words = f"{text}  {label}" if label else text
            arrow(axes, *ends, colour, 1.8, words, (0.14, 0), size=11, ha="left", va="center")
        else:
            arrow(axes, *ends, colour, 1.8, text, (0, 0.1), size=10.5 if back else 11.5, ha="center", va="bottom")
            axes.text(*((start + end) / 2 - (0, 0.12)), label, color=colour, size=11, ha="center", va="top")
    if back:
        axes.text(3.53, 0.98, "and what the step adds to", color=theme.ink, size=11, va="center")
        for line, (name, share, number) in enumerate(SHARES):
            y = 0.65 - 0.3 * line
            axes.text(3.53, y, f"${name}$:   ${share}$", color=theme.ink, size=11, va="center")
            axes.text(6.0, y, number, color=theme.grey, size=11, va="center")
    title = "One step back: what arrives at each node" if back else "One step forward"
    axes.text(-0.42, 4.2, title, size=13, weight="bold", va="center")
    return figure


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures"
    for name, back in (("step_forward", False), ("step_back", True)):
        for path in write_figure(lambda theme, back=back: draw(theme, back=back), folder / name, png=False):
            print(path)
