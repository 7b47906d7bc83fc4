"""The softmax loss as the judge knows it."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.losses import softmax
from manual_rnn.testing.losses import JudgedLoss
from manual_rnn.testing.mistakes.formula import Formula, symbol
from manual_rnn.testing.mistakes.terms import Given, Quantities


def scales(o: Array, y: Array, weights: Array) -> tuple[Array, Array]:
    """Scales of the loss, log Σ e^{o−m} + m − o_y with the largest logit m, and of ∇o = w (ŷ − 1_y).

    Σ e^{o−m} lies in [1, n]: its rounding is an error of the size of one in the logarithm. That of o − m is an error
    in proportion to |o| + |m| in the exponential.
    """
    _, y_hat = softmax.forward(o, y, np.ones_like(weights))
    largest = np.abs(o.max(axis=-1, keepdims=True))
    of_target = np.abs(np.take_along_axis(o, y[..., None], axis=-1))
    value = weights * (1 + log(o.shape[-1]) + largest + of_target)[..., 0]
    gradient = weights[..., None] * y_hat * (1 + np.abs(o) + largest)
    steps, rows = np.ogrid[: y.shape[0], : y.shape[1]]
    gradient[steps, rows, y] += weights
    return value, gradient


def _y_hat(known: Quantities, t: int) -> Array:
    at_t = slice(t, t + 1)
    _, y_hat = softmax.forward(known.nodes["o"][at_t], known.case.y[at_t], known.case.weights[at_t])
    return np.asarray(y_hat[0])


def _one_hot(known: Quantities, t: int) -> Array:
    return np.asarray(np.eye(known.case.spec.sizes.n_out, dtype=known.x.dtype)[known.case.y[t]])


def _log_sum(known: Quantities, t: int) -> Array:
    return np.asarray(np.log(np.exp(known.nodes["o"][t]).sum(-1)))


def _of_target(known: Quantities, t: int) -> Array:
    return np.asarray(-(known.nodes["o"][t] * _one_hot(known, t)).sum(-1))


def _over_batch(known: Quantities, t: int) -> Array:
    o = known.nodes["o"][t]
    exponentials = np.exp(o - o.max(-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum())


def _weight(known: Quantities, t: int) -> Array:
    return np.asarray(known.case.weights[t][:, None])


def unshifted(equation: str) -> Iterator[Formula]:
    """The softmax of o(t) as it is: right until a logit is so large that its exponential is no number any more."""
    words = f"{symbol(equation)}: the largest logit is not taken off before the exponential, which overflows."

    def in_logarithm(known: Quantities) -> Array:
        return np.stack([known.case.weights[t] * (_log_sum(known, t) + _of_target(known, t)) for t in known.rows])

    def of_y_hat(known: Quantities) -> Array:
        hit = [(_overflowing(known, t) * _one_hot(known, t)).sum(-1) for t in known.rows]
        return np.stack([-known.case.weights[t] * np.log(y_hat) for t, y_hat in zip(known.rows, hit, strict=True)])

    def gradient(known: Quantities) -> Array:
        return np.stack([_weight(known, t) * (_overflowing(known, t) - _one_hot(known, t)) for t in known.rows])

    for value in {"loss": (in_logarithm, of_y_hat), "grad_o": (gradient,)}.get(equation, ()):
        yield Formula(words, value)


def _overflowing(known: Quantities, t: int) -> Array:
    exponentials = np.exp(known.nodes["o"][t])
    return np.asarray(exponentials / exponentials.sum(-1, keepdims=True))


JUDGED = JudgedLoss(
    scales=scales,
    terms={
        "loss": [
            Given("w(t) log Σ e^o(t)", lambda known, t: known.case.weights[t] * _log_sum(known, t)),
            Given("−w(t) o_y(t)", lambda known, t: known.case.weights[t] * _of_target(known, t)),
        ],
        "grad_o": [
            Given("w(t) ŷ(t)", lambda known, t: _weight(known, t) * _y_hat(known, t)),
            Given("−w(t) 1_y(t)", lambda known, t: -_weight(known, t) * _one_hot(known, t)),
        ],
    },
    instead={
        "loss": [
            Given("log Σ e^o(t)", _log_sum),
            Given("−o_y(t)", _of_target),
            Given("w(t) max o(t)", lambda known, t: known.case.weights[t] * known.nodes["o"][t].max(-1)),
        ],
        "grad_o": [
            Given("ŷ(t)", _y_hat),
            Given("−1_y(t)", lambda known, t: -_one_hot(known, t)),
            Given("w(t) o(t)", lambda known, t: _weight(known, t) * known.nodes["o"][t]),
            Given("w(t) ŷ(t) normalised over the batch", lambda known, t: _weight(known, t) * _over_batch(known, t)),
        ],
    },
    formulas=unshifted,
)
