r"""The critical line: at which gain, for each strength of the input, gradients neither vanish nor explode.

.. math:: \chi(g_c, \sigma) = 1                                                                 && \text{(P1)}

χ is that of :mod:`manual_rnn.theory.mean_field`. For tanh, input saturates the units and moves the line up: noise
suppresses chaos (Molgedey, Schuchhardt, Schuster 1992). For the ReLU and the linear network the line is upright,
g_c = √2 and 1, and on it q diverges. Without input tanh has g_c = 1.

What it does not see is what the mean field does not: at a finite n the passage is smooth, and a little to the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.theory import activations
from manual_rnn.theory.arguments import zero_or_more
from manual_rnn.theory.extras import scipy_or_sentence
from manual_rnn.theory.mean_field import mean_field


def critical_gain(input_std: float, *, activation: str = "tanh") -> float:
    """g_c of (P1): below it gradients vanish, above it they explode. Raises as :func:`mean_field` does."""
    zero_or_more("input's standard deviation", input_std)
    phi = activations.get(activation)
    if phi.homogeneous or input_std == 0:
        return float(phi.slope_squared(0.0) ** -0.5)
    upper = 2.0
    while mean_field(upper, input_std, activation=activation).chi < 1:
        upper *= 2
    brentq: Any = scipy_or_sentence("optimize").brentq
    # At g = 1 the slope is not above zero: (M2) is below g² wherever q is above zero.
    root: float = brentq(lambda g: mean_field(g, input_std, activation=activation).slope, 1.0, upper, xtol=1e-12)
    return root


def slopes(gains: Sequence[float], input_stds: Sequence[float], *, activation: str = "tanh") -> Array:
    """log χ over a grid, (inputs, gains): a row for each σ, a column for each g. Twice the Lyapunov exponent.

    Raises ValueError where one of the two is no sequence, and as mean_field does.
    """
    for what, values in (("gains", gains), ("input_stds", input_stds)):
        if np.ndim(values) != 1:
            raise ValueError(f"{what} is {values!r}; expected a sequence of numbers, such as [0.5, 1.0].")
    rows = [[mean_field(g, s, activation=activation).slope for g in gains] for s in input_stds]
    return np.array(rows)
