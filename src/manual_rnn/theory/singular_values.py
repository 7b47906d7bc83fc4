r"""Where Gaussian and orthogonal weights differ: the singular values of the way back through k steps.

Both stretch the *mean* square by χ a step. How far the squares part from their mean decides whether some directions
die while others explode. For J = ∂h_T/∂h_{T−k}, a product of k factors Wᵀ diag(φ'), with s² drawn from its n squared
singular values as n → ∞:

.. math::
    E[s^2] &= \chi^k                                                                        && \text{(S1)} \\
    \frac{\operatorname{Var}[s^2]}{E[s^2]^2} &= k \left( \frac{\mu_2}{\mu_1^2} - 1 - s_1 \right), \qquad
    s_1 = -1 \text{ (Gaussian)}, \; 0 \text{ (orthogonal)}                                  && \text{(S2)} \\
    \mu_1 &= E[\phi'^2], \quad \mu_2 = E[\phi'^4]                                           && \text{(S3)}

*Dynamical isometry* is a spread of zero: orthogonal weights and a linear network (or tanh at q = 0). The ReLU has
μ₂/μ₁² = 2 and never has it. With Gaussian weights the spread grows by 1 or more with every step. W alone:

.. math::
    s \sim \frac{\sqrt{4 g^2 - s^2}}{\pi g^2} \text{ on } [0, 2g] \text{ (Gaussian, the quarter circle)}, \qquad
    s = g \text{ (orthogonal)}                                                              && \text{(S4)}

and Wᵏ, Gaussian, of gain one: a share F of its singular values is above s(φ), 0 < φ < π/(k+1) (Fuss–Catalan),

.. math::
    s(\varphi)^2 &= \frac{\sin^{k+1}((k+1)\varphi)}{\sin\varphi \, \sin^k(k\varphi)}, \qquad
    s(0)^2 = \frac{(k+1)^{k+1}}{k^k}                                                         && \text{(S5)} \\
    F(\varphi) &= \int_0^\varphi \frac{\sin\theta \, \sin((k+1)\theta)}{\pi \sin(k\theta)} \left[ \cot\theta
    + k^2 \cot(k\theta) - (k+1)^2 \cot((k+1)\theta) \right] d\theta                         && \text{(S6)}

The largest grows as the square root of e(k+1) only, the median falls as 2^{−k/2}.

Sources: Pennington, Schoenholz, Ganguli, "Resurrecting the sigmoid in deep learning through dynamical isometry",
NeurIPS 2017, for (S2): the first coefficients of S-transforms add; Chen, Pennington, Schoenholz, ICML 2018, for
recurrent networks; Marchenko, Pastur 1967 for (S4); Haagerup, Möller, "The law of large numbers for the free
multiplicative convolution", 2013, for (S5). That one W for all steps gives the same as a fresh W for each is exact in
the linear Gaussian case: both have the Fuss–Catalan moments (Alexeev, Götze, Tikhomirov 2010).

What it does not see: a finite n, and so the edges: at lag 100 and n = 200 the largest singular value of W¹⁰⁰ is not
(S5)'s 17 but anything from that to a hundred thousand, as it has the hundredth power of the largest eigenvalue; with
one W for all steps and a nonlinearity, that diag(φ') at one step knows that of another.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.theory import activations
from manual_rnn.theory.arguments import above_zero, whole
from manual_rnn.theory.extras import scipy_or_sentence
from manual_rnn.theory.mean_field import mean_field

S_1 = {"gaussian": -1.0, "orthogonal": 0.0}
"""The first coefficient of the S-transform of WᵀW/g², by kind of W."""


def relative_variance(
    lag: int, gain: float, input_std: float, *, weights: str = "gaussian", activation: str = "tanh"
) -> float:
    """Var[s²]/E[s²]² of ∂h_T/∂h_{T−lag}, equation S2.

    Raises as :func:`mean_field` does, and ValueError for a lag below 0 or other weights than "gaussian", "orthogonal".
    """
    whole("lag", lag, 0)
    if weights not in S_1:
        raise ValueError(f"The weights are {weights!r}; expected one of {', '.join(S_1)}.")
    q = mean_field(gain, input_std, activation=activation).q
    phi = activations.get(activation)
    return lag * (phi.slope_fourth(q) / phi.slope_squared(q) ** 2 - 1 - S_1[weights])


def quarter_circle(s: Array, gain: float) -> Array:
    """The density of the singular values of a wide Gaussian W at s, equation S4; zero outside [0, 2g]."""
    above_zero("gain", gain)
    s = np.asarray(s, float)
    part = np.where(s < 0, 1.0, np.minimum(s, 2 * gain) / (2 * gain))  # of what is not on it the density is 0
    density: Array = 2 / (np.pi * gain) * np.sqrt((1 - part) * (1 + part))
    return density


def log_quantile_of_power(below: float, lag: int, gain: float) -> float:
    """log s, natural, such that a share ``below`` of the singular values of W^lag is smaller; (S5), (S6).

    W Gaussian of that gain, n → ∞ at a fixed lag; of a share of 1 it is the largest. Raises ValueError for a share that
    is not above 0 and at most 1, a lag below 1, or a gain not above zero; ModuleNotFoundError without scipy.
    """
    whole("lag", lag, 1)
    above_zero("gain", gain)
    above_zero("share", below)
    if below > 1:
        raise ValueError(f"The share is {below}; it is at most 1.")
    k, end = lag, np.pi / (lag + 1)
    if below == 1:
        return lag * float(np.log(gain)) + ((k + 1) * float(np.log(k + 1)) - k * float(np.log(k))) / 2

    def above(phi: float) -> float:
        def density(theta: float) -> float:
            inner = 1 / np.tan(theta) + k**2 / np.tan(k * theta) - (k + 1) ** 2 / np.tan((k + 1) * theta)
            return float(np.sin(theta) * np.sin((k + 1) * theta) / (np.pi * np.sin(k * theta)) * inner)

        share: float = scipy_or_sentence("integrate").quad(density, 0, phi, epsabs=1e-13, epsrel=1e-12, limit=200)[0]
        return share

    phi = scipy_or_sentence("optimize").brentq(lambda phi: above(phi) - (1 - below), 1e-9 * end, (1 - 1e-9) * end)
    log_square = (k + 1) * np.log(np.sin((k + 1) * phi)) - np.log(np.sin(phi)) - k * np.log(np.sin(k * phi))
    return lag * float(np.log(gain)) + float(log_square) / 2
