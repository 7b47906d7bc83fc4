r"""The logistic function, which the gates share.

.. math:: \sigma(a) = \frac{1}{1 + e^{-a}} \qquad \sigma'(a) = \sigma(a)\,(1 - \sigma(a))

In this form it keeps all its digits on either side (docs/numerics.md). Where $e^{-a}$ is beyond the format's range
the quotient is zero; σ is less than the smallest normal number there.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array


def sigmoid(a: Array) -> Array:
    """σ(a) by element."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-a))
