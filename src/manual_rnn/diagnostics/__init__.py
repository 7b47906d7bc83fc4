"""How gradients fare on their way back through time, measured, and the closed-form theory beside the
measurement.

``gradient_norms`` measures, for any cell; ``cross_check`` says whether the gradients measured are right;
``mean_field`` is the theory of a wide random network, ``driven_network`` draws that network, ``slope``
compares the two.
"""

from manual_rnn.diagnostics.cross_check import CrossCheck, cross_check
from manual_rnn.diagnostics.driven_network import DrivenNetwork, driven_network, gaussian, norms_by_lag, orthogonal
from manual_rnn.diagnostics.gradient_norms import GradientNorms, gradient_norms
from manual_rnn.diagnostics.mean_field import MeanField, critical_gain, mean_field
from manual_rnn.diagnostics.slope import Slope, extrapolated, mean_slope, typical_slope

__all__ = [
    "CrossCheck",
    "DrivenNetwork",
    "GradientNorms",
    "MeanField",
    "Slope",
    "critical_gain",
    "cross_check",
    "driven_network",
    "extrapolated",
    "gaussian",
    "gradient_norms",
    "mean_field",
    "mean_slope",
    "norms_by_lag",
    "orthogonal",
    "typical_slope",
]
