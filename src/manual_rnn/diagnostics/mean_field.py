r"""Whether gradients vanish or explode, in closed form: the mean-field theory of a wide random tanh network.

For n units with the pre-activation

.. math::
    u_t = W \tanh u_{t-1} + \sigma \xi_t, \qquad W_{ij} \sim N(0, g^2/n), \qquad \xi_t \sim N(0, 1)
    \text{ for each unit and step,}

each unit's pre-activation becomes Gaussian as n grows. Its variance q is a fixed point, and one number χ says
what a step back in time does to the squared norm of a gradient, on average:

.. math::
    q    &= g^2\, E[\tanh^2(\sqrt q z)] + \sigma^2, \qquad z \sim N(0, 1)   && \text{(M1)} \\
    \chi &= g^2\, E[\tanh'^2(\sqrt q z)], \qquad \tanh' = 1 - \tanh^2        && \text{(M2)} \\
    E \lVert \nabla h(t) \rVert^2 &= \chi^{T - t}\, E \lVert \nabla h(T) \rVert^2    && \text{(M3)} \\
    \lambda_1 &= \tfrac12 \log \chi                                          && \text{(M4)}

λ₁ is the largest Lyapunov exponent of the forward dynamics: χ = 1 parts order from chaos, and vanishing from
exploding gradients. Behind (M2) stands ∇h(t) = Wᵀ diag(tanh') ∇h(t+1), with W counted as independent of the
gradient that comes in; wide networks come close to that.

Sources: Sompolinsky, Crisanti, Sommers, "Chaos in random neural networks", Phys. Rev. Lett. 61 (1988) 259,
for the network; Molgedey, Schuchhardt, Schuster, "Suppressing chaos in neural networks by noise", Phys. Rev.
Lett. 69 (1992) 3717, for discrete time and noise; Chen, Pennington, Schoenholz, "Dynamical isometry and a
mean field theory of RNNs", ICML 2018, for the gradients.

In the terms of :mod:`manual_rnn.cells.rnn`: u is a, and the noise is U x(t) with U = σ·1 (so n_in =
n_hidden), b = 0 and x of independent standard normals. Then a(t) has the variance q from the first step on if
h(0) is drawn as tanh(√q z). A dense U has the same σ² on average but gives every unit its own; the theory is
then an approximation.

What it does not see: a finite n (the slope falls short of log χ by a few thousandths at n = 500, more at
larger gains, whatever the number of seeds), the spread between seeds, input that is correlated in time,
biases, training, and the direction of a gradient, only its norm. It is the slope of the *mean* square; a
typical network lies a little below it, for the log of a mean is larger than the mean of a log.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from manual_rnn.diagnostics.extras import scipy_or_sentence

REACH = 40.0
"""Widths after which sech⁴ and the Gaussian are below 1e-60 of their peaks."""


@dataclass(frozen=True, kw_only=True)
class MeanField:
    """The stationary state of the wide network at one gain and one strength of the input."""

    gain: float
    """g: the entries of W have the variance g²/n."""
    input_std: float
    """σ: the standard deviation of the noise at each unit."""
    q: float
    """The variance of a pre-activation, equation M1."""
    chi: float
    """The factor by which the squared norm of a gradient grows with each step back in time, equation M2."""

    @property
    def slope(self) -> float:
        """log χ: what the natural log of ‖∇h‖² gains per step of lag, equation M3."""
        return math.log(self.chi)

    @property
    def lyapunov_exponent(self) -> float:
        """λ₁ = ½ log χ, per step, equation M4; above zero the network is chaotic."""
        return self.slope / 2


def mean_field(gain: float, input_std: float) -> MeanField:
    """The theory at one gain g > 0 and input strength σ ≥ 0; without input and with g ≤ 1, q is 0.

    Raises:
        ValueError: the gain is not above zero, or the strength is below zero, or one is not finite.
        ModuleNotFoundError: scipy is missing; the sentence says how to get it.
    """
    if not (math.isfinite(gain) and gain > 0):
        raise ValueError(f"The gain is {gain}; it must be a finite number above zero.")
    if not (math.isfinite(input_std) and input_std >= 0):
        raise ValueError(f"The input's standard deviation is {input_std}; it must be finite, zero or more.")
    q = _fixed_point(gain, input_std)
    return MeanField(gain=gain, input_std=input_std, q=q, chi=gain**2 * _mean(_slope_squared, q))  # (M2)


def critical_gain(input_std: float) -> float:
    """The gain at which χ = 1: below it gradients vanish, above it they explode. It is 1 without input.

    Raises as :func:`mean_field` does.
    """
    if input_std == 0:
        return 1.0
    upper = 2.0
    while mean_field(upper, input_std).chi < 1:
        upper *= 2
    brentq: Any = scipy_or_sentence("optimize").brentq
    # At g = 1 the slope is not above zero: (M2) is below g² wherever q is above zero.
    root: float = brentq(lambda g: mean_field(g, input_std).slope, 1.0, upper, xtol=1e-12)
    return root


def _fixed_point(gain: float, input_std: float) -> float:
    """q of (M1). Its right side is concave in q, so that above zero it crosses q once."""
    if input_std == 0 and gain <= 1:
        return 0.0

    def excess(q: float) -> float:
        return gain**2 * _mean(_tanh_squared, q) + input_std**2 - q

    # tanh²x ≥ x² − ⅔x⁴ leaves an excess of at least q (g² − 1)/2 at this q: it parts the root from 0.
    lower = input_std**2 if input_std > 0 else (gain**2 - 1) / (4 * gain**2)
    brentq: Any = scipy_or_sentence("optimize").brentq
    root: float = brentq(excess, lower, gain**2 + input_std**2, xtol=1e-300, rtol=1e-14)
    return root


def _tanh_squared(a: float) -> float:
    return math.tanh(a) ** 2


def _slope_squared(a: float) -> float:
    """tanh'²(a) = 1/cosh⁴ a for a ≥ 0, by an exponential that cannot overflow."""
    return (2 * math.exp(-a) / (1 + math.exp(-2 * a))) ** 4


def _mean(function: Callable[[float], float], q: float) -> float:
    """E[function(√q z)] for an even function, by adaptive quadrature.

    Gauss–Hermite is a trap here: tanh' is as narrow as 1/√q, and the nodes near zero are too far apart to see
    it (121 of them give λ₁ = .582 at g = 5, where it is .529). So the narrow part is integrated by itself.
    """
    std = math.sqrt(q)
    edge = REACH * min(1.0, 1 / std) if std > 0 else REACH

    def integrand(z: float) -> float:
        return function(std * z) * math.exp(-z * z / 2)

    quad: Any = scipy_or_sentence("integrate").quad
    total: float = quad(integrand, 0, edge, epsabs=0, epsrel=1e-12, limit=200)[0]
    if edge < REACH:
        total += quad(integrand, edge, REACH, epsabs=1e-13 * total, epsrel=1e-12, limit=200)[0]
    return 2 * total / math.sqrt(2 * math.pi)
