r"""The gradients of many losses, kept apart, on their way back together: G_s(t) = ∂L_s/∂h(t) for each of some s.

.. math::
    G_s(t) = \begin{cases} V^\top \nabla o(s) & t = s \\
             \left(\partial h(t+1) / \partial h(t)\right)^\top G_s(t+1) & t < s \end{cases}

They are the rows of one bundle, the latest loss first, which grows by a row wherever a loss sets in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.diagnostics.comparison import Oracle, ask, problem
from manual_rnn.diagnostics.trajectory import Scaled, Trajectory

MOST = 7
"""How many losses a cross-check takes; with the whole loss they are eight problems, one call of the oracle."""


class Back(NamedTuple):
    """What has come to one step t = T … 0, of the losses s ≥ t: the first ``len(power)`` of those given."""

    step: int
    grads: Array
    """Of the node that was named, (S, B, n), less a power of two for each row; empty at t = 0 if it is no state."""
    power: Array
    """(S, B), whole numbers."""
    log_norms: Mapping[str, Array]
    """Of each state, (S, B), natural, nothing less: -inf for zero."""


def back_from_losses(
    run: Trajectory, sent: Array, losses: Sequence[int], node: str | None = None
) -> Iterator[Back]:
    """``losses`` are rows of ``sent`` (T, B, n_hidden), Vᵀ ∇o, the latest first; ``node`` is whose vectors to give."""
    going, first, count = Scaled.of(run, len(losses)), run.cell.states[0], 0
    for t in reversed(range(losses[0] + 1)):
        if count < len(losses) and losses[count] == t:
            going.rows[first][count] = sent[t]
            count += 1
        of_node, log_norms = going.back(run, t, count, node)
        yield Back(t + 1, of_node, going.power[:count].copy(), log_norms)
    of_state = going.rows[node] if node in going.rows else np.empty(0)
    yield Back(0, of_state, going.power, going.log_norms())


def gradients_apart(run: Trajectory, sent: Array, losses: Sequence[int], node: str) -> Array:
    """G_s at a node for t = 0 … T, (S, T + 1, B, n), as the format has them: zeros where it ends, and where t > s.

    At t = 0 there are states only; of any other node it is zero.
    """
    apart = np.zeros((len(losses), len(sent) + 1, *sent.shape[1:]), sent.dtype)
    for step, grads, power, _ in back_from_losses(run, sent, losses, node):
        if grads.size:
            apart[: len(power), step] = unscaled(grads, power)
    return apart


def unscaled(rows: Array, power: Array) -> Array:
    """Rows (..., n) times two to their powers (...)."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(rows, power[..., None]))


def by_oracle(
    against: Oracle,
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    initial: Mapping[str, Array],
    losses: Sequence[int],
    weights: Array,
    **rest: Any,
) -> list[Mapping[str, Array]]:
    """The oracle's gradients of the whole loss, then of each of some steps' losses alone; ``rest`` is y and loss."""
    problems = [problem(cell, params, x, initial, weights=weights, **rest)]
    for s in losses:
        alone = np.zeros_like(weights)
        alone[s] = weights[s]
        problems.append({**problems[0], "weights": alone})
    return [grads for _, grads in ask(against, problems)]
