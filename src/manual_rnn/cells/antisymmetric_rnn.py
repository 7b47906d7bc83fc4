r"""AntisymmetricRNN (Chang, Chen, Haber, Chi 2019): a step of a differential equation that neither grows nor dies.

The weight of the state is not a parameter but made of one: W = A − Aᵀ − γ1 has eigenvalues on the line Re λ = −γ, so
that the Jacobian of a step of size ε is near the identity.

.. math::
    W      &= A - A^\top - \gamma 1                               && \text{F0, here} \\
    a(t)   &= b + W h(t-1) + U x(t)                               && \text{F1, affine.py and maps.py} \\
    h(t)   &= h(t-1) + \varepsilon \tanh a(t)                     && \text{F2, here}

.. math::
    \nabla h(t) &= V^\top \nabla o(t) + W^\top \nabla a(t+1) + \nabla h(t+1)    && \text{B4, bptt.py} \\
    \nabla a(t) &= \varepsilon\, \operatorname{diag}(1 - \tanh^2 a(t))\, \nabla h(t)    && \text{B5, here} \\
    \nabla W    &= \sum_t \nabla a(t)\, h(t-1)^\top               && \text{B7, bptt.py} \\
    \nabla A    &= \nabla W - \nabla W^\top                       && \text{B7.1, here}

ε = 0.1 and γ = 0.01. What is left, B6–B10, is as in :mod:`manual_rnn.cells.rnn`.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Affine, Array, Cell, Derived, Nodes, Tap

STEP = 0.1
"""ε, the length of the Euler step."""
DIFFUSION = 0.01
"""γ, what is taken from the diagonal so that the discrete step is stable too."""


def weight(A: Array) -> Array:
    return A - A.T - DIFFUSION * np.eye(len(A), dtype=A.dtype)  # (F0)


def weight_back(A: Array, W: Array, grad_W: Array) -> Array:
    return grad_W - grad_W.T  # (B7.1)


def start(rng: np.random.Generator, n: int, gain: float) -> Array:
    """Entries from N(0, g²/2n), so that those of A − Aᵀ have the variance g²/n, as in the vanilla network's W."""
    return np.asarray(gain / np.sqrt(2 * n) * rng.standard_normal((n, n)))


def forward(node: Nodes, prev: Nodes, tap: Tap) -> dict[str, Array]:
    h = tap("h", prev.h + STEP * np.tanh(node.a))  # (F2)
    return {"h": h}


def backward(node: Nodes, prev: Nodes, grad: Nodes, tap: Tap) -> dict[str, Array]:
    s = np.tanh(node.a)
    grad_a = tap("a", STEP * ((1 - s) * (1 + s)) * grad.h)  # (B5)
    return {"a": grad_a, "h_prev": grad.h}


CELL = Cell(
    "antisymmetric_rnn",
    forward,
    backward,
    maps=(Affine(),),
    weights=(Derived(name="W", of="A", forward=weight, backward=weight_back, start=start),),
    labels={"W": "F0", "h": "F2", "grad_a": "B5", "grad_A": "B7.1"},
    latex={
        "h_prev": r"\nabla h(t)",
        "W": r"W = A - A^\top - \gamma 1",
        "h": r"h(t) = h(t-1) + \varepsilon \tanh a(t)",
        "grad_a": r"\nabla a(t) = \varepsilon\, \operatorname{diag}(1 - \tanh^2 a(t))\, \nabla h(t)",
        "grad_A": r"\nabla A = \nabla W - \nabla W^\top",
    },
)
