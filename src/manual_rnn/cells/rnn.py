r"""The vanilla recurrent network (Elman 1990) with tanh, and the gradients of its parameters, derived by hand.

Forward, for t = 1 … τ, in the order of execution. Beside our number stands the one of Goodfellow, Bengio,
Courville, *Deep Learning*, chapter 10, and the file that holds the line:

.. math::
    a(t)    &= b + W h(t-1) + U x(t)                            && \text{F1, 10.8, affine.py and bptt.py} \\
    h(t)    &= \tanh a(t)                                       && \text{F2, 10.9, here} \\
    o(t)    &= c + V h(t)                                       && \text{F3, 10.10, readout.py} \\
    \ell(t) &= -\log \operatorname{softmax}(o(t))_{y(t)}, \quad L = \sum_t \ell(t)
                                                                && \text{F4, 10.11–10.14, losses/softmax.py}

Backward. ∇v stands for ∂L/∂v and has the shape of v. The loss reaches h(t) by two ways, through this step's
logits and through the next step's pre-activation, and gradients add where ways meet; a parameter is used at every
step, so its gradient is a sum over the steps:

.. math::
    \nabla o(t) &= \hat y(t) - 1_{y(t)}                         && \text{B1, 10.18, losses/softmax.py} \\
    \nabla c    &= \sum_t \nabla o(t)                           && \text{B2, 10.22, readout.py} \\
    \nabla V    &= \sum_t \nabla o(t)\, h(t)^\top               && \text{B3, 10.24, readout.py} \\
    \nabla h(t) &= V^\top \nabla o(t) + W^\top \nabla a(t+1), \quad \nabla a(\tau+1) = 0
                                                                && \text{B4, 10.19–10.21, bptt.py} \\
    \nabla a(t) &= \operatorname{diag}(1 - h(t)^2)\, \nabla h(t)  && \text{B5, here} \\
    \nabla b    &= \sum_t \nabla a(t)                           && \text{B6, 10.23, bptt.py} \\
    \nabla W    &= \sum_t \nabla a(t)\, h(t-1)^\top             && \text{B7, 10.25–10.26, bptt.py} \\
    \nabla U    &= \sum_t \nabla a(t)\, x(t)^\top               && \text{B8, 10.27–10.28, bptt.py} \\
    \nabla x(t) &= U^\top \nabla a(t)                           && \text{B9, bptt.py} \\
    \nabla h(0) &= W^\top \nabla a(1)                           && \text{B10, bptt.py}
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array, Cell, Nodes, Tap


def forward(node: Nodes, prev: Nodes, tap: Tap) -> dict[str, Array]:
    h = tap("h", np.tanh(node.a))  # (F2)
    return {"h": h}


def backward(node: Nodes, prev: Nodes, grad: Nodes, tap: Tap) -> dict[str, Array]:
    # 1 − h² as a product: where h is close to one, 1 − h is exact and h² is not.
    grad_a = tap("a", (1 - node.h) * (1 + node.h) * grad.h)  # (B5)
    return {"a": grad_a}


CELL = Cell(
    "rnn",
    forward,
    backward,
    labels={"h": "F2", "grad_a": "B5"},
    latex={
        "h": r"h(t) = \tanh a(t)",
        "grad_a": r"\nabla a(t) = \operatorname{diag}(1 - h(t)^2)\, \nabla h(t)",
    },
)
