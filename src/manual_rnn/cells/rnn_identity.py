r"""The linear recurrent network: no activation between the steps, so the theory of its gradients is exact.

All equations are those of :mod:`manual_rnn.cells.rnn`, under the same numbers, but two:

.. math::
    h(t)        &= a(t)          && \text{F2, here} \\
    \nabla a(t) &= \nabla h(t)   && \text{B5, here}

so that ∂h(t)/∂h(t−k) is the k-th power of W (Saxe, McClelland, Ganguli 2014, for deep linear networks).
"""

from __future__ import annotations

from manual_rnn.cell import Array, Cell, Nodes, Tap


def forward(node: Nodes, prev: Nodes, tap: Tap) -> dict[str, Array]:
    h = tap("h", node.a)  # (F2)
    return {"h": h}


def backward(node: Nodes, prev: Nodes, grad: Nodes, tap: Tap) -> dict[str, Array]:
    grad_a = tap("a", grad.h)  # (B5)
    return {"a": grad_a}


CELL = Cell(
    "rnn_identity",
    forward,
    backward,
    labels={"h": "F2", "grad_a": "B5"},
    latex={
        "h": r"h(t) = a(t)",
        "grad_a": r"\nabla a(t) = \nabla h(t)",
    },
)
