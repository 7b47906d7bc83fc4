r"""MinimalRNN (Chen 2017; Chen, Pennington, Schoenholz 2018): one gate, and no product of the candidate with the state.

The input is embedded first, z; the update gate u chooses by element between the state before and z. So the only way
back through time is u itself and the map of u.

.. math::
    a_z(t) &= b_z + U x(t)                                        && \text{F1, affine.py and maps.py} \\
    z(t)   &= \tanh a_z(t)                                        && \text{F2.1, here} \\
    a_u(t) &= b_u + W h(t-1) + Z z(t)                             && \text{F1} \\
    u(t)   &= \sigma(a_u(t))                                      && \text{F2.2, here} \\
    h(t)   &= u(t) \circ h(t-1) + (1 - u(t)) \circ z(t)           && \text{F2.3, here}

.. math::
    \nabla h(t)   &= V^\top \nabla o(t) + W^\top \nabla a_u(t+1) + \nabla h(t+1) \circ u(t+1)  && \text{B4, bptt.py} \\
    \nabla u(t)   &= \nabla h(t) \circ (h(t-1) - z(t))            && \text{B5.1, here} \\
    \nabla a_u(t) &= \nabla u(t) \circ u(t) \circ (1 - u(t))      && \text{B5.2, here} \\
    \nabla z(t)   &= \nabla h(t) \circ (1 - u(t)) + Z^\top \nabla a_u(t)    && \text{B5.3, here and bptt.py} \\
    \nabla a_z(t) &= \nabla z(t) \circ (1 - z(t)^2)               && \text{B5.4, here}

What is left, B6–B10, is as in :mod:`manual_rnn.cells.rnn`; ∇Z = Σ_t ∇a_u(t) z(t)ᵀ besides.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.activations import sigmoid
from manual_rnn.cell import Affine, Array, Cell, Nodes, Tap, Term


def forward(node: Nodes, prev: Nodes, tap: Tap) -> dict[str, Array]:
    z = tap("z", np.tanh(node.a_z))  # (F2.1)
    u = tap("u", sigmoid(node.a_u))  # (F2.2)
    h = tap("h", u * prev.h + (1 - u) * z)  # (F2.3)
    return {"h": h}


def backward(node: Nodes, prev: Nodes, grad: Nodes, tap: Tap) -> dict[str, Array]:
    grad_u = tap("u", grad.h * (prev.h - node.z))  # (B5.1)
    grad_a_u = tap("a_u", grad_u * (node.u * (1 - node.u)))  # (B5.2)
    grad_z = tap("z", grad.h * (1 - node.u) + grad.z)  # (B5.3)
    grad_a_z = tap("a_z", grad_z * ((1 - node.z) * (1 + node.z)))  # (B5.4)
    return {"a_z": grad_a_z, "a_u": grad_a_u, "h_prev": grad.h * node.u}


CELL = Cell(
    "minimal_rnn",
    forward,
    backward,
    maps=(
        Affine(node="a_z", W=None, U="U", b="b_z"),
        Affine(node="a_u", W="W", U=None, b="b_u", more=(Term(weight="Z", of="z", now=True),)),
    ),
    keep="b_u",
    labels={
        **{"z": "F2.1", "u": "F2.2", "h": "F2.3"},
        **{"grad_u": "B5.1", "grad_a_u": "B5.2", "grad_z": "B5.3", "grad_a_z": "B5.4"},
    },
    latex={
        "h_prev": r"\nabla h(t) \circ u(t)",
        "z": r"z(t) = \tanh a_z(t)",
        "u": r"u(t) = \sigma(a_u(t))",
        "h": r"h(t) = u(t) \circ h(t-1) + (1 - u(t)) \circ z(t)",
        "grad_u": r"\nabla u(t) = \nabla h(t) \circ (h(t-1) - z(t))",
        "grad_a_u": r"\nabla a_u(t) = \nabla u(t) \circ u(t) \circ (1 - u(t))",
        "grad_z": r"\nabla z(t) = \nabla h(t) \circ (1 - u(t)) + Z^\top \nabla a_u(t)",
        "grad_a_z": r"\nabla a_z(t) = \nabla z(t) \circ (1 - z(t)^2)",
    },
)
