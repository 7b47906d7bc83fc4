r"""Long short-term memory (Hochreiter, Schmidhuber 1997) with forget gate (Gers, Schmidhuber, Cummins 2000).

What is carried is c, which each step scales and adds to, and does not squash; gates i, f, o in (0, 1) say what is
written, kept and shown. Without peepholes (:mod:`manual_rnn.cells.lstm_peephole` has them); the four affine maps are
PyTorch's i, f, g, o, each with a name of its own.

Forward, in the order of execution; ∘ is the product by element, σ the logistic function, and the readout and the loss
are those of :mod:`manual_rnn.cells.rnn`:

.. math::
    a_k(t) &= b_k + W_k h(t-1) + U_k x(t), \quad k = i, f, g, o   && \text{F1, affine.py and maps.py} \\
    i(t)   &= \sigma(a_i(t))                                      && \text{F2.1, here} \\
    f(t)   &= \sigma(a_f(t))                                      && \text{F2.2, here} \\
    g(t)   &= \tanh a_g(t)                                        && \text{F2.3, here} \\
    c(t)   &= f(t) \circ c(t-1) + i(t) \circ g(t)                 && \text{F2.4, here} \\
    s(t)   &= \tanh c(t)                                          && \text{F2.5, here} \\
    o(t)   &= \sigma(a_o(t))                                      && \text{F2.6, here} \\
    h(t)   &= o(t) \circ s(t)                                     && \text{F2.7, here}

Backward. The loss reaches c(t) by two ways, through this step's h(t) and through the next step's c(t+1):

.. math::
    \nabla h(t) &= V^\top \nabla o_{\text{readout}}(t) + \sum_k W_k^\top \nabla a_k(t+1)  && \text{B4, bptt.py} \\
    \nabla o(t)   &= \nabla h(t) \circ s(t)                                 && \text{B5.1, here} \\
    \nabla a_o(t) &= \nabla o(t) \circ o(t) \circ (1 - o(t))                && \text{B5.2, here} \\
    \nabla s(t)   &= \nabla h(t) \circ o(t)                                 && \text{B5.3, here} \\
    \nabla c(t)   &= \nabla s(t) \circ (1 - s(t)^2) + \nabla c(t+1) \circ f(t+1)   && \text{B5.4, here} \\
    \nabla i(t)   &= \nabla c(t) \circ g(t)                                 && \text{B5.5, here} \\
    \nabla f(t)   &= \nabla c(t) \circ c(t-1)                               && \text{B5.6, here} \\
    \nabla g(t)   &= \nabla c(t) \circ i(t)                                 && \text{B5.7, here} \\
    \nabla a_i(t) &= \nabla i(t) \circ i(t) \circ (1 - i(t))                && \text{B5.8, here} \\
    \nabla a_f(t) &= \nabla f(t) \circ f(t) \circ (1 - f(t))                && \text{B5.9, here} \\
    \nabla a_g(t) &= \nabla g(t) \circ (1 - g(t)^2)                         && \text{B5.10, here}

and for each k, ∇b_k, ∇W_k, ∇U_k, ∇x and ∇h(0) as B6–B10 of the vanilla network; ∇c(0) = ∇c(1) ∘ f(1).

On a network's tape the gate o and the state c are ``cell.o`` and ``cell.c``: o is the logits there, and c their bias.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.activations import sigmoid
from manual_rnn.cell import Affine, Array, Cell, Nodes, Tap


def forward(node: Nodes, prev: Nodes, tap: Tap) -> dict[str, Array]:
    i = tap("i", sigmoid(node.a_i))  # (F2.1)
    f = tap("f", sigmoid(node.a_f))  # (F2.2)
    g = tap("g", np.tanh(node.a_g))  # (F2.3)
    c = tap("c", f * prev.c + i * g)  # (F2.4)
    s = tap("s", np.tanh(c))  # (F2.5)
    o = tap("o", sigmoid(node.a_o))  # (F2.6)
    h = tap("h", o * s)  # (F2.7)
    return {"h": h, "c": c}


def backward(node: Nodes, prev: Nodes, grad: Nodes, tap: Tap) -> dict[str, Array]:
    grad_o = tap("o", grad.h * node.s)  # (B5.1)
    grad_a_o = tap("a_o", grad_o * (node.o * (1 - node.o)))  # (B5.2)
    grad_s = tap("s", grad.h * node.o)  # (B5.3)
    grad_c = tap("c", grad_s * ((1 - node.s) * (1 + node.s)) + grad.c)  # (B5.4)
    grad_i = tap("i", grad_c * node.g)  # (B5.5)
    grad_f = tap("f", grad_c * prev.c)  # (B5.6)
    grad_g = tap("g", grad_c * node.i)  # (B5.7)
    grad_a_i = tap("a_i", grad_i * (node.i * (1 - node.i)))  # (B5.8)
    grad_a_f = tap("a_f", grad_f * (node.f * (1 - node.f)))  # (B5.9)
    grad_a_g = tap("a_g", grad_g * ((1 - node.g) * (1 + node.g)))  # (B5.10)
    return {"a_i": grad_a_i, "a_f": grad_a_f, "a_g": grad_a_g, "a_o": grad_a_o, "c_prev": grad_c * node.f}


CELL = Cell(
    "lstm",
    forward,
    backward,
    maps=tuple(Affine(node=f"a_{k}", W=f"W_{k}", U=f"U_{k}", b=f"b_{k}") for k in "ifgo"),
    states=("h", "c"),
    keep="b_f",
    write="b_i",
    labels={
        **{"i": "F2.1", "f": "F2.2", "g": "F2.3", "cell.c": "F2.4", "s": "F2.5", "cell.o": "F2.6", "h": "F2.7"},
        **{"grad_cell.o": "B5.1", "grad_a_o": "B5.2", "grad_s": "B5.3", "grad_cell.c": "B5.4", "grad_i": "B5.5"},
        **{"grad_f": "B5.6", "grad_g": "B5.7", "grad_a_i": "B5.8", "grad_a_f": "B5.9", "grad_a_g": "B5.10"},
    },
    latex={
        "c_prev": r"\nabla c(t) \circ f(t)",
        "i": r"i(t) = \sigma(a_i(t))",
        "f": r"f(t) = \sigma(a_f(t))",
        "g": r"g(t) = \tanh a_g(t)",
        "cell.o": r"o(t) = \sigma(a_o(t))",
        "cell.c": r"c(t) = f(t) \circ c(t-1) + i(t) \circ g(t)",
        "s": r"s(t) = \tanh c(t)",
        "h": r"h(t) = o(t) \circ s(t)",
        "grad_s": r"\nabla s(t) = \nabla h(t) \circ o(t)",
        "grad_cell.c": r"\nabla c(t) = \nabla s(t) \circ (1 - s(t)^2) + \nabla c(t+1) \circ f(t+1)",
        "grad_cell.o": r"\nabla o(t) = \nabla h(t) \circ s(t)",
        "grad_i": r"\nabla i(t) = \nabla c(t) \circ g(t)",
        "grad_f": r"\nabla f(t) = \nabla c(t) \circ c(t-1)",
        "grad_g": r"\nabla g(t) = \nabla c(t) \circ i(t)",
        "grad_a_i": r"\nabla a_i(t) = \nabla i(t) \circ i(t) \circ (1 - i(t))",
        "grad_a_f": r"\nabla a_f(t) = \nabla f(t) \circ f(t) \circ (1 - f(t))",
        "grad_a_o": r"\nabla a_o(t) = \nabla o(t) \circ o(t) \circ (1 - o(t))",
        "grad_a_g": r"\nabla a_g(t) = \nabla g(t) \circ (1 - g(t)^2)",
    },
)
