"""What is known in closed form about gradients through time, one law a file: its equations with numbers, its source,
where it holds, and what it does not see.

Mean-field laws, of wide random networks, n → ∞:

- ``mean_field``: the stationary variance, χ and the Lyapunov exponent; tanh, ReLU, linear; Gaussian or orthogonal W.
- ``critical_gain``, ``slopes``: the phase diagram.
- ``relative_variance``, ``quarter_circle``, ``log_quantile_of_power``: singular values, where Gaussian and orthogonal
  weights differ.
- ``minimal_rnn``, ``gru``, ``gru_reset_before``: gated cells, with fresh weights at every step. An LSTM does not close
  in this way: see :mod:`manual_rnn.theory.gated`.

Exact laws, at any size:

- ``lyapunov_spectrum``, ``variance_per_factor``: products of Gaussian matrices (Newman).
- ``sensitivity_squared``, ``state_squared``: the curse of memory. ``truncation_bias``, ``truncation_for``: of truncated
  BPTT. Both for one linear unit.
- ``memory_of_chrono``, ``memory_of_one_bias``: what a gate keeps.
- ``log_jacobian_bound``: Pascanu's, for simple recurrences. ``log_norms_by_lag``: the linear network.
- ``floors``: the losses of those who remember nothing.

The measurements are :mod:`manual_rnn.diagnostics`. Quadrature and roots need scipy, of the extra "figures".
"""

from manual_rnn.theory import floors
from manual_rnn.theory.bounds import log_jacobian_bound
from manual_rnn.theory.chrono import memory_of_chrono, memory_of_one_bias
from manual_rnn.theory.curse_of_memory import sensitivity_squared, state_squared
from manual_rnn.theory.gated import GatedMeanField
from manual_rnn.theory.gates import Preactivation
from manual_rnn.theory.gaussian_products import lyapunov_spectrum, variance_per_factor
from manual_rnn.theory.gru import gru, gru_reset_before
from manual_rnn.theory.linear_network import log_norms_by_lag
from manual_rnn.theory.mean_field import MeanField, mean_field
from manual_rnn.theory.minimal_rnn import minimal_rnn
from manual_rnn.theory.phase_diagram import critical_gain, slopes
from manual_rnn.theory.singular_values import log_quantile_of_power, quarter_circle, relative_variance
from manual_rnn.theory.truncation_bias import truncation_bias, truncation_for

__all__ = [
    "GatedMeanField",
    "MeanField",
    "Preactivation",
    "critical_gain",
    "floors",
    "gru",
    "gru_reset_before",
    "log_jacobian_bound",
    "log_norms_by_lag",
    "log_quantile_of_power",
    "lyapunov_spectrum",
    "mean_field",
    "memory_of_chrono",
    "memory_of_one_bias",
    "minimal_rnn",
    "quarter_circle",
    "relative_variance",
    "sensitivity_squared",
    "slopes",
    "state_squared",
    "truncation_bias",
    "truncation_for",
    "variance_per_factor",
]
