r"""The bias of truncated backpropagation through time, exact for one linear unit.

For h(t) = λ h(t−1) + x(t), h(0) = 0, white x, and the loss L = ½ h(T)² of the last step, the gradient is a sum over the
steps at which λ was used, of which truncation keeps the K nearest:

.. math::
    \frac{\partial L}{\partial \lambda} &= h(T) \sum_{j=1}^{T-1} \lambda^{j-1} h(T - j)     && \text{(T1)} \\
    E[h(T)\, h(T-j)] &= s^2\, \lambda^j\, \frac{1 - \lambda^{2(T-j)}}{1 - \lambda^2}        && \text{(T2)} \\
    S(K) &= \sum_{j=1}^{K} \lambda^{2j-1} \left( 1 - \lambda^{2(T-j)} \right)               && \text{(T3)} \\
    \text{bias} &= 1 - \frac{S(K)}{S(T)} \qquad\to \lambda^{2K} \quad (T \to \infty,\ |\lambda| < 1)     && \text{(T4)}

the share of the expected gradient that is missing; the truncated one is too small, never too large. K terms are
``truncated_bptt(…, k2=K)`` of :mod:`manual_rnn.ways`: λ is used at T, T−1, …, T−K+1. Solved for K, (T4) says how long
a truncation must be for a given bias.

Sources: Tallec, Ollivier, "Unbiasing truncated backpropagation through time", arXiv:1705.08209 (2017); Aicher, Foti,
Fox, "Adaptively truncating backpropagation through time", UAI 2019, whose geometric decay this is an instance of.
Domain: this loss, this unit. What it does not see: that input correlated in time has more to lose; the variance, which
truncation lowers; what a biased gradient leads to in training.
"""

from __future__ import annotations

import math

import numpy as np

from manual_rnn.theory.arguments import above_zero, finite, whole
from manual_rnn.theory.curse_of_memory import stationary


def truncation_bias(decay: float, kept: int, *, steps: int | None = None) -> float:
    """The relative bias (T4) at λ = ``decay`` with K = ``kept`` terms, after T = ``steps``; without, stationary.

    Raises ValueError where the stationary value does not exist, ``|λ| ≥ 1``, or an argument is out of its range.
    """
    whole("number of terms kept", kept, 0)
    if steps is None:
        stationary(decay)
        return abs(decay) ** (2 * kept)
    finite("decay", decay)
    whole("number of steps", steps, 2)
    # The smaller part over the whole, so that a tiny bias keeps its digits. (T3) over λ (1 − λ²), which leaves
    # λ^{2j−2} Σ_{m<T−j} λ^{2m} for any λ; and for |λ| > 1 over λ^{2T−4} as well, so that nothing overflows.
    growing = abs(decay) > 1
    with np.errstate(under="ignore"):
        powers = np.abs(1 / decay if growing else decay) ** (2 * np.arange(steps - 1.0))
    terms = np.cumsum(powers)[::-1] * (1 if growing else powers)
    return math.fsum(terms[kept:]) / math.fsum(terms)


def truncation_for(decay: float, bias: float) -> int:
    """The smallest K whose stationary bias λ^{2K} is no more than this. Raises ValueError for one not above zero."""
    stationary(decay)
    above_zero("bias", bias)
    if bias >= 1:
        return 0
    if decay == 0:
        return 1
    K = max(0, math.ceil(math.log(bias) / (2 * math.log(abs(decay)))) - 1)
    while truncation_bias(decay, K) > bias:  # the logarithms may be off by a rounding
        K += 1
    return K
