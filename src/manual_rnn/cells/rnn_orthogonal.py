r"""The vanilla network whose W stays orthogonal: a product of Householder reflections (Mhammedi et al. 2017).

Each row of the parameter Y is a vector v_k, and W is the product of the reflections on their mirrors. Orthogonal for
any Y that has no row of zeros, so a gradient step cannot leave the orthogonal matrices. (With n reflections, the
determinant is (−1)ⁿ.)

.. math::
    W   &= \prod_k \left(1 - 2\, \frac{v_k v_k^\top}{v_k^\top v_k}\right) = P_1, \\
    P_k &= (1 - 2 u_k u_k^\top)\, P_{k+1}, \quad u_k = v_k / |v_k|, \quad P_{n+1} = 1    && \text{F0, here}

Backward, from the first reflection to the last. With G_1 = ∇W, what P_k has received is G_k:

.. math::
    \nabla u_k &= -2\,(P_{k+1} G_k^\top u_k + G_k P_{k+1}^\top u_k)    && \text{B7.1, here} \\
    \nabla v_k &= (\nabla u_k - (u_k \cdot \nabla u_k)\, u_k) / |v_k| && \text{B7.2, here} \\
    G_{k+1}    &= (1 - 2 u_k u_k^\top)\, G_k                           && \text{B7.3, here}

P_{k+1} is found again as (1 − 2 u_k u_kᵀ) P_k, a reflection being its own inverse. All other equations are those of
:mod:`manual_rnn.cells.rnn`, under the same numbers. Householder's product and not Cayley's transform, because it needs
no solver, and so runs in every format, 80 bits and complex numbers included.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from manual_rnn.cell import Affine, Array, Derived
from manual_rnn.cells import rnn


def _unit(v: Array) -> tuple[Array, Array]:
    length = np.sqrt((v * v).sum())
    return v / length, length


def _reflected(u: Array, M: Array) -> Array:
    """(1 − 2 u uᵀ) M."""
    reflected: Array = M - 2 * np.outer(u, u @ M)
    return reflected


def weight(Y: Array) -> Array:
    P = np.eye(len(Y), dtype=Y.dtype)
    for v in Y[::-1]:
        P = _reflected(_unit(v)[0], P)  # (F0)
    return P


def weight_back(Y: Array, W: Array, grad_W: Array) -> Array:
    grad_Y = np.empty_like(Y)
    P, G = W, grad_W
    for k, v in enumerate(Y):
        u, length = _unit(v)
        P = _reflected(u, P)
        grad_u = -2 * (P @ (u @ G) + G @ (u @ P))  # (B7.1)
        grad_Y[k] = (grad_u - (u @ grad_u) * u) / length  # (B7.2)
        G = _reflected(u, G)  # (B7.3)
    return grad_Y


def start(rng: np.random.Generator, n: int, gain: float) -> Array:
    """Y with which W is uniform over the orthogonal matrices of determinant (−1)ⁿ (Stewart 1980), whatever the gain.

    Row k is zero before the diagonal, and its mirror takes the k-th unit vector to a direction that is uniform in what
    the rows before have left. Independent directions for all rows would leave e⁻² of the identity in W.
    """
    Y = np.triu(rng.standard_normal((n, n)))
    lengths = np.sqrt((Y * Y).sum(axis=1))
    np.fill_diagonal(Y, Y.diagonal() - lengths)
    Y[-1, -1] = 1.0  # in one dimension there is one mirror
    return np.asarray(Y / np.sqrt((Y * Y).sum(axis=1, keepdims=True)))


CELL = replace(
    rnn.CELL,
    name="rnn_orthogonal",
    maps=(Affine(),),
    weights=(Derived(name="W", of="Y", forward=weight, backward=weight_back, start=start),),
    labels={**rnn.CELL.labels, "W": "F0", "grad_Y": "B7.2"},
    latex={
        **rnn.CELL.latex,
        "W": r"W = \prod_k \left(1 - 2\, \frac{v_k v_k^\top}{v_k^\top v_k}\right)",
        "grad_Y": r"\nabla v_k = (\nabla u_k - (u_k \cdot \nabla u_k)\, u_k) / |v_k|",
    },
)
