r"""Gated recurrent unit (Cho et al. 2014), reset *after* the product, as cuDNN and PyTorch have it.

The reset gate r scales W_n h(t−1) and not h(t−1), so the candidate n has two affine maps, one of the input and one
of the state, and two biases. The other variant is :mod:`manual_rnn.cells.gru_reset_before`.

.. math::
    a_r(t) &= b_r + W_r h(t-1) + U_r x(t)                         && \text{F1, affine.py and maps.py} \\
    a_z(t) &= b_z + W_z h(t-1) + U_z x(t)                         && \text{F1} \\
    n_x(t) &= b_n + U_n x(t)                                      && \text{F1} \\
    n_h(t) &= d_n + W_n h(t-1)                                    && \text{F1} \\
    r(t)   &= \sigma(a_r(t))                                      && \text{F2.1, here} \\
    z(t)   &= \sigma(a_z(t))                                      && \text{F2.2, here} \\
    a_n(t) &= n_x(t) + r(t) \circ n_h(t)                          && \text{F2.3, here} \\
    n(t)   &= \tanh a_n(t)                                        && \text{F2.4, here} \\
    h(t)   &= (1 - z(t)) \circ n(t) + z(t) \circ h(t-1)           && \text{F2.5, here}

.. math::
    \nabla h(t)   &= V^\top \nabla o(t) + \sum_k W_k^\top \nabla a_k(t+1) + \nabla h(t+1) \circ z(t+1)
                                                                  && \text{B4, bptt.py} \\
    \nabla n(t)   &= \nabla h(t) \circ (1 - z(t))                 && \text{B5.1, here} \\
    \nabla z(t)   &= \nabla h(t) \circ (h(t-1) - n(t))            && \text{B5.2, here} \\
    \nabla a_n(t) &= \nabla n(t) \circ (1 - n(t)^2)               && \text{B5.3, here} \\
    \nabla r(t)   &= \nabla a_n(t) \circ n_h(t)                   && \text{B5.4, here} \\
    \nabla n_x(t) &= \nabla a_n(t)                                && \text{B5.5, here} \\
    \nabla n_h(t) &= \nabla a_n(t) \circ r(t)                     && \text{B5.6, here} \\
    \nabla a_z(t) &= \nabla z(t) \circ z(t) \circ (1 - z(t))      && \text{B5.7, here} \\
    \nabla a_r(t) &= \nabla r(t) \circ r(t) \circ (1 - r(t))      && \text{B5.8, here}

In B4 the sum runs over a_r, a_z and n_h; what is left, B6–B10, is as in :mod:`manual_rnn.cells.rnn`.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.activations import sigmoid
from manual_rnn.cell import Affine, Array, Cell, Nodes, Tap


def forward(node: Nodes, prev: Nodes, tap: Tap) -> dict[str, Array]:
    r = tap("r", sigmoid(node.a_r))  # (F2.1)
    z = tap("z", sigmoid(node.a_z))  # (F2.2)
    a_n = tap("a_n", node.n_x + r * node.n_h)  # (F2.3)
    n = tap("n", np.tanh(a_n))  # (F2.4)
    h = tap("h", (1 - z) * n + z * prev.h)  # (F2.5)
    return {"h": h}


def backward(node: Nodes, prev: Nodes, grad: Nodes, tap: Tap) -> dict[str, Array]:
    grad_n = tap("n", grad.h * (1 - node.z))  # (B5.1)
    grad_z = tap("z", grad.h * (prev.h - node.n))  # (B5.2)
    grad_a_n = tap("a_n", grad_n * ((1 - node.n) * (1 + node.n)))  # (B5.3)
    grad_r = tap("r", grad_a_n * node.n_h)  # (B5.4)
    grad_n_x = tap("n_x", grad_a_n)  # (B5.5)
    grad_n_h = tap("n_h", grad_a_n * node.r)  # (B5.6)
    grad_a_z = tap("a_z", grad_z * (node.z * (1 - node.z)))  # (B5.7)
    grad_a_r = tap("a_r", grad_r * (node.r * (1 - node.r)))  # (B5.8)
    return {"a_r": grad_a_r, "a_z": grad_a_z, "n_x": grad_n_x, "n_h": grad_n_h, "h_prev": grad.h * node.z}


CELL = Cell(
    "gru",
    forward,
    backward,
    maps=(
        Affine(node="a_r", W="W_r", U="U_r", b="b_r"),
        Affine(node="a_z", W="W_z", U="U_z", b="b_z"),
        Affine(node="n_x", W=None, U="U_n", b="b_n"),
        Affine(node="n_h", W="W_n", U=None, b="d_n"),
    ),
    keep="b_z",
    labels={
        **{"r": "F2.1", "z": "F2.2", "a_n": "F2.3", "n": "F2.4", "h": "F2.5", "grad_n": "B5.1", "grad_z": "B5.2"},
        **{"grad_a_n": "B5.3", "grad_r": "B5.4", "grad_n_x": "B5.5", "grad_n_h": "B5.6", "grad_a_z": "B5.7"},
        **{"grad_a_r": "B5.8"},
    },
    latex={
        "h_prev": r"\nabla h(t) \circ z(t)",
        "r": r"r(t) = \sigma(a_r(t))",
        "z": r"z(t) = \sigma(a_z(t))",
        "a_n": r"a_n(t) = n_x(t) + r(t) \circ n_h(t)",
        "n": r"n(t) = \tanh a_n(t)",
        "h": r"h(t) = (1 - z(t)) \circ n(t) + z(t) \circ h(t-1)",
        "grad_n": r"\nabla n(t) = \nabla h(t) \circ (1 - z(t))",
        "grad_z": r"\nabla z(t) = \nabla h(t) \circ (h(t-1) - n(t))",
        "grad_a_n": r"\nabla a_n(t) = \nabla n(t) \circ (1 - n(t)^2)",
        "grad_r": r"\nabla r(t) = \nabla a_n(t) \circ n_h(t)",
        "grad_n_x": r"\nabla n_x(t) = \nabla a_n(t)",
        "grad_n_h": r"\nabla n_h(t) = \nabla a_n(t) \circ r(t)",
        "grad_a_z": r"\nabla a_z(t) = \nabla z(t) \circ z(t) \circ (1 - z(t))",
        "grad_a_r": r"\nabla a_r(t) = \nabla r(t) \circ r(t) \circ (1 - r(t))",
    },
)
