r"""The forward pass parallel in time, by Newton's method on all steps at once (DEER). A study of what it costs.

Y. H. Lim, Q. Zhu, J. Selfridge and M. F. Kasim, *Parallelizing non-linear sequential models over the sequence length*
(2024). The states of all steps are the root of s(t) − f(s(t−1), x(t)) = 0. From a guess ŝ, one iteration is

.. math::
    J(t) &= \partial f / \partial s \text{ at } \hat s(t-1)                                          && \text{N1} \\
    s(t) &= f(\hat s(t-1), x(t)) + J(t)\, (s(t-1) - \hat s(t-1)), \qquad s(0) = \hat s(0) \text{ given} && \text{N2}

N1 and f are of all steps side by side. N2 is linear in s, so it is an associative scan, as in
:mod:`manual_rnn.ways.parallel`; here it is walked. After k iterations the first k steps are exact, so T are always
enough; near the root the error is squared each time. How many it takes is a matter of the largest Lyapunov exponent
λ₁ (Gonzalez et al., *Predictability enables parallelization of nonlinear state space models*, 2025): few, whatever T,
where λ₁ < 0; a share of T in a chaotic network, where a product of J over the steps from ŝ, which is not yet the run
itself, may grow beyond all numbers. A step that it has carried there begins again with f(ŝ(t−1), x(t)) (a reset as in
Gonzalez et al., *Towards scalable and stable parallelization of nonlinear RNNs*, 2024), which leaves the exact ones
exact.

Memory: T · B · (S n_hidden)² numbers for J. It is found for some rows at a time, which stay in the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np

from manual_rnn.bptt import unroll
from manual_rnn.cell import Array, Cell
from manual_rnn.check import check_run, of_one_cell
from manual_rnn.tape import Tape
from manual_rnn.ways.given import Given, check_count
from manual_rnn.ways.real_time import jacobians

NUMBERS = 2**17
"""How many entries of J are found at once: a megabyte in float64."""


@of_one_cell
def newton_states(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    *,
    initial: Mapping[str, Array] | None = None,
    iterations: int = 100,
    tolerance: float | None = None,
) -> tuple[dict[str, Array], list[float]]:
    """The states of all steps by name, (T, B, n_hidden) each, and the largest change of each iteration.

    Begins with zeros; ends when a change is within ``tolerance`` times the largest state, after ``iterations`` or T + 1
    at the latest. Whether it has converged is for the changes to say: it need not have if the last one is large.

    Args:
        tolerance: eight roundings by default. In a chaotic network roundings themselves grow from step to step, and
            that many are reached only when they have died out from the front; 1e-10 in float64 is reached long before,
            and the error that is left is about its square.

    Raises:
        ValueError: iterations is no whole number of at least one; the tolerance is no number from 0 to below 1; an
            array does not fit.
    """
    check_count("iterations", iterations, "after how many it ends at the latest")
    if tolerance is not None and not (isinstance(tolerance, Real) and 0 <= tolerance < 1):
        raise ValueError(f"tolerance is {tolerance!r}; expected a number from 0 to below 1, relative to the states.")
    check_run(cell, params, x, initial)
    T, B = x.shape[:2]
    y = np.zeros((T, B), int)
    given = Given.of(cell, params, x, y, loss="softmax", initial=initial, reduction="sum", weights=None)
    first = np.concatenate([given.initial[name] for name in cell.states], axis=-1)
    n, H = first.shape[-1], given.params["V"].shape[1]
    rows = x.reshape(1, T * B, *x.shape[2:])
    s = np.zeros((T, B, n), given.dtype)
    small = 8 * float(np.finfo(given.dtype).eps) if tolerance is None else tolerance
    changes: list[float] = []
    while len(changes) < min(iterations, T + 1):
        before = np.concatenate([first[None], s[:-1]])
        states = {name: before[..., k * H : (k + 1) * H].reshape(T * B, H) for k, name in enumerate(cell.states)}
        found = unroll(given.cell, given.params, rows, states, Tape(1))
        f = np.concatenate([found[name] for name in cell.states], axis=-1).reshape(T, B, n)
        J = _all_jacobians(given, rows, states).reshape(T, B, n, n)  # (N1)
        new = f.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            for t in range(1, T):
                new[t] += np.einsum("bij,bj->bi", J[t], new[t - 1] - before[t])  # (N2)
            new = np.where(np.isfinite(new).all(axis=-1, keepdims=True), new, f)
            changes.append(float(np.abs(new - s).max()))
        s = new
        if changes[-1] <= small * np.abs(s).max() < np.inf:
            break
    return {name: s[..., k * H : (k + 1) * H] for k, name in enumerate(cell.states)}, changes


def _all_jacobians(given: Given, rows: Array, states: Mapping[str, Array]) -> Array:
    """J of every row, (T B, S n_hidden, S n_hidden)."""
    n = len(states) * given.params["V"].shape[1]
    at_once = max(1, NUMBERS // n**2)
    parts = [slice(k, k + at_once) for k in range(0, rows.shape[1], at_once)]
    return np.concatenate([
        jacobians(given, rows[:, part], {name: array[part] for name, array in states.items()})[0] for part in parts
    ])  # fmt: skip
