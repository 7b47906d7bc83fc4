r"""What the theory needs of an activation φ: the means of its square and of powers of its slope, u ~ N(0, q).

.. math::
    m(q) &= E[\phi(u)^2] \qquad \mu_1(q) = E[\phi'(u)^2] \qquad \mu_2(q) = E[\phi'(u)^4]   && \text{(A1)} \\
    \tanh:  \quad & \text{no closed form: quadrature, with } \tanh' = \operatorname{sech}^2 && \text{(A2)} \\
    \text{ReLU}: \quad & m = q/2, \quad \mu_1 = \mu_2 = 1/2 \quad \text{(half is above zero)}  && \text{(A3)} \\
    \text{linear}: \quad & m = q, \quad \mu_1 = \mu_2 = 1                                   && \text{(A4)}

The last two are homogeneous: m is proportional to q, and the slopes do not know q at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from manual_rnn.theory.gaussian_mean import even_mean


@dataclass(frozen=True, kw_only=True)
class Activation:
    """The means (A1) of one activation, each a function of q ≥ 0."""

    name: str
    square: Callable[[float], float]
    """m(q)."""
    slope_squared: Callable[[float], float]
    """μ₁(q)."""
    slope_fourth: Callable[[float], float]
    """μ₂(q)."""
    homogeneous: bool
    """Whether m is proportional to q."""
    lipschitz: float
    """γ, the largest slope anywhere."""


def tanh_squared(a: float) -> float:
    return math.tanh(a) ** 2


def sech(a: float) -> float:
    """1/cosh a by an exponential that cannot overflow."""
    e = math.exp(-abs(a))
    return 2 * e / (1 + e * e)


TANH = Activation(
    name="tanh",
    square=lambda q: even_mean(tanh_squared, q),  # (A2)
    slope_squared=lambda q: even_mean(lambda a: sech(a) ** 4, q),
    slope_fourth=lambda q: even_mean(lambda a: sech(a) ** 8, q),
    homogeneous=False,
    lipschitz=1.0,
)
RELU = Activation(
    name="relu",
    square=lambda q: q / 2,  # (A3)
    slope_squared=lambda q: 1 / 2,
    slope_fourth=lambda q: 1 / 2,
    homogeneous=True,
    lipschitz=1.0,
)
LINEAR = Activation(
    name="linear",
    square=lambda q: q,  # (A4)
    slope_squared=lambda q: 1.0,
    slope_fourth=lambda q: 1.0,
    homogeneous=True,
    lipschitz=1.0,
)
ACTIVATIONS = {activation.name: activation for activation in (TANH, RELU, LINEAR)}


def get(name: str) -> Activation:
    """The activation of this name. Raises ValueError for another, with the names there are."""
    if name not in ACTIVATIONS:
        raise ValueError(
            f"There is no mean-field theory here for the activation {name!r}; for {', '.join(ACTIVATIONS)}."
        )
    return ACTIVATIONS[name]
