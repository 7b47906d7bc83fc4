"""How gradients fare on their way back through time, measured. The theory is :mod:`manual_rnn.theory`.

Each takes any cell and returns labelled arrays of xarray, which say what each axis is, print and convert to tables
(``to_dataframe``): ``gradient_norms`` by step and by lag; ``loss_by_state`` (what each loss tells each earlier state),
``contributions`` of each lag and step to a parameter's gradient, with ``memory_horizon`` and ``suggested_truncation``;
``jacobian_singular_values`` and ``lyapunov_exponents`` of the run itself; ``saturation``, ``gate_memory``,
``gradient_ways``, ``recurrent_matrices``, ``clipping_statistics``. ``during_training`` follows them through a
training; ``draw`` makes a figure of a result.

``over_seeds`` puts the results of several seeds side by side, ``mean_over_seeds`` has their mean and its interval.

With ``against=``, an oracle, a result is cross-checked at the very point (:mod:`.comparison`): its ``attrs`` say how
well it agreed, and one that the oracle disagrees with is no result but a ``Disagreement``. ``cross_check`` has that of
every step's gradient in numbers.

``driven_network`` draws the network that mean-field theory speaks of, ``slope`` takes the slope of its norms.
"""

from manual_rnn.diagnostics.clipped import clipping_statistics
from manual_rnn.diagnostics.comparison import CrossCheck, Disagreement
from manual_rnn.diagnostics.contributions import contributions
from manual_rnn.diagnostics.cross_check import cross_check
from manual_rnn.diagnostics.draw import draw
from manual_rnn.diagnostics.driven_network import DrivenNetwork, driven_network, gaussian, norms_by_lag, orthogonal
from manual_rnn.diagnostics.during_training import during_training
from manual_rnn.diagnostics.gates import gate_memory, gradient_ways
from manual_rnn.diagnostics.gradient_norms import gradient_norms
from manual_rnn.diagnostics.horizon import memory_horizon, suggested_truncation
from manual_rnn.diagnostics.jacobian import jacobian_singular_values
from manual_rnn.diagnostics.loss_by_state import loss_by_state
from manual_rnn.diagnostics.lyapunov import exponents_of_product, lyapunov_exponents, perturbation_exponent
from manual_rnn.diagnostics.measurable import Unmeasurable
from manual_rnn.diagnostics.recurrence import recurrent_matrices
from manual_rnn.diagnostics.saturation import saturation
from manual_rnn.diagnostics.seeds import mean_over_seeds, over_seeds
from manual_rnn.diagnostics.slope import Limit, Slope, extrapolated, mean_slope, typical_slope

__all__ = [
    "CrossCheck",
    "Disagreement",
    "DrivenNetwork",
    "Limit",
    "Slope",
    "Unmeasurable",
    "clipping_statistics",
    "contributions",
    "cross_check",
    "draw",
    "driven_network",
    "during_training",
    "exponents_of_product",
    "extrapolated",
    "gate_memory",
    "gaussian",
    "gradient_norms",
    "gradient_ways",
    "jacobian_singular_values",
    "loss_by_state",
    "lyapunov_exponents",
    "mean_over_seeds",
    "mean_slope",
    "memory_horizon",
    "norms_by_lag",
    "orthogonal",
    "over_seeds",
    "perturbation_exponent",
    "recurrent_matrices",
    "saturation",
    "suggested_truncation",
    "typical_slope",
]
