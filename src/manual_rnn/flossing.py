r"""Gradient flossing: pushing the Lyapunov exponents of a run to zero, before training or from time to time in it.

.. math::
    L                    &= \frac1B \sum_b \sum_{i \le k} (\lambda_{i,b} - \lambda^*)^2     && \text{(φ1)} \\
    \nabla \lambda_{i,b} &= \frac2B\, (\lambda_{i,b} - \lambda^*)                           && \text{(φ2)}

and what becomes of ∇λ is derived in :mod:`manual_rnn.lyapunov_gradient`. R. Engelken, *Gradient flossing: improving
gradient descent through dynamic control of Jacobians* (NeurIPS 2023), with λ* = 0: in a direction whose exponent is
zero gradients neither grow nor vanish, and the Jacobian over a long way, whose singular values are about e^{λ_i τ}, is
well conditioned in the k directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.lyapunov_gradient import lyapunov_gradient


@dataclass(frozen=True)
class Flossing:
    """The loss of flossing, and its gradient."""

    loss: float
    """L, nats² per step²."""
    exponents: Array
    """λ (B, count), nats per step: of each sequence its own."""
    gradients: dict[str, Array]
    """∂L/∂v by the name of v: each parameter, zeros for V and c, and each initial state ("h0")."""


@of_one_cell
def flossing(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    *,
    count: int | None = None,
    target: float = 0.0,
    initial: Mapping[str, Array] | None = None,
    warm_up: int = 0,
    seed: int = 0,
) -> Flossing:
    """L of the ``count`` largest exponents over x, and its gradient; ``target`` is λ*, nats per step.

    All else is as for :func:`manual_rnn.lyapunov_gradient.lyapunov_gradient`, with what it raises.
    """
    if isinstance(target, bool) or not isinstance(target, Real) or not np.isfinite(target):
        raise ValueError(f"target is {target!r}; it is the exponent to come to, a finite number: 0 for no growth.")
    exponents, pullback = lyapunov_gradient(
        cell, params, x, count=count, initial=initial, warm_up=warm_up, seed=seed
    )
    off, B = exponents - exponents.dtype.type(target), len(exponents)
    return Flossing(
        loss=float(np.square(off).sum() / B),  # (φ1)
        exponents=exponents,
        gradients=pullback(2 / B * off),  # (φ2)
    )
