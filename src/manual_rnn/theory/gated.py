r"""What the theories of gated cells share: the answer, the fixed point, and how far to believe it.

.. math::
    Q &= E[u^2]\, Q + E[(1 - u)^2]\, E[\text{candidate}^2], \qquad Q = E[h^2]                && \text{(U1)} \\
    \chi &= \sum_{\text{ways}} \chi_{\text{way}}, \qquad
    E \lVert \nabla h(t-1) \rVert^2 = \chi\, E \lVert \nabla h(t) \rVert^2                  && \text{(U2)}

There may be several Q: a reset gate of strongly negative bias and large gain stays shut while h is small and opens when
it is large. The smallest is given, to which a network comes from h(0) = 0; the others are not looked for.

The ways back are the state that is kept and the maps of the gates and of the candidate; the gradients on them are
uncorrelated, as each map has weights of its own, so their squares add.

Fresh weights. All of it holds for n → ∞ if every step has weights of its own. A cell uses the same at every step, and
what is harmless in the vanilla network is not so here, for two reasons, neither of which goes away with n:

- The ways interfere. With one W, the paths that pass it equally often add up whenever they do so, not only if at the
  same steps. For constant a, c and δ ← a δ + c Wᵀδ with W of gain 1, (U2) has a² + c² where one W has (a + c)².
- A gate lasts. It sees h, which lasts, so a unit's gate is open for long or shut for long, and the mean of a product
  of gates is not the product of means. Q moves for the same reason.

log χ, and the slope measured with the same weights at every step (typical, n = 400, eight networks, ± .005):

    minimal_rnn  g = 0, g_Z = 1, s = 1, b = 1                                −.642   −.642
    minimal_rnn  g = 2, g_Z = 1, s = 1, b = 1                                −.524   −.498
    minimal_rnn  g = 5, g_Z = ½, s = 1, b = 2                                −.068   −.115
    gru          gains 1, inputs ½, b_z = 1                                  −.592   −.377
    gru          gains 2, 2, 3 (r, z, n), inputs ½, b_r = ½, b_z = 1         −.237   +.024

For the minimalRNN, whose candidate does not see h, it is an approximation. For a GRU it is none: the last one is
chaotic, where fresh weights would let gradients vanish. So read χ as what fresh weights do, and take the slope of the
cell that is used from a measurement. tests/test_theory_gated.py has both, on the cells themselves.

An LSTM does not close in this way, and is left out: c is a sum over the past with random factors and not Gaussian, so
E[tanh² c] needs its whole law; and E[c(t−1)² ∇c(t)²] is no product of means, as both know c. Numbers are not enough
there; it takes functions of c, or a simulation.

Sources: Chen, Pennington, Schoenholz 2018 for the minimalRNN; Gilboa, Chang, Chen, Yang, Schoenholz, Chi, Pennington,
"Dynamical isometry and a mean field theory of LSTMs and GRUs", arXiv:1901.08987 (2019), for the GRU, both with
untied weights. The equations here are derived anew for the cells of this library. With the same weights at every step:
Can, Krishnamurthy, Schwab, "Gating creates slow modes and controls phase-space complexity in GRUs and LSTMs",
arXiv:2002.00025 (2020), in continuous time.

What it does not see, beside the tie: finite n, biases that differ by unit (chrono), trained weights, the direction.
No Lyapunov exponent is given: with fresh weights there is no dynamical system that it would belong to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from manual_rnn.theory.extras import scipy_or_sentence


@dataclass(frozen=True, kw_only=True)
class GatedMeanField:
    """The stationary state of a wide gated cell whose weights are fresh at every step."""

    cell: str
    """Its name in :mod:`manual_rnn.cells`."""
    square: float
    """Q = E[h²], equation U1."""
    ways: Mapping[str, float]
    """By way back, its part of χ: "state" is what is kept, the others go by the name of the weights they pass."""

    @property
    def chi(self) -> float:
        """The factor by which the squared norm of ∇h grows with each step back in time, equation U2."""
        return math.fsum(self.ways.values())

    @property
    def slope(self) -> float:
        """log χ, natural, per step of lag."""
        return math.log(self.chi)


def fixed_point(excess: Callable[[float], float], largest: float) -> float:
    """The smallest Q of (U1), to which a network comes from h(0) = 0; from what Q gains in a step, ``excess``.

    It is at most ``largest``, and is looked for by doubling, so that two within a factor of two may be missed. If
    nothing moves where nothing has moved, excess(0) = 0, it is 0 unless a small Q grows.
    """
    first = excess(0.0)
    low, high = 0.0, max(first, 1e-9 * largest)
    if first == 0 and excess(high) <= 0:
        return 0.0
    while high < largest and excess(high) > 0:
        low, high = high, 2 * high
    brentq: Any = scipy_or_sentence("optimize").brentq
    root: float = brentq(excess, low, min(high, largest), xtol=1e-300, rtol=1e-13)
    return root
