r"""How much each step's loss tells each earlier state: M[s, t] = ‖∂L_s/∂h(t)‖, the whole T × T matrix.

The gradient that BPTT computes at h(t) is the sum over s ≥ t of what the losses L_s send there, and a sum hides its
parts. Here they are kept apart, M[s, t] = ‖G_s(t)‖ (:mod:`.many_losses`): the matrix costs one backward pass whose
batch grows by one row at every step, T²/2 rows and not T passes. At T = 200, n = 100 that is some 40 ms
(benchmarks/diagnostics.py).

What it does not see: that the parts may cancel in the sum. Their lengths say nothing of their directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.comparison import Oracle, checked, compare, sampled
from manual_rnn.diagnostics.labelled import xr
from manual_rnn.diagnostics.many_losses import MOST, back_from_losses, by_oracle, gradients_apart
from manual_rnn.diagnostics.measurable import check_count, check_loss
from manual_rnn.diagnostics.rounding import MOVES
from manual_rnn.diagnostics.states import log_norm, state_name
from manual_rnn.diagnostics.trajectory import Trajectory
from manual_rnn.ways.given import Given


@of_one_cell
def loss_by_state(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    *,
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    loss: str = "softmax",
    state: str | None = None,
    block: int = 256,
    against: Oracle | None = None,
) -> xr.DataArray:
    r"""log M[s, t], natural logarithm, for s = 1 … T and t = 0 … T: -inf where t > s, and where a gradient is zero.

    ``block`` losses go back at a time: memory is that many states (B, n_hidden), time (T + block) T / 2 of their rows
    for each sequence. The other arguments are those of :func:`manual_rnn.loss_and_gradients`; ``state`` is the name
    of one of the cell's states, the first by default. Nothing underflows: logarithms of any size are right.

    ``against`` is the oracle of a cross-check (:mod:`.comparison`): the gradients of at most seven losses, evenly
    spread, at every step, and their numbers in the matrix. It does not see the other losses, nor what float64 has lost.

    Returns dims ``loss`` (s), ``step`` (t), ``sequence``.

    Raises ValueError as that function does, Unmeasurable where a state is not finite or every weight is zero, and
    Disagreement.
    """
    check_count("block", block, 1)
    name = state_name(cell, state)
    given = Given.of(cell, params, x, y, initial=initial, reduction=reduction, weights=weights, loss=loss)
    check_loss(given.weights)
    run = Trajectory.of(cell, params, x, given.initial)
    sent = run.from_losses(y, given.weights, loss)
    T, B = sent.shape[:2]
    logs = np.full((T, T + 1, B), -np.inf)
    for first in range(0, T, block):
        last = min(first + block, T)
        for step, _, power, log_norms in back_from_losses(run, sent, range(last - 1, first - 1, -1)):
            logs[last - len(power) : last, step] = log_norms[name][::-1]
    M = xr.DataArray(
        logs,
        dims=("loss", "step", "sequence"),
        coords={"loss": np.arange(1, T + 1), "step": np.arange(T + 1)},
        name=f"log ‖∂L_s/∂{name}(t)‖",
        attrs={
            "diagnostic": "loss_by_state", "state": name, "long_name": f"log ‖∂L_s/∂{name}(t)‖", "units": "nats",
        },
    )  # fmt: skip
    if against is None:
        return M
    losses = sampled(T, MOST)[::-1]
    by = by_oracle(against, cell, params, x, given.initial, losses, given.weights, y=y, loss=loss)[1:]
    theirs = np.stack([np.concatenate([grads[f"{name}0"][None], grads[cell.full(name)]]) for grads in by])
    rng, moved = np.random.default_rng(0), []
    for _ in range(MOVES):
        other = Trajectory.moved(cell, params, x, given.initial, rng)
        moved.append(gradients_apart(other, other.from_losses(y, given.weights, loss), losses, name))
    places = {"loss": [s + 1 for s in losses], "step": range(T + 1), "sequence": range(B)}
    of_vectors = compare(gradients_apart(run, sent, losses, name), theirs, moved, places)
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.abs(np.expm1(logs[losses] - log_norm(theirs)))  # -inf less -inf is two zeros
    of_numbers = replace(of_vectors, error=np.where(logs[losses] == log_norm(theirs), 0.0, off))
    return checked(M, {"gradients of losses": of_vectors, "their norms": of_numbers})
