r"""Squared error: the readout o(t) itself is the prediction, the targets y(t) are real numbers.

.. math::
    r(t) &= o(t) - y(t) \\
    \ell(t) &= \tfrac12 \textstyle\sum_k r_k(t)^2 && \text{(F4)} \\
    \nabla o(t) &= r(t) && \text{(B1)} \\
    R\{\nabla o(t)\} &= R\{o(t)\} && \text{(RB1)}

(F4) is equation 5.11 of Bishop, *Pattern Recognition and Machine Learning*, at one step: up to a constant the negative
log-likelihood of a Gaussian of unit variance around o(t). (B1) is 5.18; the ½ is there so that the 2 of the derivative
goes. (RB1) is (B1) along a direction, for :mod:`manual_rnn.ways.hessian`. The sum runs over the n_out numbers of a
step, so PyTorch's ``MSELoss(reduction="sum")`` is twice this loss, and its mean divides by n_out besides.
"""

from __future__ import annotations

from manual_rnn.cell import Array
from manual_rnn.loss import Loss, Targets


def forward(o: Array, y: Array, weights: Array) -> tuple[Array, Array]:
    """The weighted losses (T, B) and the residuals (T, B, n_out) of readouts o and targets y, both (T, B, n_out)."""
    residual = o - y
    losses = weights * ((residual * residual).sum(axis=-1) / 2)  # (F4)
    return losses, residual


def backward(residual: Array, y: Array, weights: Array) -> Array:
    """∇o (T, B, n_out), the gradient of the weighted loss with respect to the readout."""
    grad_o: Array = weights[..., None] * residual  # (B1)
    return grad_o


def tangent(residual: Array, R_o: Array, weights: Array) -> Array:
    """R{∇o} (T, B, n_out), how the gradient of the weighted loss moves as the readout moves by R{o}."""
    R_grad_o: Array = weights[..., None] * R_o  # (RB1)
    return R_grad_o


LOSS = Loss(
    name="squared",
    words="½ Σ (o(t) − y(t))²",
    forward=forward,
    backward=backward,
    tangent=tangent,
    targets=Targets(),
    latex={
        "loss": r"\ell(t) = \tfrac12 \sum_k (o_k(t) - y_k(t))^2, \quad L = \sum_t \ell(t)",
        "grad_o": r"\nabla o(t) = o(t) - y(t)",
    },
)
