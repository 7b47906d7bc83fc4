"""How gradients fare on their way back through time, measured. The theory is :mod:`manual_rnn.theory`.

``gradient_norms`` measures, for any cell; ``cross_check`` says whether the gradients measured are right, and
``jacobian_cross_check`` whether Jacobians are;
``driven_network`` draws the network that mean-field theory speaks of, ``slope`` takes the slope of its norms.

The others return labelled arrays of xarray, which say what each axis is, print, convert to tables (``to_dataframe``)
and plot themselves (``plot``): ``loss_by_state`` (what each loss tells each earlier state), ``contributions`` of each
lag and step to a parameter's gradient, with ``memory_horizon`` and ``suggested_truncation``;
``jacobian_singular_values`` and ``lyapunov_exponents`` of the run itself; ``saturation``, ``gate_memory``,
``gradient_ways``, ``recurrent_matrices``, ``clipping_statistics``. ``during_training`` follows them through a training.
"""

from manual_rnn.diagnostics.clipped import clipping_statistics
from manual_rnn.diagnostics.contributions import contributions, memory_horizon, suggested_truncation
from manual_rnn.diagnostics.cross_check import CrossCheck, cross_check
from manual_rnn.diagnostics.driven_network import DrivenNetwork, driven_network, gaussian, norms_by_lag, orthogonal
from manual_rnn.diagnostics.during_training import during_training
from manual_rnn.diagnostics.gates import gate_memory, gradient_ways
from manual_rnn.diagnostics.gradient_norms import GradientNorms, gradient_norms
from manual_rnn.diagnostics.jacobian import jacobian_singular_values
from manual_rnn.diagnostics.jacobian_check import jacobian_cross_check
from manual_rnn.diagnostics.loss_by_state import loss_by_state
from manual_rnn.diagnostics.lyapunov import exponents_of_product, lyapunov_exponents, perturbation_exponent
from manual_rnn.diagnostics.recurrence import recurrent_matrices
from manual_rnn.diagnostics.saturation import saturation
from manual_rnn.diagnostics.slope import Slope, extrapolated, mean_slope, typical_slope

__all__ = [
    "CrossCheck",
    "DrivenNetwork",
    "GradientNorms",
    "Slope",
    "clipping_statistics",
    "contributions",
    "cross_check",
    "driven_network",
    "during_training",
    "exponents_of_product",
    "extrapolated",
    "gate_memory",
    "gaussian",
    "gradient_norms",
    "gradient_ways",
    "jacobian_cross_check",
    "jacobian_singular_values",
    "loss_by_state",
    "lyapunov_exponents",
    "mean_slope",
    "memory_horizon",
    "norms_by_lag",
    "orthogonal",
    "perturbation_exponent",
    "recurrent_matrices",
    "saturation",
    "suggested_truncation",
    "typical_slope",
]
