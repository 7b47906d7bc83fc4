"""The numbers behind the page of the gradient's decay: the norm of ∂L/∂h by lag, of each cell at each gain.

The loss is that of the last step alone; every unit has noise of its own at every step, as mean-field theory wants it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from manual_rnn import cells, initialise
from manual_rnn.cell import Array
from manual_rnn.diagnostics import driven_network, gaussian, gradient_norms, orthogonal
from manual_rnn.theory import Preactivation, gru, mean_field

UNITS, STEPS, SEEDS, INPUT_STD, KEEP_BIAS = 64, 100, 7, 0.5, 1.0
GAINS = [round(0.2 + 0.1 * i, 1) for i in range(24)]
NAMES = {
    "rnn": "vanilla RNN, Gaussian W",
    "orthogonal": "vanilla RNN, orthogonal W",
    "lstm": "LSTM",
    "gru": "GRU",
}
RECURRENT = {"rnn": gaussian, "orthogonal": orthogonal}
"""W of the vanilla networks, each of that gain."""
LAW = {
    "rnn": "½ log χ of mean-field theory, for n → ∞",
    "orthogonal": "½ log χ of mean-field theory, the same as for Gaussian W",
    "gru": "½ log χ with weights drawn anew at every step: a GRU has the same at every step, and may leave this line",
    "lstm": "",
}
"""What the theory's line is; none is known for an LSTM."""


def log_norms(cell: str, gain: float, seed: int) -> Array:
    """log10 of ‖∂L/∂h(T − k)‖ / ‖∂L/∂h(T)‖ for k = 0 … T, of one network drawn from the seed."""
    model, params, x, y, initial = problem(cell, gain, seed)
    norms = gradient_norms(cells.get(model), params, x, y, initial=initial, reduction="last")
    by_lag = norms.by_lag.values[:, 0]
    return np.asarray((by_lag - by_lag[0]) / math.log(10))


def problem(cell: str, gain: float, seed: int) -> tuple[str, dict[str, Array], Array, Array, dict[str, Array] | None]:
    """The cell's name in the library, its parameters, inputs, targets, and h(0); None is zeros."""
    if cell in RECURRENT:
        net = driven_network(
            UNITS, gain=gain, input_std=INPUT_STD, steps=STEPS, recurrent=RECURRENT[cell], seed=(seed, 0)
        )
        return "rnn", net.params, net.x, net.y, net.initial
    rng, model = np.random.default_rng((seed, 1)), cells.get(cell)
    params = initialise(model, n_in=UNITS, n_hidden=UNITS, n_out=10, forget_bias=KEEP_BIAS, seed=rng)
    params |= {m.U: INPUT_STD * params[m.U] for m in model.maps if m.U}
    params |= {term.weight: gain * params[term.weight] for m in model.maps for term in m.terms}
    x, y = rng.standard_normal((STEPS, 1, UNITS)), rng.integers(0, 10, (STEPS, 1))
    return cell, params, x, y, None


def slope(cell: str, gain: float) -> float | None:
    """What theory says log10 ‖∂L/∂h‖ gains per step back; None where there is no theory."""
    if cell == "lstm":
        return None
    if cell == "gru":
        gate = {"gain": gain, "input_std": INPUT_STD}
        plain, keep = Preactivation(**gate), Preactivation(**gate, bias=KEEP_BIAS)
        law = gru(reset=plain, keep=keep, candidate=plain)
        return law.slope / 2 / math.log(10)
    return mean_field(gain, INPUT_STD).lyapunov_exponent / math.log(10)


def band(cell: str, gain: float) -> dict[str, Any]:
    """Lowest, median and highest of the seeds by lag, to a hundredth of a power of ten, and the theory's slope."""
    rows = np.array([log_norms(cell, gain, seed) for seed in range(SEEDS)])
    found = {"low": rows.min(axis=0), "median": np.median(rows, axis=0), "high": rows.max(axis=0)}
    numbers: dict[str, Any] = {name: [round(float(v), 2) + 0.0 for v in row] for name, row in found.items()}
    per_step = slope(cell, gain)
    return {**numbers, "slope": None if per_step is None else round(per_step, 5)}


@cache
def data() -> dict[str, Any]:
    """All that the page draws, as it goes into it as JSON."""
    return {
        "units": UNITS, "steps": STEPS, "seeds": SEEDS, "gains": GAINS,
        "cells": {
            cell: {"name": name, "law": LAW[cell], "by_gain": [band(cell, gain) for gain in GAINS]}
            for cell, name in NAMES.items()
        },
    }  # fmt: skip
