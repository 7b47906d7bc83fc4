r"""The way back through a QR decomposition: the gradient of a matrix from those of the two that it is taken apart into.

.. math::
    Z = Q R, \qquad Q^\top Q = 1, \qquad R \text{ upper triangular}, \qquad Z \text{ is } n \times k,\ k \le n
    \qquad\text{(Q1)}

Forward, when Z moves by dZ: dZ = dQ R + Q dR, and with X = Qᵀ dQ, which is skew as Qᵀ Q stays 1,

.. math::
    Q^\top dZ\, R^{-1} &= X + dR\, R^{-1}                                                         && \text{Q2} \\
    dQ &= (dZ - Q\, dR)\, R^{-1}                                                                  && \text{Q3}

The second term of Q2 is upper triangular, so below the diagonal all is X, and X being skew, that is all of X.

Back: ∇Z is what makes ⟨∇Z, dZ⟩ = ⟨∇Q, dQ⟩ + ⟨∇R, dR⟩ for every dZ. Q2 and Q3 put into it, with sym L what has the
lower triangle of L, its diagonal included, on both sides of the diagonal:

.. math::
    M        &= R\, \nabla R^\top - \nabla Q^\top Q                                               && \text{Q4} \\
    \nabla Z &= \bigl(\nabla Q + Q \operatorname{sym} M\bigr) R^{-\top}                           && \text{Q5}

S. F. Walter, L. Lehmann, *Algorithmic differentiation of linear algebra functions with application in optimum
experimental design*, 2010; M. Seeger and others, *Auto-differentiating linear algebra*, 2017, who call sym
``copyltu``. The signs of R's diagonal, which LAPACK leaves as they come, do not matter to it.

Where a diagonal entry of R is near zero there is no derivative to speak of: Z's columns are nearly dependent, the
direction of the next one is rounding, and the errors grow as 1/R_ii.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array


def forward(Z: Array) -> tuple[Array, Array]:
    """Q (..., n, k) and R (..., k, k) of each Z (..., n, k), k at most n."""
    Q, R = np.linalg.qr(Z)  # (Q1)
    return Q, R


def backward(Q: Array, R: Array, grad_Q: Array, grad_R: Array) -> Array:
    """∇Z (..., n, k) from Q, R, and their gradients in the same shapes; what ∇R has below its diagonal is no matter."""
    M = R @ grad_R.mT - grad_Q.mT @ Q  # (Q4)
    from_both = grad_Q + Q @ sym(M)
    grad_Z: Array = np.linalg.solve(R, from_both.mT).mT  # (Q5); R is triangular, so its LU decomposition is R itself
    return grad_Z


def sym(M: Array) -> Array:
    """The lower triangle of M (..., k, k) on both sides of the diagonal."""
    return np.tril(M) + np.tril(M, -1).mT
