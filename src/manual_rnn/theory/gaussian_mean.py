r"""The mean of a function of a Gaussian number, by adaptive quadrature.

.. math::
    E[f(b + \sqrt q\, z)] = \int f(b + \sqrt q\, z)\, e^{-z^2/2} \frac{dz}{\sqrt{2\pi}}            && \text{(E1)}

Gauss–Hermite quadrature is a trap here. The functions of this package change near f's argument 0, over a width of
about one, which in z is as narrow as 1/√q, and fixed nodes are too far apart to see it: 121 of them give λ₁ = .582
for the tanh network of gain 5, where it is .529. So the narrow part is integrated by itself, around z = −b/√q.

What it does not see: a function whose scale is not about one, or one that grows faster than the Gaussian falls.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from manual_rnn.theory.extras import scipy_or_sentence

REACH = 40.0
"""Widths after which sech⁴ and the Gaussian are below 1e-60 of their peaks."""

BULK = 8.0
"""Widths within which nearly all of the Gaussian lies: a piece of its own, where quadrature needs few points."""

Function = Callable[[float], float]


def gaussian_mean(function: Function, variance: float, mean: float = 0.0) -> float:
    """E[function(mean + √variance z)] to about 1e-12 of itself, equation E1; for a function of one sign.

    Raises ModuleNotFoundError without scipy.
    """
    if variance == 0:
        return function(mean)
    std = math.sqrt(variance)
    centre, width = -mean / std, REACH / std
    edges = [edge for edge in (centre - width, centre, centre + width, -BULK, 0.0, BULK) if abs(edge) < REACH]
    return _between(lambda z: function(mean + std * z), sorted({-REACH, *edges, REACH}))


def even_mean(function: Function, variance: float) -> float:
    """The same for an even function and mean 0, at half the cost."""
    if variance == 0:
        return function(0.0)
    std = math.sqrt(variance)
    edges = {0.0, BULK, min(REACH, REACH / std), REACH}
    return 2 * _between(lambda z: function(std * z), sorted(edges))


def _between(function: Function, edges: list[float]) -> float:
    """The Gaussian integral over each piece. Those with the narrow part or the peak come first: they set the scale."""
    quad: Any = scipy_or_sentence("integrate").quad

    def integrand(z: float) -> float:
        return function(z) * math.exp(-z * z / 2)

    total = 0.0
    for a, b in sorted(pairwise(edges), key=lambda piece: piece[1] - piece[0]):
        total += quad(integrand, a, b, epsabs=1e-13 * total, epsrel=1e-12, limit=200)[0]
    return total / math.sqrt(2 * math.pi)
