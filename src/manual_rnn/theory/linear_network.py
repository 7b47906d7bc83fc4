r"""The linear network, where the way back is a power of a matrix.

For h(t) = W h(t−1) + U x(t) + b, whatever the input,

.. math::
    \nabla h(T-k) = (W^\top)^k\, \nabla h(T) \qquad \text{for the loss of the last step}    && \text{(W1)}

so in the long run the norm goes with the spectral radius ρ(W), log ‖∇h(T−k)‖ ≈ k log ρ(W), and on the way there it may
rise first if W is not normal. Domain: exact, no statistics. What it does not see: nonlinearity.

Source: Pascanu, Mikolov, Bengio, ICML 2013, section 2.1; Saxe, McClelland, Ganguli, ICLR 2014.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.clipping import norm
from manual_rnn.theory.arguments import whole


def log_norms_by_lag(W: Array, gradient: Array, lags: int) -> Array:
    """log ‖(Wᵀ)^k ∇h(T)‖ for k = 0 … lags, (lags + 1,), natural; -inf from where it is zero on.

    ``W`` is (n, n), ``gradient`` (n,) the last step's ∇h(T). The vector is scaled at every step: nothing underflows.
    Raises ValueError for other shapes, what is not finite, or a number of lags below 0.
    """
    whole("number of lags", lags, 0)
    if gradient.ndim != 1 or W.shape != (len(gradient), len(gradient)):
        raise ValueError(f"W has the shape {W.shape}, the gradient {gradient.shape}; expected (n, n) and (n,).")
    if not (np.isfinite(W).all() and np.isfinite(gradient).all()):
        raise ValueError("W or the gradient has entries that are not finite; they have no norms.")
    logs = np.full(lags + 1, -np.inf)
    vector, log_scale = np.asarray(gradient), 0.0
    for k in range(lags + 1):
        size = norm(vector)  # which squares no 1e-200
        if size == 0:
            break
        log_scale += float(np.log(size))
        logs[k] = log_scale
        vector = W.T @ (vector / size)  # (W1)
    return logs
