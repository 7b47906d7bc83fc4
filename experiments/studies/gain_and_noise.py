r"""Where do gradients turn from vanishing to exploding? The grid of experiments/phase_diagram.py as a study file.

    manual-rnn study run experiments/studies/gain_and_noise.py            # or with --dask ADDRESS
    manual-rnn study report experiments/studies/gain_and_noise.py --csv gain_and_noise.csv

A trial draws networks of n units, a(t) = W h(t−1) + σ ξ(t) with W Gaussian of variance g²/n, and measures the slope of
log ‖∂L/∂h(t)‖² per step of lag. Theory: log χ (:mod:`manual_rnn.theory`), which a finite width parts from by O(1/n).
"""

import numpy as np

from manual_rnn import diagnostics, theory
from manual_rnn.studies import Study, grid

NETWORKS = 4
STEPS = 60


def slope(configuration, seed):
    """The measured slope, the theory's, and how far they part."""
    gain, std = configuration["gain"], configuration["input_std"]
    norms = diagnostics.norms_by_lag(
        configuration["units"], networks=NETWORKS, gain=gain, input_std=std, steps=STEPS, seed=seed
    )
    measured = diagnostics.typical_slope(norms[:, STEPS // 6 :]).value
    predicted = theory.mean_field(gain, std).slope
    return {"slope": measured, "theory": predicted, "deviation": measured - predicted}


STUDY = Study(
    name="gain_and_noise",
    function=slope,
    configurations=grid(
        units=(100,), gain=np.linspace(0.8, 2.3, 11).round(2), input_std=np.linspace(0.05, 1.05, 6).round(2)
    ),
    seeds=range(4),
)
