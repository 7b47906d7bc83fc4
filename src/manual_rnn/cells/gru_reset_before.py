r"""Gated recurrent unit with the reset *before* the product, as Cho et al. 2014 published it.

The reset gate r scales the state that W_n is taken of, so the map of the candidate waits for r. The variant of
cuDNN and PyTorch, which scales the product, is :mod:`manual_rnn.cells.gru`.

.. math::
    a_r(t) &= b_r + W_r h(t-1) + U_r x(t)                         && \text{F1, affine.py and maps.py} \\
    a_z(t) &= b_z + W_z h(t-1) + U_z x(t)                         && \text{F1} \\
    r(t)   &= \sigma(a_r(t))                                      && \text{F2.1, here} \\
    z(t)   &= \sigma(a_z(t))                                      && \text{F2.2, here} \\
    q(t)   &= r(t) \circ h(t-1)                                   && \text{F2.3, here} \\
    a_n(t) &= b_n + W_n q(t) + U_n x(t)                           && \text{F1} \\
    n(t)   &= \tanh a_n(t)                                        && \text{F2.4, here} \\
    h(t)   &= (1 - z(t)) \circ n(t) + z(t) \circ h(t-1)           && \text{F2.5, here}

.. math::
    \nabla h(t)   &= V^\top \nabla o(t) + W_r^\top \nabla a_r(t+1) + W_z^\top \nabla a_z(t+1)
                     + \nabla q(t+1) \circ r(t+1) + \nabla h(t+1) \circ z(t+1)    && \text{B4, bptt.py} \\
    \nabla n(t)   &= \nabla h(t) \circ (1 - z(t))                 && \text{B5.1, here} \\
    \nabla z(t)   &= \nabla h(t) \circ (h(t-1) - n(t))            && \text{B5.2, here} \\
    \nabla a_n(t) &= \nabla n(t) \circ (1 - n(t)^2)               && \text{B5.3, here} \\
    \nabla q(t)   &= W_n^\top \nabla a_n(t)                       && \text{B5.4, bptt.py} \\
    \nabla r(t)   &= \nabla q(t) \circ h(t-1)                     && \text{B5.5, here} \\
    \nabla a_z(t) &= \nabla z(t) \circ z(t) \circ (1 - z(t))      && \text{B5.6, here} \\
    \nabla a_r(t) &= \nabla r(t) \circ r(t) \circ (1 - r(t))      && \text{B5.7, here}

What is left, B6–B10, is as in :mod:`manual_rnn.cells.rnn`, with q(t) in the place of h(t−1) for W_n.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.activations import sigmoid
from manual_rnn.cell import Affine, Array, Cell, Nodes, Tap


def forward(node: Nodes, prev: Nodes, tap: Tap) -> dict[str, Array]:
    r = tap("r", sigmoid(node.a_r))  # (F2.1)
    z = tap("z", sigmoid(node.a_z))  # (F2.2)
    tap("q", r * prev.h)  # (F2.3)
    n = tap("n", np.tanh(node.a_n))  # (F2.4)
    h = tap("h", (1 - z) * n + z * prev.h)  # (F2.5)
    return {"h": h}


def backward(node: Nodes, prev: Nodes, grad: Nodes, tap: Tap) -> dict[str, Array]:
    grad_n = tap("n", grad.h * (1 - node.z))  # (B5.1)
    grad_z = tap("z", grad.h * (prev.h - node.n))  # (B5.2)
    grad_a_n = tap("a_n", grad_n * ((1 - node.n) * (1 + node.n)))  # (B5.3)
    grad_q = tap("q", grad.q)  # (B5.4)
    grad_r = tap("r", grad_q * prev.h)  # (B5.5)
    grad_a_z = tap("a_z", grad_z * (node.z * (1 - node.z)))  # (B5.6)
    grad_a_r = tap("a_r", grad_r * (node.r * (1 - node.r)))  # (B5.7)
    return {"a_r": grad_a_r, "a_z": grad_a_z, "a_n": grad_a_n, "h_prev": grad_q * node.r + grad.h * node.z}


CELL = Cell(
    "gru_reset_before",
    forward,
    backward,
    maps=(
        Affine(node="a_r", W="W_r", U="U_r", b="b_r"),
        Affine(node="a_z", W="W_z", U="U_z", b="b_z"),
        Affine(node="a_n", W="W_n", U="U_n", b="b_n", of="q", now=True),
    ),
    keep="b_z",
    labels={
        **{"r": "F2.1", "z": "F2.2", "q": "F2.3", "n": "F2.4", "h": "F2.5", "grad_n": "B5.1", "grad_z": "B5.2"},
        **{"grad_a_n": "B5.3", "grad_q": "B5.4", "grad_r": "B5.5", "grad_a_z": "B5.6", "grad_a_r": "B5.7"},
    },
    latex={
        "h_prev": r"\nabla q(t) \circ r(t) + \nabla h(t) \circ z(t)",
        "r": r"r(t) = \sigma(a_r(t))",
        "z": r"z(t) = \sigma(a_z(t))",
        "q": r"q(t) = r(t) \circ h(t-1)",
        "n": r"n(t) = \tanh a_n(t)",
        "h": r"h(t) = (1 - z(t)) \circ n(t) + z(t) \circ h(t-1)",
        "grad_n": r"\nabla n(t) = \nabla h(t) \circ (1 - z(t))",
        "grad_z": r"\nabla z(t) = \nabla h(t) \circ (h(t-1) - n(t))",
        "grad_a_n": r"\nabla a_n(t) = \nabla n(t) \circ (1 - n(t)^2)",
        "grad_q": r"\nabla q(t) = W_n^\top \nabla a_n(t)",
        "grad_r": r"\nabla r(t) = \nabla q(t) \circ h(t-1)",
        "grad_a_z": r"\nabla a_z(t) = \nabla z(t) \circ z(t) \circ (1 - z(t))",
        "grad_a_r": r"\nabla a_r(t) = \nabla r(t) \circ r(t) \circ (1 - r(t))",
    },
)
