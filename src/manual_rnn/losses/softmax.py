r"""Softmax and negative log-likelihood, from the logits o(t) of each step: one of n_out classes.

.. math::
    \hat y(t) &= \operatorname{softmax} o(t) \\
    \ell(t) &= -\log \hat y_{y(t)}(t) = \log \textstyle\sum_k e^{o_k(t)} - o_{y(t)}(t) && \text{(F4)} \\
    \nabla o(t) &= \hat y(t) - 1_{y(t)} && \text{(B1)} \\
    R\{\nabla o(t)\} &= (\operatorname{diag} \hat y(t) - \hat y(t)\, \hat y(t)^\top)\, R\{o(t)\} && \text{(RB1)}

(F4) is equations 10.12–10.14 of Goodfellow, Bengio, Courville, *Deep Learning*; (B1) is 10.18. The largest logit
is taken off before the exponential, which changes neither line and lets nothing overflow. (RB1), for
:mod:`manual_rnn.ways.hessian`, is (B1) along a direction.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.loss import Loss, Targets


def forward(o: Array, y: Array, weights: Array) -> tuple[Array, Array]:
    """The weighted losses (T, B) and ŷ (T, B, n_out) of logits o (T, B, n_out) and target ids y (T, B)."""
    shifted = o - o.max(axis=-1, keepdims=True)
    of_target = np.take_along_axis(shifted, y[..., None], axis=-1)
    exponentials = np.exp(shifted, out=shifted)
    total = exponentials @ np.ones((o.shape[-1], 1), o.dtype)  # six times as quick as the method sum
    losses = weights * (np.log(total) - of_target)[..., 0]  # (F4)
    return losses, np.divide(exponentials, total, out=exponentials)


def backward(y_hat: Array, y: Array, weights: Array) -> Array:
    """∇o (T, B, n_out), the gradient of the weighted loss with respect to the logits."""
    grad_o = weights[..., None] * y_hat
    rows, of_target = grad_o.reshape(-1, grad_o.shape[-1]), y.ravel()
    rows[np.arange(len(rows)), of_target] -= weights.ravel()  # (B1) the one of 1_{y(t)}: all other classes keep w ŷ
    return grad_o


def tangent(y_hat: Array, R_o: Array, weights: Array) -> Array:
    """R{∇o} (T, B, n_out), how the gradient of the weighted loss moves as the logits move by R{o}."""
    mean = (y_hat * R_o).sum(axis=-1, keepdims=True)
    R_grad_o: Array = weights[..., None] * y_hat * (R_o - mean)  # (RB1)
    return R_grad_o


LOSS = Loss(
    name="softmax",
    words="−log softmax(o(t)) at the target y(t)",
    forward=forward,
    backward=backward,
    tangent=tangent,
    targets=Targets(ids=True),
    latex={
        "loss": r"\ell(t) = -\log \operatorname{softmax}(o(t))_{y(t)}, \quad L = \sum_t \ell(t)",
        "grad_o": r"\nabla o(t) = \hat y(t) - 1_{y(t)}",
    },
)
