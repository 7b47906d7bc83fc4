r"""Softmax and negative log-likelihood, from the logits o(t) of each step.

.. math::
    \hat y(t) &= \operatorname{softmax} o(t) \\
    \ell(t) &= -\log \hat y_{y(t)}(t) = \log \textstyle\sum_k e^{o_k(t)} - o_{y(t)}(t) && \text{(F4)} \\
    \nabla o(t) &= \hat y(t) - 1_{y(t)} && \text{(B1)}

(F4) is equations 10.12–10.14 of Goodfellow, Bengio, Courville, *Deep Learning*; (B1) is 10.18. The largest logit
is taken off before the exponential, which changes neither line and lets nothing overflow.

The loss is a sum over time and batch, $L = \sum_{t,b} w(t,b)\,\ell(t,b)$, with all weights one unless they are
given: zeros leave steps out (the loss of the last step, ragged lengths), 1/(TB) is the mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from manual_rnn.cell import Array


def weights_for(reduction: str, T: int, B: int, dtype: npt.DTypeLike) -> Array:
    """The weights (T, B) of a named reduction: "sum", "mean" over time and batch, or the "last" step's sum."""
    weights: Array = np.ones((T, B), dtype)
    if reduction == "sum":
        return weights
    if reduction == "mean":
        weights /= T * B
        return weights
    if reduction == "last":
        weights[:-1] = 0
        return weights
    raise ValueError(f"reduction is {reduction!r}; it is one of 'sum', 'mean' and 'last'.")


def forward(o: Array, y: Array, weights: Array) -> tuple[Array, Array]:
    """The weighted losses (T, B) and ŷ (T, B, n_out) of logits o (T, B, n_out) and target ids y (T, B)."""
    shifted = o - o.max(axis=-1, keepdims=True)
    of_target = np.take_along_axis(shifted, y[..., None], axis=-1)
    exponentials = np.exp(shifted, out=shifted)
    total = exponentials.sum(axis=-1, keepdims=True)
    losses = weights * (np.log(total) - of_target)[..., 0]  # (F4)
    return losses, np.divide(exponentials, total, out=exponentials)


def backward(y_hat: Array, y: Array, weights: Array) -> Array:
    """∇o (T, B, n_out), the gradient of the weighted loss with respect to the logits."""
    grad_o = weights[..., None] * y_hat
    steps, rows = np.ogrid[: y.shape[0], : y.shape[1]]
    grad_o[steps, rows, y] -= weights  # (B1) the one of 1_{y(t)}: all other classes keep w ŷ
    return grad_o
