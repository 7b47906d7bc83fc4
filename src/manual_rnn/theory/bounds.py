r"""What no simple recurrence can exceed: Pascanu's bound on the Jacobian over k steps.

For h(t) = φ(W h(t−1) + U x(t) + b) and γ the largest slope of φ, ∂h(t)/∂h(t−k) is a product of k factors
diag(φ') W, so in the spectral norm

.. math::
    \left\lVert \frac{\partial h(t)}{\partial h(t-k)} \right\rVert_2 \le (\gamma \lVert W \rVert_2)^k, \qquad
    \gamma = 1 \ (\tanh, \text{ReLU}, \text{linear}), \quad \tfrac14 \ (\text{logistic})    && \text{(B1)}

γ‖W‖₂ < 1 is sufficient for gradients to vanish, > 1 necessary for them to explode: for every input and state.

Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, section 2.1.
Domain: simple recurrences; a gate's product has no such γ, for its slope grows with the state. What it does not see:
how loose it is. A Gaussian W of gain g has ‖W‖₂ ≈ 2g, and a typical gradient goes with √χ ≤ g.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.theory import activations
from manual_rnn.theory.arguments import whole

LARGEST_SLOPE = {**{name: phi.lipschitz for name, phi in activations.ACTIVATIONS.items()}, "logistic": 0.25}
"""γ by activation."""


def log_jacobian_bound(W: Array, lag: int, *, activation: str = "tanh") -> float:
    """log of the right side of (B1), natural: -inf for W = 0 and a lag above 0.

    Raises ValueError for W (n, n) of another shape or not finite, a lag below 0, or an activation without a γ here.
    """
    whole("lag", lag, 0)
    if activation not in LARGEST_SLOPE:
        raise ValueError(
            f"There is no largest slope here for the activation {activation!r}; for {', '.join(LARGEST_SLOPE)}."
        )
    if W.ndim != 2 or W.shape[0] != W.shape[1]:
        raise ValueError(f"W has the shape {W.shape}; expected (n, n).")
    if not np.isfinite(W).all():
        raise ValueError("W has entries that are not finite; it has no norm.")
    if lag == 0:
        return 0.0
    with np.errstate(divide="ignore"):
        return float(lag * np.log(LARGEST_SLOPE[activation] * np.linalg.norm(W, 2)))
