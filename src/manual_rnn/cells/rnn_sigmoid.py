r"""The vanilla recurrent network with logistic units, as in the studies of Bengio, Simard, Frasconi 1994.

All equations are those of :mod:`manual_rnn.cells.rnn`, under the same numbers, but two:

.. math::
    h(t)        &= \sigma(a(t))                                       && \text{F2, here} \\
    \nabla a(t) &= \nabla h(t) \circ h(t) \circ (1 - h(t))            && \text{B5, here}

Its derivative is at most a quarter, so gradients vanish wherever ‖W‖₂ < 4 (Pascanu, Mikolov, Bengio 2013).
"""

from __future__ import annotations

from manual_rnn.activations import sigmoid
from manual_rnn.cell import Array, Cell, Nodes, Tap


def forward(node: Nodes, prev: Nodes, tap: Tap) -> dict[str, Array]:
    h = tap("h", sigmoid(node.a))  # (F2)
    return {"h": h}


def backward(node: Nodes, prev: Nodes, grad: Nodes, tap: Tap) -> dict[str, Array]:
    grad_a = tap("a", grad.h * (node.h * (1 - node.h)))  # (B5)
    return {"a": grad_a}


CELL = Cell(
    "rnn_sigmoid",
    forward,
    backward,
    labels={"h": "F2", "grad_a": "B5"},
    latex={
        "h": r"h(t) = \sigma(a(t))",
        "grad_a": r"\nabla a(t) = \nabla h(t) \circ h(t) \circ (1 - h(t))",
    },
)
