r"""Draws the unrolled network, forward and backward through time, with the gradients of a real run in it.

    python docs/draw_unrolled.py [FOLDER]

Grey arrows are the forward pass. Coloured arrows are gradients: each is labelled with the term of the derivation that
it carries (src/manual_rnn/cells/rnn.py), and as wide as that term's norm in the run, which ``jax.grad`` confirms.
"""

import sys
from pathlib import Path

import numpy as np
from drawn_graph import EDGE, arrow, node, sheet

from manual_rnn import cells, initialise, loss_and_gradients
from manual_rnn.diagnostics import cross_check
from manual_rnn.figures import write_figure
from reference import autodiff

T = 3
COLUMN, ROWS = 1.75, {"x": 0.0, "h": 1.45, "o": 2.95, "l": 4.2}
APART = 0.12
"""Half the distance of the two arrows of a pair, there and back."""
V_T, W_T = r"V^{\!\top}\!", r"W^{\!\top}\!"


def run():
    """The norms of the gradients that the arrows carry, from a small character model at its start."""
    rnn, ids = cells.get("rnn"), np.random.default_rng(2).integers(0, 4, (T + 1, 1))
    params = initialise(rnn, n_in=4, n_hidden=8, n_out=4, seed=2)
    check = cross_check(rnn, params, ids[:-1], ids[1:], against=autodiff("rnn"))
    if not check.agree:
        sys.exit(f"Nothing is drawn: {check}.")
    result = loss_and_gradients(rnn, params, ids[:-1], ids[1:])
    grads = result.node_gradients

    def norms(rows):
        return np.linalg.norm(rows[:, 0], axis=-1)

    return {
        "h": [*norms(result.gradients["h0"][None]), *norms(grads["h"])],
        "o": norms(grads["o"]),
        "from_o": norms(grads["o"] @ params["V"]),
        "from_h": norms(grads["a"] @ params["W"]),  # from a(t) to h(t−1)
    }


def draw(norms, theme):
    """One column a step: nodes, then each pair of arrows, there in grey and back in colour."""
    figure, axes = sheet((-0.5, 6.45), (-1.72, 5.06))
    grey, from_loss, through_time = theme.grey, theme.colours[1], theme.colours[4]

    def vertical(low, high, t, there, back="", norm=None):
        """From node ``low`` up to node ``high`` of step t, and back if there is a norm to show."""
        bottom, top, x = ROWS[low] + EDGE, ROWS[high] - EDGE, COLUMN * t
        left = x - APART if back else x
        arrow(axes, (left, bottom), (left, top), grey, 1.3, there, (-0.12, 0), ha="right", va="center")
        if back:
            ends = (x + APART, top), (x + APART, bottom)
            arrow(axes, *ends, from_loss, 2.4 * norm, back, (0.16, 0), ha="left", va="center")

    for t in range(T + 1):
        for kind in ROWS if t else ("h",):
            name = rf"$\ell({t})$" if kind == "l" else f"${kind}({t})$"
            fill = 0.5 * norms["h"][t] / max(norms["h"]) if kind == "h" else 0.0
            node(axes, theme, (COLUMN * t, ROWS[kind]), name, fill=fill)
        if t == 0:
            continue
        vertical("x", "h", t, "$U$")
        vertical("h", "o", t, "$V$", rf"${V_T}\nabla o({t})$", norms["from_o"][t - 1])
        vertical("o", "l", t, "", rf"$\nabla o({t})$", norms["o"][t - 1])
        left, right, y = COLUMN * (t - 1) + EDGE, COLUMN * t - EDGE, ROWS["h"]
        arrow(axes, (left, y + APART), (right, y + APART), grey, 1.3, "$W$", (0, 0.1), ha="center", va="bottom")
        back, norm = rf"${W_T}\nabla a({t})$", norms["from_h"][t - 1]
        ends = (right, y - APART), (left, y - APART)
        arrow(axes, *ends, through_time, 2.4 * norm, back, (0, -0.14), ha="center", va="top")

    axes.text(-0.37, 4.83, "Forward in grey, gradients in colour", size=13, weight="bold", va="center")
    for line, text in enumerate(
        (
            rf"Gradients add where arrows meet: $\nabla h(t) = {V_T}\nabla o(t) + {W_T}\nabla a(t+1)$",
            r"and within a node: $\nabla a(t) = \mathrm{diag}(1 - h(t)^2)\,\nabla h(t)$.",
            r"Width of an arrow, shade of a node: the norm of its gradient in a run.",
        )
    ):
        axes.text(-0.37, -0.75 - 0.38 * line, text, size=10.5, va="center")
    return figure


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "figures"
    measured = run()
    for path in write_figure(lambda theme: draw(measured, theme), folder / "unrolled", png=False):
        print(path)
