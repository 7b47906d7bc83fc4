r"""The curse of memory: one linear unit's gradient grows without end as its memory does, though nothing explodes.

For h(t) = λ h(t−1) + x(t), h(0) = 0, x independent of variance s² (λ is a real number, the memory 1/(1 − λ)):

.. math::
    \frac{\partial h(T)}{\partial \lambda} &= \sum_{j=1}^{T-1} j\, \lambda^{j-1} x(T - j)   && \text{(C1)} \\
    E ( \partial h(T) / \partial \lambda )^2 &= s^2 \sum_{j=1}^{T-1} j^2 \lambda^{2j-2} && \text{(C2)} \\
    &\to s^2 \frac{1 + \lambda^2}{(1 - \lambda^2)^3} \qquad (T \to \infty,\ |\lambda| < 1)  && \text{(C3)} \\
    E\, h(T)^2 &= s^2 \sum_{j=0}^{T-1} \lambda^{2j} \to \frac{s^2}{1 - \lambda^2}           && \text{(C4)}

So where the state grows as the memory, its sensitivity grows as the memory's third power: at λ = .99, 50 and 251,263.

Source: Zucchet, Orvieto, "Recurrent neural networks: vanishing and exploding gradients are not the end of the story",
NeurIPS 2024. (C2) and (C3) are sums of geometric series. Domain: exact for one unit, or a linear network that is
diagonal, with white input. What it does not see: input that is correlated in time, which makes it worse.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.theory.arguments import finite, whole, zero_or_more


def sensitivity_squared(decay: float, *, steps: int | None = None, input_std: float = 1.0) -> float:
    """E(∂h(T)/∂λ)² at λ = ``decay`` after T = ``steps``, (C2); without steps the stationary value, (C3).

    It is inf where ``|λ| > 1`` takes it beyond the format.

    Raises ValueError where the stationary value does not exist, ``|λ| ≥ 1``, or an argument is out of its range.
    """
    zero_or_more("input's standard deviation", input_std)
    if steps is None:
        stationary(decay)
        return input_std**2 * (1 + decay**2) / (1 - decay**2) ** 3
    finite("decay", decay)
    whole("number of steps", steps, 1)
    j = np.arange(1.0, steps)
    with np.errstate(over="ignore", under="ignore"):
        return input_std**2 * float((j**2 * (decay * decay) ** (j - 1)).sum())


def state_squared(decay: float, *, steps: int | None = None, input_std: float = 1.0) -> float:
    """E h(T)², (C4). Raises as :func:`sensitivity_squared` does."""
    zero_or_more("input's standard deviation", input_std)
    if steps is None:
        stationary(decay)
        return input_std**2 / (1 - decay**2)
    finite("decay", decay)
    whole("number of steps", steps, 1)
    with np.errstate(over="ignore", under="ignore"):
        return input_std**2 * float(((decay * decay) ** np.arange(float(steps))).sum())


def stationary(decay: float) -> None:
    """Raises ValueError unless |λ| < 1: else the state has no stationary distribution."""
    finite("decay", decay)
    if abs(decay) >= 1:
        raise ValueError(
            f"The decay is {decay}; a stationary state needs one between −1 and 1. After finitely many steps any "
            "decay has a value: say how many."
        )
