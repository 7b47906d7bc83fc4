r"""What the theory of gated cells needs of one gate: the means of u = σ(a), a ~ N(b, v), and of its slope.

.. math::
    v &= g^2 Q + \sigma^2, \qquad Q = E[h^2]                                                && \text{(G1)} \\
    K &= E[u^2] \text{ (kept)}, \quad E[1 - u^2] \text{ (lost)}, \quad E[(1 - u)^2] \text{ (let in)}, \quad
    D  = E[(u (1 - u))^2] \text{ (the slope's square)}                                      && \text{(G2)}

A pre-activation W h + (what comes from outside) + b has the recurrent gain g, a standard deviation σ of all that
comes from outside, and a bias b. By adaptive quadrature, see :mod:`manual_rnn.theory.gaussian_mean`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from manual_rnn.theory.arguments import finite, zero_or_more
from manual_rnn.theory.gaussian_mean import gaussian_mean


@dataclass(frozen=True, kw_only=True)
class Preactivation:
    """One affine map of the state. Raises ValueError where gain or input_std is below zero, or one is not finite."""

    gain: float
    """g: the entries of its W have the variance g²/n."""
    input_std: float = 0.0
    """σ: the standard deviation of what comes from outside, Gaussian and independent for each unit, step and map."""
    bias: float = 0.0
    """b, the same for all units."""

    def __post_init__(self) -> None:
        zero_or_more("gain", self.gain)
        zero_or_more("input's standard deviation", self.input_std)
        finite("bias", self.bias)

    def variance(self, square: float) -> float:
        """v of (G1), where the map's argument has this mean square."""
        return self.gain**2 * square + self.input_std**2


def sigmoid(a: float) -> float:
    """σ(a) without an overflow."""
    e = math.exp(-abs(a))
    return 1 / (1 + e) if a >= 0 else e / (1 + e)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The means (G2) of one gate."""

    kept: float
    lost: float
    """1 − kept, with all its digits where the gate is open."""
    let_in: float
    slope: float


def gate(of: Preactivation, square: float) -> Gate:
    """The means of the gate with this pre-activation, where the map's argument has this mean square."""
    v = of.variance(square)
    return Gate(
        kept=gaussian_mean(lambda a: sigmoid(a) ** 2, v, of.bias),
        lost=gaussian_mean(lambda a: sigmoid(-a) * (1 + sigmoid(a)), v, of.bias),
        let_in=gaussian_mean(lambda a: sigmoid(-a) ** 2, v, of.bias),
        slope=gaussian_mean(lambda a: (sigmoid(a) * sigmoid(-a)) ** 2, v, of.bias),
    )
