r"""How much a gate remembers after k steps: chrono initialisation against one bias for all units.

A unit whose gate keeps the share f of its state each step keeps f^k. With one bias b for all, and with the chrono
initialisation b = ln u, u uniform from 1 to T_max − 1, so that f = u/(1 + u):

.. math::
    f^k &= \sigma(b)^k                                                                      && \text{(K1)} \\
    E_u\!\left[ \left( \frac{u}{1 + u} \right)^{\!k} \right]
        &= \frac{1}{T_{\max} - 2} \int_2^{T_{\max}} \left( 1 - \frac1s \right)^{\!k} ds,
        \qquad s = 1 + u                                                                    && \text{(K2)}

s is the time constant of a unit. (K1) falls exponentially, (K2) as no exponential does: it stays of order one up to
k ≈ T_max and only then falls as (1 − 1/T_max)^k. At lag 100: .328 (T_max = 200), 2.5e-14 (b = 1), 7.9e-31 (b = 0).

Source: Tallec, Ollivier, "Can recurrent neural networks warp time?", ICLR 2018, equation 16; the integral is ours, and
the initialisation that of :func:`manual_rnn.initialisation.chrono_biases`. What it does not see: the recurrent
and input parts of the gate (it is the curve of a gate that hears nothing), the other ways back, training.
"""

from __future__ import annotations

import math
from typing import Any

from manual_rnn.theory.arguments import finite, whole
from manual_rnn.theory.extras import scipy_or_sentence


def memory_of_one_bias(lag: int, bias: float) -> float:
    """σ(b)^k, equation K1. Below the smallest number of the format it is 0. Raises ValueError for a lag below 0."""
    whole("lag", lag, 0)
    finite("bias", bias)
    log_kept = -math.log1p(math.exp(-bias)) if bias > 0 else bias - math.log1p(math.exp(bias))
    return math.exp(lag * log_kept)


def memory_of_chrono(lag: int, longest: int) -> float:
    """The mean share that units keep, equation K2, by adaptive quadrature; ``longest`` is T_max.

    Raises ValueError for a lag below 0 or T_max below 3; ModuleNotFoundError without scipy.
    """
    whole("lag", lag, 0)
    whole("longest memory", longest, 3)
    log_largest = math.log1p(-1 / longest)

    def share(s: float) -> float:
        return math.exp(lag * (math.log1p(-1 / s) - log_largest))

    quad: Any = scipy_or_sentence("integrate").quad
    integral: float = quad(share, 2, longest, epsabs=0, epsrel=1e-12, limit=500)[0]
    return math.exp(lag * log_largest) * integral / (longest - 2)
