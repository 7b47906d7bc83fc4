r"""The network that mean-field theory speaks of: random recurrent weights, and independent noise at every
unit and step.

It is a network of this package like any other: U = σ·1, so that x of independent standard normals drives each
unit with its own noise of standard deviation σ; b = c = 0; V_ij ~ N(0, 1/n); targets at random. h(0) is drawn
as tanh(√q z), z ~ N(0, 1), q of :mod:`manual_rnn.theory.mean_field`, so that the variance is right from the first step
on. But that h(0) knows nothing of W, and a state that has settled does, which at weak noise takes long: the bias of a
finite width is another one at first (σ = 0.1 at the critical gain, n = 200: a slope of +0.02 over the first twenty
steps, of −0.02 after a hundred). Where that matters leave out the first steps, which are the largest lags.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from manual_rnn import cells, initialisation
from manual_rnn.cell import Array
from manual_rnn.diagnostics.gradient_norms import gradient_norms
from manual_rnn.diagnostics.measurable import check_count
from manual_rnn.theory.mean_field import mean_field

N_OUT = 10

RecurrentWeights = Callable[[int, float, np.random.Generator], Array]
"""From (n, gain, generator) to W (n, n)."""


def gaussian(n: int, gain: float, rng: np.random.Generator) -> Array:
    """W_ij ~ N(0, g²/n). A matrix of .01·randn, as in min-char-rnn, is the one of gain .01 √n."""
    W: Array = gain / np.sqrt(n) * rng.standard_normal((n, n))
    return W


def orthogonal(n: int, gain: float, rng: np.random.Generator) -> Array:
    """W = g Q, Q uniform over the orthogonal matrices."""
    W: Array = gain * initialisation.orthogonal(rng, n)
    return W


@dataclass(frozen=True, kw_only=True)
class DrivenNetwork:
    """One draw: ``gradient_norms(cell, net.params, net.x, net.y, initial=net.initial)``."""

    params: dict[str, Array]
    x: Array
    """Noise of variance one, (T, B, n)."""
    y: Array
    """Target ids, (T, B)."""
    initial: dict[str, Array]


def driven_network(
    n: int,
    *,
    gain: float,
    input_std: float,
    steps: int,
    batch: int = 1,
    recurrent: RecurrentWeights = gaussian,
    seed: int | Sequence[int] | np.random.Generator,
) -> DrivenNetwork:
    """Draws one network of n units and its noise.

    Raises ValueError for n, steps or batch below one, and as :func:`mean_field` does, which needs scipy.
    """
    for what, count in (("n", n), ("steps", steps), ("batch", batch)):
        check_count(what, count, 1)
    rng = np.random.default_rng(seed)
    std = np.sqrt(mean_field(gain, input_std).q)
    params = {
        "W": recurrent(n, gain, rng),
        "U": input_std * np.eye(n),
        "b": np.zeros(n),
        "V": rng.standard_normal((N_OUT, n)) / np.sqrt(n),
        "c": np.zeros(N_OUT),
    }
    return DrivenNetwork(
        params=params,
        x=rng.standard_normal((steps, batch, n)),
        y=rng.integers(0, N_OUT, (steps, batch)),
        initial={"h": np.tanh(std * rng.standard_normal((batch, n)))},
    )


def norms_by_lag(
    n: int,
    *,
    networks: int,
    gain: float,
    input_std: float,
    steps: int,
    batch: int = 1,
    recurrent: RecurrentWeights = gaussian,
    seed: int = 0,
) -> Array:
    """log ‖∇h(T − k)‖ − log ‖∇h(T)‖ of several networks, for the loss of the last step; shape (networks, steps + 1).

    The mean over the ``batch`` of sequences that each network runs over. Network i is drawn from the seed
    (seed, n, i): networks of two widths have nothing in common, those of two gains the same W but for its scale.

    Raises ValueError for a number below one, and as :func:`mean_field` does.
    """
    check_count("networks", networks, 1)
    rows = []
    for i in range(networks):
        net = driven_network(
            n, gain=gain, input_std=input_std, steps=steps, batch=batch, recurrent=recurrent, seed=(seed, n, i)
        )
        norms = gradient_norms(cells.get("rnn"), net.params, net.x, net.y, initial=net.initial, reduction="last")
        by_lag = norms.by_lag.values
        rows.append((by_lag - by_lag[0]).mean(axis=1))
    return np.array(rows)
