r"""The vanilla recurrent network with rectified linear units (Le, Jaitly, Hinton 2015, where W starts as 1).

All equations are those of :mod:`manual_rnn.cells.rnn`, under the same numbers, but two:

.. math::
    h(t)        &= \max(a(t), 0)                                          && \text{F2, here} \\
    \nabla a(t) &= \operatorname{diag}(1_{a(t) > 0})\, \nabla h(t)        && \text{B5, here}

At a = 0 there is no derivative; zero is taken, as JAX and PyTorch do.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array, Cell, Nodes, Tap


def forward(node: Nodes, prev: Nodes, tap: Tap) -> dict[str, Array]:
    h = tap("h", np.where(node.a > 0, node.a, 0))  # (F2)
    return {"h": h}


def backward(node: Nodes, prev: Nodes, grad: Nodes, tap: Tap) -> dict[str, Array]:
    grad_a = tap("a", np.where(node.a > 0, grad.h, 0))  # (B5)
    return {"a": grad_a}


CELL = Cell(
    "rnn_relu",
    forward,
    backward,
    labels={"h": "F2", "grad_a": "B5"},
    kinks=("a",),
    latex={
        "h": r"h(t) = \max(a(t), 0)",
        "grad_a": r"\nabla a(t) = \operatorname{diag}(1_{a(t) > 0})\, \nabla h(t)",
    },
)
