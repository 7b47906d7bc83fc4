r"""The mean-field theory of both gated recurrent units, with fresh weights at every step.

For h(t) = (1 − z) ∘ n + z ∘ h(t−1) with the candidate n = tanh(a_n), each map of gain g_k, input of standard deviation
σ_k and, for the gates r and z, a bias; b_n = d_n = 0, so that E[n] = 0. With the means (G2) of the gate z,

.. math::
    Q &= K_z Q + E[(1-z)^2]\, E[n^2]                                                        && \text{(H1)} \\
    \chi &= \underbrace{K_z}_{\text{state}} + \underbrace{g_z^2 D_z (Q + E[n^2])}_{W_z}
          + \underbrace{E[(1-z)^2]\, N}_{W_n} + \underbrace{E[(1-z)^2]\, P}_{W_r}           && \text{(H2)}

and the reset stands in E[n²], N and P. *Before* the product (:mod:`manual_rnn.cells.gru_reset_before`, as published),
a_n = W_n (r ∘ h) + U_n x is Gaussian:

.. math::
    a_n \sim N(0,\; g_n^2 K_r Q + \sigma_n^2), \qquad
    N = g_n^2 K_r\, E[\operatorname{sech}^4 a_n], \qquad
    P = g_r^2 D_r\, Q \cdot g_n^2\, E[\operatorname{sech}^4 a_n]                            && \text{(H3)}

*After* it (:mod:`manual_rnn.cells.gru`, cuDNN and PyTorch), a_n = U_n x + r ∘ n_h with n_h = W_n h ~ N(0, v),
v = g_n² Q, is Gaussian only for a given r: of variance w(r) = σ_n² + r² v. Given a_n too, n_h has the mean a_n r v/w
and the variance v σ_n²/w. So

.. math::
    E[n^2] &= E_r\, E[\tanh^2 a_n \mid r], \qquad
    N = g_n^2\, E_r [ r^2\, E[\operatorname{sech}^4 a_n \mid r] ]                           && \text{(H4)} \\
    P &= g_r^2\, E_r\!\left[ (r (1-r))^2\, E\big[\operatorname{sech}^4 a_n \cdot
         ((a_n r v / w)^2 + v \sigma_n^2 / w) \mid r \big] \right]                          && \text{(H5)}

two integrals, one within the other. Q ≤ 1 always, so a fixed point exists.

Source: Gilboa et al. 2019, arXiv:1901.08987, for the method; the equations are derived here. What it does not
see: :mod:`manual_rnn.theory.gated`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from manual_rnn.theory.activations import TANH, sech
from manual_rnn.theory.gated import GatedMeanField, fixed_point
from manual_rnn.theory.gates import Preactivation, gate, sigmoid
from manual_rnn.theory.gaussian_mean import even_mean, gaussian_mean


class _Candidate(Protocol):
    """What the reset decides, at E[h²] = Q."""

    def square(self, Q: float) -> float:
        """E[n²]."""

    def through_candidate(self, Q: float) -> float:
        """N."""

    def through_reset(self, Q: float) -> float:
        """P."""


@dataclass(frozen=True, kw_only=True)
class _Before:
    """Equations H3."""

    reset: Preactivation
    candidate: Preactivation

    def square(self, Q: float) -> float:
        return TANH.square(self._variance(Q))

    def through_candidate(self, Q: float) -> float:
        return gate(self.reset, Q).kept * self._through_product(Q)

    def through_reset(self, Q: float) -> float:
        return self.reset.gain**2 * gate(self.reset, Q).slope * Q * self._through_product(Q)

    def _variance(self, Q: float) -> float:
        return self.candidate.variance(gate(self.reset, Q).kept * Q)

    def _through_product(self, Q: float) -> float:
        return self.candidate.gain**2 * TANH.slope_squared(self._variance(Q))


@dataclass(frozen=True, kw_only=True)
class _After:
    """Equations H4 and H5. An integral over a_r, with one over a_n within."""

    reset: Preactivation
    candidate: Preactivation

    def square(self, Q: float) -> float:
        return self._over_reset(Q, lambda r: TANH.square(self._variance(Q, r)))

    def through_candidate(self, Q: float) -> float:
        return self.candidate.gain**2 * self._over_reset(
            Q, lambda r: r**2 * TANH.slope_squared(self._variance(Q, r))
        )

    def through_reset(self, Q: float) -> float:
        v, noise = self.candidate.gain**2 * Q, self.candidate.input_std**2

        def given(r: float) -> float:
            w = self._variance(Q, r)
            if w == 0:
                return (r * (1 - r)) ** 2 * v
            return (r * (1 - r)) ** 2 * even_mean(lambda a: sech(a) ** 4 * ((a * r * v / w) ** 2 + v * noise / w), w)

        return self.reset.gain**2 * self._over_reset(Q, given)

    def _variance(self, Q: float, r: float) -> float:
        return self.candidate.input_std**2 + (r * self.candidate.gain) ** 2 * Q

    def _over_reset(self, Q: float, given: Callable[[float], float]) -> float:
        return gaussian_mean(lambda a: given(sigmoid(a)), self.reset.variance(Q), self.reset.bias)


def gru(*, reset: Preactivation, keep: Preactivation, candidate: Preactivation) -> GatedMeanField:
    """The GRU with the reset after the product; ``keep`` is the gate z.

    Raises ValueError where the candidate has a bias; ModuleNotFoundError without scipy.
    """
    return _solved("gru", keep, _After(reset=reset, candidate=_unbiased(candidate)))


def gru_reset_before(*, reset: Preactivation, keep: Preactivation, candidate: Preactivation) -> GatedMeanField:
    """The GRU with the reset before the product; ``keep`` is the gate z. Raises as :func:`gru` does."""
    return _solved("gru_reset_before", keep, _Before(reset=reset, candidate=_unbiased(candidate)))


def _solved(cell: str, keep: Preactivation, candidate: _Candidate) -> GatedMeanField:
    def excess(Q: float) -> float:
        z = gate(keep, Q)
        return z.let_in * candidate.square(Q) - z.lost * Q  # (H1)

    Q = fixed_point(excess, 1.0)
    z = gate(keep, Q)
    ways = {  # (H2)
        "state": z.kept,
        "W_z": keep.gain**2 * z.slope * (Q + candidate.square(Q)),
        "W_n": z.let_in * candidate.through_candidate(Q),
        "W_r": z.let_in * candidate.through_reset(Q),
    }
    return GatedMeanField(cell=cell, square=Q, ways=ways)


def _unbiased(candidate: Preactivation) -> Preactivation:
    if candidate.bias != 0:
        raise ValueError(
            f"The candidate's bias is {candidate.bias}; the theory is for zero, where the candidate has no mean."
        )
    return candidate
