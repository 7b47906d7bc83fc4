"""A cell of your own, and how its gradients fare: norms by lag, the T × T matrix, the memory horizon, two figures.

    python docs/own_cell.py [FOLDER]

The cell is a leaky tanh unit, h(t) = κ h(t−1) + (1 − κ) tanh a(t). Forward and backward are the ten lines that differ
from cell to cell; its partner in JAX, one step for one example, is what the gradients are cross-checked with.
"""

import sys
from functools import partial
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from manual_rnn import Cell, diagnostics, initialise
from manual_rnn.figures import write_figure
from reference import autodiff

KEEP = 0.9


def forward(node, prev, tap):
    s = tap("s", np.tanh(node.a))
    return {"h": tap("h", KEEP * prev.h + (1 - KEEP) * s)}


def backward(node, prev, grad, tap):
    grad_s = tap("s", (1 - KEEP) * grad.h)
    grad_a = tap("a", (1 - node.s**2) * grad_s)
    return {"a": grad_a, "h_prev": KEEP * grad.h}  # what h(t−1) gets past the map; through W it is derived for you


def step(p, prev, x, tap):
    s = tap("s", jnp.tanh(tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])))
    return {"h": tap("h", KEEP * prev["h"] + (1 - KEEP) * s)}


LEAKY = Cell("leaky", forward, backward, against=step)


def main(folder: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((100, 4, 10)), rng.integers(0, 5, (100, 4))  # 100 steps of 4 sequences
    oracle = autodiff(step)

    def norms_of(seed):
        params = initialise(LEAKY, n_in=10, n_hidden=40, n_out=5, seed=seed)
        return diagnostics.gradient_norms(LEAKY, params, x, y, reduction="last", against=oracle)

    norms = diagnostics.over_seeds(norms_of, range(8))
    mean = diagnostics.mean_over_seeds(norms).mean("sequence")
    print("lag   log10 of the norm, mean of 8 seeds ± standard error")
    for lag in (0, 10, 30, 100):
        at = mean.sel(lag=lag) / np.log(10)
        print(f"{lag:3}   {float(at.by_lag_mean):+.2f} ± {float(at.by_lag_standard_error):.2f}")
    print(f"Cross-check: worst relative error {norms.attrs['worst_relative_error']:.0e}.")

    params = initialise(LEAKY, n_in=10, n_hidden=40, n_out=5, seed=0)
    M = diagnostics.loss_by_state(LEAKY, params, x, y, against=oracle)
    parts = diagnostics.contributions(LEAKY, params, x, y, "W", against=oracle)
    print(f"95 % of the gradient of W comes from {diagnostics.memory_horizon(parts)} lags;")
    print(f"going back {diagnostics.suggested_truncation(parts, bias=0.05)} steps leaves out no more than 5 %.")
    for name, result in {"norms": norms, "matrix": M, "parts": parts}.items():
        write_figure(partial(diagnostics.draw, result), folder / name)
    print(f"norms, matrix and parts, SVG light and dark and PNG, are in {folder}.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/own_cell"))
