"""Mean-field theory of gated cells: quadrature against brute force, and the cells themselves, with fresh weights at
every step, where the theory holds, and with the same ones, where it does not."""

import numpy as np
import pytest

from manual_rnn import cells, theory
from manual_rnn.diagnostics.trajectory import Trajectory
from manual_rnn.theory import Preactivation
from manual_rnn.theory.gates import gate
from manual_rnn.theory.gaussian_mean import gaussian_mean

MINIMAL = {"gain": 2.0, "embedding_gain": 1.0, "embedding_std": 1.0, "keep_bias": 1.0}
GATED = {
    "reset": Preactivation(gain=2, input_std=0.5, bias=0.5),
    "keep": Preactivation(gain=2, input_std=0.5, bias=1),
    "candidate": Preactivation(gain=3, input_std=0.5),
}
OF_MAP = {"r": "reset", "z": "keep", "n": "candidate"}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def minimal_weights(n, rng, gain, embedding_gain, embedding_std, keep_bias):
    square = rng.standard_normal((2, n, n)) / n**0.5
    return {
        "W": gain * square[0], "Z": embedding_gain * square[1], "U": embedding_std * np.eye(n),
        "b_z": np.zeros(n), "b_u": np.full(n, keep_bias), "V": np.zeros((1, n)), "c": np.zeros(1),
    }  # fmt: skip


def gru_weights(n, rng, maps):
    """U gives every map noise of its own: x has n numbers for each."""
    params = {"V": np.zeros((1, n)), "c": np.zeros(1), "d_n": np.zeros(n)}
    for i, name in enumerate("rzn"):
        of = maps[OF_MAP[name]]
        params[f"W_{name}"] = of.gain / n**0.5 * rng.standard_normal((n, n))
        params[f"U_{name}"] = of.input_std * np.eye(n, 3 * n, i * n)
        params[f"b_{name}"] = np.full(n, of.bias)
    return params


def weights(cell, n, rng):
    if cell.name == "minimal_rnn":
        return minimal_weights(n, rng, **MINIMAL), n
    params = gru_weights(n, rng, GATED)
    if cell.name == "gru_reset_before":
        del params["d_n"]
    return params, 3 * n


def measured(name, *, n, steps, settle, fresh, seed, batch=4, gradients=4):
    """E[h²] at the end, and ‖∇h(T − steps)‖²/‖∇h(T)‖², the mean over sequences and directions, of one network."""
    cell, rng = cells.get(name), np.random.default_rng((seed, n))
    (params, n_in), states, runs = weights(cell, n, rng), {"h": np.zeros((batch, n))}, []
    for _ in range(settle + steps):
        if fresh:
            params, _ = weights(cell, n, rng)
        runs.append(Trajectory.of(cell, params, rng.standard_normal((1, batch, n_in)), states))
        states = {"h": runs[-1].states("h")[-1]}
    bundle = {"h": rng.standard_normal((gradients, batch, n))}
    before = (bundle["h"] ** 2).sum(axis=-1)
    for run in runs[: settle - 1 : -1]:
        bundle, _ = run.back(0, bundle)
    return (states["h"] ** 2).mean(), ((bundle["h"] ** 2).sum(axis=-1) / before).mean()


def of_theory(name):
    return theory.minimal_rnn(**MINIMAL) if name == "minimal_rnn" else getattr(theory, name)(**GATED)


NAMES = ["minimal_rnn", "gru", "gru_reset_before"]


@pytest.mark.parametrize("name", NAMES)
def test_with_fresh_weights_the_cells_do_as_the_theory_says(name):
    predicted = of_theory(name)
    steps, networks = 2, 30
    runs = np.array([measured(name, n=60, steps=steps, settle=25, fresh=True, seed=i) for i in range(networks)])
    standard_error = runs.std(axis=0, ddof=1) / networks**0.5
    expected = np.array([predicted.square, predicted.chi**steps])
    assert (standard_error < 0.05 * expected).all()
    assert (np.abs(runs.mean(axis=0) - expected) < 3 * standard_error).all()
    assert predicted.slope == np.log(predicted.chi)
    assert all(part > 0 for part in predicted.ways.values())
