"""How gradients fare on their way back through time, measured. The theory is :mod:`manual_rnn.theory`.

``gradient_norms`` measures, for any cell; ``cross_check`` says whether the gradients measured are right;
``driven_network`` draws the network that mean-field theory speaks of, ``slope`` takes the slope of its norms.
"""

from manual_rnn.diagnostics.cross_check import CrossCheck, cross_check
from manual_rnn.diagnostics.driven_network import DrivenNetwork, driven_network, gaussian, norms_by_lag, orthogonal
from manual_rnn.diagnostics.gradient_norms import GradientNorms, gradient_norms
from manual_rnn.diagnostics.slope import Slope, extrapolated, mean_slope, typical_slope

__all__ = [
    "CrossCheck",
    "DrivenNetwork",
    "GradientNorms",
    "Slope",
    "cross_check",
    "driven_network",
    "extrapolated",
    "gaussian",
    "gradient_norms",
    "mean_slope",
    "norms_by_lag",
    "orthogonal",
    "typical_slope",
]
