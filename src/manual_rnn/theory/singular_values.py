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

Sources: Pennington, Schoenholz, Ganguli, "Resurrecting the sigmoid in deep learning through dynamical isometry",
NeurIPS 2017, for (S2): the first coefficients of S-transforms add; Chen, Pennington, Schoenholz, ICML 2018, for
recurrent networks; Marchenko, Pastur 1967 for (S4). That one W for all steps gives the same as a fresh W for each is
exact in the linear Gaussian case: both have the Fuss–Catalan moments.

What it does not see: a finite n, and so the edges (at lag 100 and n = 200 the median singular value of W¹⁰⁰ is 1e-13,
which no variance tells); with one W for all steps and a nonlinearity, that diag(φ') at one step knows that of another.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.theory import activations
from manual_rnn.theory.arguments import above_zero, whole
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
    inside = np.where(s >= 0, 4 * gain**2 - s**2, 0.0)
    density: Array = np.sqrt(np.maximum(inside, 0.0)) / (np.pi * gain**2)
    return density
