r"""The mean-field theory of the minimalRNN, with fresh weights at every step.

For h(t) = u ∘ h(t−1) + (1 − u) ∘ z, u = σ(b_u + W h(t−1) + Z z), z = tanh(U x) with x independent from step to step
(:mod:`manual_rnn.cells.minimal_rnn`), W_ij ~ N(0, g²/n), Z_ij ~ N(0, g_Z²/n), and what goes into the embedding,
U x, of standard deviation s; b_z = 0. With the means (G2) of the gate u,

.. math::
    R &= E[\tanh^2(s z)]                                                                    && \text{(R1)} \\
    v &= g^2 Q + g_Z^2 R                                                                    && \text{(R2)} \\
    Q &= K Q + E[(1-u)^2] R, \quad \text{as } E[h(t-1)\, z(t)] = 0                          && \text{(R3)} \\
    \chi &= \underbrace{K}_{\text{state}} + \underbrace{g^2 D\, (Q + R)}_{W}                && \text{(R4)}

The second way is ∇u = ∇h ∘ (h(t−1) − z) through Wᵀ; h(t−1) and z are independent. Q ≤ R always, so a fixed point
exists, and for b_u → ∞ χ → 1 from below: the gate makes a region, not a line, where gradients last.

Source: Chen, Pennington, Schoenholz, "Dynamical isometry and a mean field theory of RNNs", ICML 2018. What it does not
see: :mod:`manual_rnn.theory.gated`. With g = 0 the same weights at every step are as good, as z is always new.
"""

from __future__ import annotations

import math

from manual_rnn.theory import activations
from manual_rnn.theory.arguments import zero_or_more
from manual_rnn.theory.gated import GatedMeanField, fixed_point
from manual_rnn.theory.gates import Preactivation, gate


def minimal_rnn(
    *, gain: float, embedding_gain: float, embedding_std: float, keep_bias: float = 0.0
) -> GatedMeanField:
    """g, g_Z, s and b_u of the equations above.

    Raises ValueError where one of the first three is below zero or one is not finite; ModuleNotFoundError without
    scipy.
    """
    zero_or_more("gain of the embedding", embedding_gain)
    zero_or_more("standard deviation of what is embedded", embedding_std)
    R = activations.TANH.square(embedding_std**2)  # (R1)
    keep = Preactivation(gain=gain, input_std=embedding_gain * math.sqrt(R), bias=keep_bias)  # (R2)

    def excess(Q: float) -> float:
        u = gate(keep, Q)
        return u.let_in * R - u.lost * Q  # (R3)

    Q = fixed_point(excess, R)
    u = gate(keep, Q)
    ways = {"state": u.kept, "W": gain**2 * u.slope * (Q + R)}  # (R4)
    return GatedMeanField(cell="minimal_rnn", square=Q, ways=ways)
