r"""What the gradient of a parameter is made of: the part of each lag, and of each time step.

The gradient of a recurrent matrix is a double sum, over the step t at which the matrix is used and over the loss L_s
that is told of it. Ordered by the lag s − t it says how far back the learning signal reaches:

.. math::
    \nabla W = \sum_{k=0}^{T-1} C_k, \qquad
    C_k = \sum_t \frac{\partial L_{t+k}}{\partial a(t)}\, h(t-1)^\top

Truncated BPTT that goes back over K steps keeps C_0 … C_{K−1} of most losses, so ‖∇W − Σ_{k<K} C_k‖ is what such a
truncation would get wrong (Aicher, Foti, Fox 2019 bound the same relative bias).

What it does not see: parts may point against each other. ``share`` is signed and sums to one, ``log_norm`` is not and
does not; where they tell different stories, parts cancel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from manual_rnn import affine
from manual_rnn.cell import Affine, Array, Cell, Term
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.trajectory import Scaled, Trajectory
from manual_rnn.ways.given import Given

MOST = 2.0**31
"""Bytes of the largest array that is made: gradients of every loss at every step."""


@of_one_cell
def contributions(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    parameter: str | None = None,
    *,
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    loss: str = "softmax",
) -> xr.Dataset:
    r"""The parts of the gradient of a W, U or b of the cell, the first W by default, summed over the batch.

    The other arguments are those of :func:`manual_rnn.loss_and_gradients`. Costs one backward pass for all losses, T²/2
    rows, and keeps T² (B, n_hidden) numbers.

    Returns by ``lag`` (k = 0 … T − 1)

    - ``log_norm``: log ‖C_k‖, natural, -inf for zero;
    - ``share``: ⟨C_k, ∇⟩ / ‖∇‖², signed; they sum to one;
    - ``left_out``: ‖∇ − Σ_{j<k} C_j‖ / ‖∇‖, the relative error of stopping before lag k;

    and by ``step`` (t = 1 … T) ``log_norm_of_step`` and ``share_of_step``, of the parts that come from step t.

    Raises ValueError as that function does, where a state is not finite, for a parameter that is none of a map's, where
    the gradient is zero, and where T² numbers would be too many.
    """
    given = Given.of(cell, params, x, y, loss=loss, initial=initial, reduction=reduction, weights=weights)
    run = Trajectory.of(cell, params, x, given.initial)
    where, rows = _used(run, parameter or _first(cell))
    apart = _of_every_loss(run, run.from_losses(y, given.weights, loss), where)
    T = run.T

    def part_of_lag(k: int) -> Array:
        at = np.arange(T - k)
        return _product(apart[at + k, at], rows[: T - k])

    by_lag = [part_of_lag(k) for k in range(T)]
    by_step = [_product(apart[t:, t].sum(axis=0)[None], rows[t][None]) for t in range(T)]
    total = sum(by_lag[1:], start=by_lag[0])
    square = float(np.vdot(total, total))
    if not square:
        raise ValueError(f"The gradient of {parameter or _first(cell)} is zero: it has no parts.")
    left, left_out = total.copy(), []
    for part in by_lag:
        left_out.append(np.linalg.norm(left) / np.sqrt(square))
        left -= part
    return xr.Dataset(
        {
            "log_norm": ("lag", _logs(by_lag), {"units": "nats", "long_name": "log ‖C_k‖"}),
            "share": ("lag", [float(np.vdot(part, total)) / square for part in by_lag]),
            "left_out": ("lag", left_out, {"long_name": "relative error of stopping before this lag"}),
            "log_norm_of_step": ("step", _logs(by_step), {"units": "nats"}),
            "share_of_step": ("step", [float(np.vdot(part, total)) / square for part in by_step]),
        },
        coords={"lag": np.arange(T), "step": np.arange(1, T + 1)},
        attrs={"parameter": parameter or _first(cell)},
    )


def memory_horizon(parts: xr.Dataset, share: float = 0.95) -> int:
    """The least number of lags, from 0 on, whose norms ‖C_k‖ are together at least ``share`` of those of all.

    Raises ValueError where the share is not between 0 and 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; it is more than 0 and at most 1.")
    logs = parts["log_norm"].values
    cumulative = np.exp(logs - logs.max()).cumsum()
    return int(np.argmax(cumulative >= share * cumulative[-1] * (1 - 1e-12))) + 1


def suggested_truncation(parts: xr.Dataset, bias: float = 0.05) -> int:
    """The least number of lags from which on no more than ``bias`` of the gradient is left out.

    Raises ValueError where the bias is not above zero.
    """
    if not bias > 0:
        raise ValueError(f"bias is {bias}; it is a relative error, more than 0.")
    left_out = np.append(parts["left_out"].values, 0.0)
    return int(np.flatnonzero(left_out > bias).max(initial=-1)) + 1


def _first(cell: Cell) -> str:
    return next((m.W for m in cell.maps if m.W), next(m.U for m in cell.maps if m.U))


def _used(run: Trajectory, parameter: str) -> tuple[str, Array]:
    """The map that a parameter is in, and what it is multiplied with at each step, (T, B, n)."""
    for m in run.cell.maps:
        for term in m.terms:
            if term.weight == parameter and not term.diagonal:
                return m.node, _rows_of(run, term)
        if parameter == m.U:
            n_in = run.params[parameter].shape[1]
            return m.node, np.eye(n_in, dtype=run.params[parameter].dtype)[run.x] if affine.is_tokens(run.x) else run.x
        if parameter == m.b:
            return m.node, np.ones((run.T, run.B, 1), run.params[parameter].dtype)
    raise ValueError(
        f"The cell {run.cell.name!r} has no matrix or bias {parameter!r} in a map; it has "
        f"{', '.join(name for m in run.cell.maps for name in _names(m))}."
    )


def _rows_of(run: Trajectory, term: Term) -> Array:
    return run.tape[run.cell.full(term.of)] if term.now else run.tape.previous(run.cell.full(term.of))


def _names(m: Affine) -> list[str]:
    return [name for name in (*(term.weight for term in m.terms if not term.diagonal), m.U, m.b) if name]


def _of_every_loss(run: Trajectory, sent: Array, where: str) -> Array:
    """∂L_s/∂(map at step t), (s, t, B, n): zeros where t > s."""
    T, B, n = sent.shape
    if T * T * B * n * sent.itemsize > MOST:
        raise ValueError(
            f"{T} losses at {T} steps of {B} sequences of {n} units are more than {MOST / 2**30:g} GiB; "
            "take fewer steps or sequences."
        )
    apart = np.zeros((T, T, B, n), sent.dtype)
    going = Scaled.of(run, T)
    for t in reversed(range(T)):
        going.rows[run.cell.states[0]][T - 1 - t] = sent[t]  # the latest loss is the first row
        power = going.power[: T - t].copy()
        made, _ = going.back(run, t, T - t)
        apart[t:, t] = np.ldexp(made[where], power[..., None])[::-1]
    return apart


def _product(of_map: Array, rows: Array) -> Array:
    return affine.weight_gradient(of_map, rows, rows.shape[-1])


def _logs(parts: list[Array]) -> Array:
    with np.errstate(divide="ignore"):
        return np.log([np.linalg.norm(part) for part in parts])
