r"""Binary cross-entropy from the logits o(t): n_out independent yes-or-no answers at each step, y(t) in [0, 1].

With the logistic function σ, ŷ(t) = σ(o(t)) and 1 − ŷ(t) = σ(−o(t)):

.. math::
    \ell(t) &= -\textstyle\sum_k \bigl( y_k \log \hat y_k + (1 - y_k) \log (1 - \hat y_k) \bigr) \\
            &= \textstyle\sum_k \log(1 + e^{-|o_k|}) + |o_k| \cdot \begin{cases} 1 - y_k & o_k > 0 \\ y_k & o_k \le 0
               \end{cases} && \text{(F4)} \\
    \nabla o(t) &= \hat y(t) - y(t) = (1 - y(t)) \circ \sigma(o(t)) - y(t) \circ \sigma(-o(t)) && \text{(B1)} \\
    R\{\nabla o(t)\} &= \sigma(o(t)) \circ \sigma(-o(t)) \circ R\{o(t)\} && \text{(RB1)}

The first line is equation 5.23 of Bishop, *Pattern Recognition and Machine Learning*, at one step; (B1) is 5.18, which
holds for it too. The second line follows with −log σ(o) = log(1 + e^{−|o|}) + max(−o, 0): in it nothing overflows, no
logarithm of a rounded ŷ is taken, and no term is taken off another. So is (B1) in its second form: where ŷ rounds to
one, ŷ − 1 is zero, and −σ(−o) still has all its digits. (RB1), for :mod:`manual_rnn.ways.hessian`, is (B1) along a
direction, ŷ(1 − ŷ) without the difference.
Measured on logits within ±80 with answers of yes and no, against 80-bit arithmetic: (F4) is off by 1.0 and (B1) by 1.3
units in the last place of their own value; ŷ − y by all of it, and autodiff of the first line by 16.

The sum runs over the n_out logits of a step, as PyTorch's ``BCEWithLogitsLoss(reduction="sum")`` has it.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.loss import Loss, Targets


def forward(o: Array, y: Array, weights: Array) -> tuple[Array, tuple[Array, Array]]:
    """The weighted losses (T, B) of logits o and targets y, both (T, B, n_out); and σ(o) and σ(−o)."""
    positive = o.real > 0
    size = np.where(positive, o, -o)  # |o|, analytic on either side: an imaginary step goes through
    small = np.exp(-size)
    losses = weights * (np.log1p(small) + size * np.where(positive, 1 - y, y)).sum(axis=-1)  # (F4)
    likely, unlikely = 1 / (1 + small), small / (1 + small)
    return losses, (np.where(positive, likely, unlikely), np.where(positive, unlikely, likely))


def backward(sides: tuple[Array, Array], y: Array, weights: Array) -> Array:
    """∇o (T, B, n_out), the gradient of the weighted loss with respect to the logits."""
    y_hat, otherwise = sides
    grad_o: Array = weights[..., None] * ((1 - y) * y_hat - y * otherwise)  # (B1)
    return grad_o


def tangent(sides: tuple[Array, Array], R_o: Array, weights: Array) -> Array:
    """R{∇o} (T, B, n_out), how the gradient of the weighted loss moves as the logits move by R{o}."""
    y_hat, otherwise = sides
    R_grad_o: Array = weights[..., None] * y_hat * otherwise * R_o  # (RB1)
    return R_grad_o


LOSS = Loss(
    name="bernoulli",
    words="the binary cross-entropy of σ(o(t)) and y(t)",
    forward=forward,
    backward=backward,
    tangent=tangent,
    targets=Targets(least=0, most=1),
    latex={
        "loss": r"\ell(t) = -\sum_k \bigl( y_k(t) \log \sigma(o_k(t)) + (1 - y_k(t)) \log \sigma(-o_k(t)) \bigr), "
        r"\quad L = \sum_t \ell(t)",
        "grad_o": r"\nabla o(t) = \sigma(o(t)) - y(t)",
    },
)
