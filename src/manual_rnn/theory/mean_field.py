r"""Whether gradients vanish or explode, in closed form: the mean-field theory of a wide random network.

For n units with the pre-activation

.. math::
    u_t = W \phi(u_{t-1}) + \sigma \xi_t, \qquad \xi_t \sim N(0, 1) \text{ for each unit and step,}

W either Gaussian, W_ij ~ N(0, g²/n), or orthogonal, g Q with Q uniform, each unit's pre-activation becomes Gaussian
as n grows. Its variance q is a fixed point, and one number χ says what a step back in time does to the squared norm
of a gradient, on average:

.. math::
    q    &= g^2\, E[\phi(\sqrt q z)^2] + \sigma^2, \qquad z \sim N(0, 1)     && \text{(M1)} \\
    \chi &= g^2\, E[\phi'(\sqrt q z)^2]                                      && \text{(M2)} \\
    E \lVert \nabla h(t) \rVert^2 &= \chi^{T - t}\, E \lVert \nabla h(T) \rVert^2    && \text{(M3)} \\
    \lambda_1 &= \tfrac12 \log \chi                                          && \text{(M4)}

λ₁ is the largest Lyapunov exponent of the forward dynamics: χ = 1 parts order from chaos, and vanishing from
exploding gradients. Behind (M2) stands ∇h(t) = Wᵀ diag(φ') ∇h(t+1), with W counted as independent of the
gradient that comes in; wide networks come close to that. Both kinds of W stretch a vector that they do not know by g,
so they share q and χ at leading order; they differ in how far the directions part, the singular values of
:mod:`manual_rnn.theory.singular_values`.

Where there is no fixed point. tanh is bounded, so q is finite always. For the ReLU and the linear network (M1) reads
q = κ q + σ² with κ = g²/2 or g², which is χ as well:

.. math::
    q = \frac{\sigma^2}{1 - \kappa} \quad (\kappa < 1), \qquad \chi = \kappa                   && \text{(M5)}

and for κ ≥ 1 the variance grows without end: q is given as inf. Gradients do not mind, χ = κ holds all the same. At
κ = 1 without input every q stays what it is, and nothing picks one: q is given as nan. (In floating point that is the
linear network of gain 1; √2 squared is a little over 2.)

Sources: Sompolinsky, Crisanti, Sommers, "Chaos in random neural networks", Phys. Rev. Lett. 61 (1988) 259,
for the network; Molgedey, Schuchhardt, Schuster, "Suppressing chaos in neural networks by noise", Phys. Rev.
Lett. 69 (1992) 3717, for discrete time and noise; Chen, Pennington, Schoenholz, "Dynamical isometry and a
mean field theory of RNNs", ICML 2018, for the gradients and for orthogonal W.

In the terms of :mod:`manual_rnn.cells.rnn`: u is a, and the noise is U x(t) with U = σ·1 (so n_in =
n_hidden), b = 0 and x of independent standard normals. Then a(t) has the variance q from the first step on if
h(0) is drawn as φ(√q z). A dense U has the same σ² on average but gives every unit its own; the theory is
then an approximation.

What it does not see: a finite n (the slope of the tanh network falls short of log χ by a few thousandths at n = 500,
more at larger gains, whatever the number of seeds), the spread between seeds, input that is correlated in time,
biases, training, and the direction of a gradient, only its norm. It is the slope of the *mean* square; a
typical network lies a little below it, for the log of a mean is larger than the mean of a log.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from manual_rnn.theory import activations
from manual_rnn.theory.activations import Activation
from manual_rnn.theory.arguments import above_zero, zero_or_more
from manual_rnn.theory.extras import scipy_or_sentence


@dataclass(frozen=True, kw_only=True)
class MeanField:
    """The stationary state of the wide network at one gain and one strength of the input."""

    gain: float
    """g: the entries of W have the variance g²/n, or W is g times an orthogonal matrix."""
    input_std: float
    """σ: the standard deviation of the noise at each unit."""
    activation: str
    """"tanh", "relu" or "linear"."""
    q: float
    """The variance of a pre-activation, equation M1; inf where it grows without end, nan where nothing picks one."""
    chi: float
    """The factor by which the squared norm of a gradient grows with each step back in time, equation M2."""

    @property
    def slope(self) -> float:
        """log χ: what the natural log of ‖∇h‖² gains per step of lag, equation M3."""
        return math.log(self.chi)

    @property
    def lyapunov_exponent(self) -> float:
        """λ₁ = ½ log χ, per step, equation M4; above zero the network is chaotic, or (not tanh) diverges."""
        return self.slope / 2


def mean_field(gain: float, input_std: float, *, activation: str = "tanh") -> MeanField:
    """The theory at one gain g > 0 and input strength σ ≥ 0; tanh without input and with g ≤ 1 has q = 0.

    Raises:
        ValueError: the gain is not above zero, the strength is below zero, one is not finite, or the activation
            is none of "tanh", "relu", "linear".
        ModuleNotFoundError: scipy is missing, which tanh needs; the sentence says how to get it.
    """
    above_zero("gain", gain)
    zero_or_more("input's standard deviation", input_std)
    phi = activations.get(activation)
    q = _growing(phi, gain, input_std) if phi.homogeneous else _fixed_point(phi, gain, input_std)
    chi = gain**2 * phi.slope_squared(q)  # (M2)
    return MeanField(gain=gain, input_std=input_std, activation=activation, q=q, chi=chi)


def _growing(phi: Activation, gain: float, input_std: float) -> float:
    """q of (M5)."""
    kappa = gain**2 * phi.square(1.0)
    if kappa < 1:
        return input_std**2 / (1 - kappa)
    return math.nan if kappa == 1 and input_std == 0 else math.inf


def _fixed_point(phi: Activation, gain: float, input_std: float) -> float:
    """q of (M1) for tanh. Its right side is concave in q, so that above zero it crosses q once."""
    noise = input_std**2  # 0 of what is below 1e-162, and then q is that without input
    if noise == 0 and gain <= 1:
        return 0.0

    def excess(q: float) -> float:
        return gain**2 * phi.square(q) + noise - q

    # tanh²x ≥ x² − ⅔x⁴ leaves an excess of at least q (g² − 1)/2 at this q: it parts the root from 0.
    lower = noise if noise > 0 else (gain**2 - 1) / (4 * gain**2)
    brentq: Any = scipy_or_sentence("optimize").brentq
    root: float = brentq(excess, lower, gain**2 + noise, xtol=1e-300, rtol=1e-14)
    return root
