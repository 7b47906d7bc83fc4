r"""The update of the parameters θ from their gradient g, at learning rate α, in place: the arrays change.

Each optimiser has one method, ``update(params, gradients, lr)``; it remembers what it needs by parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from manual_rnn.cell import Array


class Optimiser(Protocol):
    """What training needs of an optimiser."""

    default_lr: ClassVar[float]
    """The learning rate for a loss that is a mean over time and batch; measured on English prose."""

    def update(self, params: Mapping[str, Array], gradients: Mapping[str, Array], lr: float) -> None: ...


@dataclass
class SGD:
    r"""Stochastic gradient descent (Robbins, Monro 1951): $\theta \leftarrow \theta - \alpha g$."""

    default_lr: ClassVar[float] = 1.5

    def update(self, params: Mapping[str, Array], gradients: Mapping[str, Array], lr: float) -> None:
        for name in params:
            theta, g = params[name], gradients[name]
            theta -= theta.dtype.type(lr) * g


@dataclass
class Adagrad:
    r"""A step of its own for each entry, by the size of all its gradients so far (Duchi, Hazan, Singer 2011).

    .. math:: r \leftarrow r + g^2 \qquad \theta \leftarrow \theta - \alpha \frac{g}{\sqrt r + \varepsilon}
    """

    epsilon: float = 1e-8
    r: dict[str, Array] = field(default_factory=dict)
    default_lr: ClassVar[float] = 0.02

    def update(self, params: Mapping[str, Array], gradients: Mapping[str, Array], lr: float) -> None:
        for name in params:
            theta, g = params[name], gradients[name]
            r = self.r.setdefault(name, np.zeros_like(theta))
            r += g * g
            theta -= theta.dtype.type(lr) * g / (np.sqrt(r) + theta.dtype.type(self.epsilon))


@dataclass
class Adam:
    r"""Fading averages of the gradient and of its square, corrected for their start at 0 (Kingma, Ba 2015).

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        \theta &\leftarrow \theta
            - \alpha \frac{m / (1 - \beta_1^k)}{\sqrt{v / (1 - \beta_2^k)} + \varepsilon}
            \qquad \text{at update } k = 1, 2, \dots

    β₂ is 0.99 here, not the paper's 0.999: in ten thousand updates the shorter memory learns more.
    """

    beta_1: float = 0.9
    beta_2: float = 0.99
    epsilon: float = 1e-8
    k: int = 0
    m: dict[str, Array] = field(default_factory=dict)
    v: dict[str, Array] = field(default_factory=dict)
    default_lr: ClassVar[float] = 0.004

    def update(self, params: Mapping[str, Array], gradients: Mapping[str, Array], lr: float) -> None:
        self.k += 1
        correction_1, correction_2 = 1 - self.beta_1**self.k, 1 - self.beta_2**self.k
        for name in params:
            theta, g = params[name], gradients[name]
            m = self.m.setdefault(name, np.zeros_like(theta))
            v = self.v.setdefault(name, np.zeros_like(theta))
            number = theta.dtype.type  # factors in the dtype of the parameters: float32 stays float32
            m += number(1 - self.beta_1) * (g - m)
            v += number(1 - self.beta_2) * (g * g - v)
            # m / (1 − β₁ᵏ) enters through the factor, which is a number and not an array.
            root = np.sqrt(v / number(correction_2)) + number(self.epsilon)
            theta -= number(lr / correction_1) * m / root


OPTIMISERS: dict[str, type[SGD] | type[Adagrad] | type[Adam]] = {"sgd": SGD, "adagrad": Adagrad, "adam": Adam}


def decay_matrices(params: Mapping[str, Array], factor: float) -> None:
    r"""Weight decay apart from the gradient: $\theta \leftarrow \theta - \alpha \lambda \theta$ for each matrix.

    ``factor`` is αλ. It is done in place, as a step of its own before the optimiser's, whose averages do not see it:
    with :class:`Adam` it is AdamW (Loshchilov, Hutter, *Decoupled weight decay regularization*, 2019). Biases, and any
    other vector, stay.
    """
    for theta in params.values():
        if theta.ndim > 1:
            np.multiply(theta, theta.dtype.type(1 - factor), out=theta)
