r"""What T − t steps do to a small change: the singular values of ∂h(T)/∂h(t).

.. math::
    \frac{\partial h(T)}{\partial h(t)} = J(T) J(T-1) \cdots J(t+1), \qquad J(t) = \frac{\partial h(t)}{\partial h(t-1)}

The largest says how much a gradient can grow on the way, the smallest how much of it is lost; all near one is
dynamical isometry (Saxe, McClelland, Ganguli 2014; Pennington, Schoenholz, Ganguli 2017). A cell of several states
has them end to end, [h, c].

The product is never multiplied out: it is taken apart after each step (:mod:`manual_rnn.diagnostics.product`), so that
singular values of 1 and of 1e-100 stand side by side, each to its own digits. Only what a single step shrinks by more
than the format's digits, as a unit does that is off, is lost: it is nan here, and so is what is smaller.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.comparison import HOPELESS, CrossCheck, Oracle, ask, checked, compare, problem, sampled
from manual_rnn.diagnostics.labelled import xr
from manual_rnn.diagnostics.many_losses import unscaled
from manual_rnn.diagnostics.measurable import check_count, check_decomposed
from manual_rnn.diagnostics.product import Product
from manual_rnn.diagnostics.rounding import MOVES
from manual_rnn.diagnostics.trajectory import Scaled, Trajectory, units

MOST_NUMBERS = 2.0**25
"""Of the states that a cross-check hands to the oracle."""


@of_one_cell
def jacobian_singular_values(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    *,
    initial: Mapping[str, Array] | None = None,
    every: int = 1,
    against: Oracle | None = None,
) -> xr.DataArray:
    """log of the singular values of ∂h(T)/∂h(t), natural, the largest first; nan where the format cannot tell,
    -inf where the whole Jacobian is zero (a ReLU network none of whose units is on).

    Args:
        x: inputs (T, B, n_in), or token ids (T, B).
        initial: the states to start from, zeros by default.
        every: at t = T, T − every, T − 2 every, …; each costs a singular value decomposition a sequence.
        against: the oracle of a cross-check (:mod:`.comparison`): the rows of the Jacobian over the longest way, each
            by itself, and its singular values. It does not see those of shorter ways; it takes a sequence for each
            unit, and where that were more than 2²⁵ states, some of the rows.

    Returns dims ``step`` (t, coordinate ``lag`` = T − t), ``sequence``, ``index``. The condition number is the
    exponential of the first less the last.

    Raises ValueError where an argument does not fit, Unmeasurable where a state is not finite, Disagreement.
    """
    check_count("every", every, 1, "number of steps")
    run = Trajectory.of(cell, params, x, initial)
    dtype = run.params["V"].dtype
    check_decomposed(dtype)
    products = [Product(run.width, float(np.finfo(dtype).eps)) for _ in range(run.B)]
    steps = range(run.T, -1, -every)
    logs = np.empty((len(steps), run.B, run.width))
    for t in range(run.T, -1, -1):
        if t in steps:
            logs[steps.index(t)] = [product.log_singular_values() for product in products]
        if t == steps[-1]:
            break
        directions = np.stack([product.directions for product in products]).astype(dtype)
        for product, sent in zip(products, run.columns(run.back(t - 1, run.bundle(directions))[0]), strict=True):
            product.grow(sent)
    at = np.array(steps)
    found = xr.DataArray(
        logs,
        dims=("step", "sequence", "index"),
        coords={"step": at, "lag": ("step", run.T - at)},
        name="log singular value",
        attrs={
            "diagnostic": "jacobian_singular_values", "long_name": "log singular value of ∂h(T)/∂h(t)", "units": "nats",
        },
    )  # fmt: skip
    return found if against is None else checked(found, _checks(run, params, steps[-1], logs[-1], against))


def _checks(
    run: Trajectory, params: Mapping[str, Array], t: int, logs: Array, against: Oracle
) -> dict[str, CrossCheck]:
    """The rows of ∂h(T)/∂h(t) at the last t, and its singular values, beside those of the oracle."""
    cell, T, B, n = run.cell, run.T - t, run.B, run.n_hidden
    if not T:
        raise ValueError("There is no step between h(T) and the first h(t) that was asked for: no Jacobian to check.")
    picked = sampled(run.width, int(MOST_NUMBERS / (T * B * n)))
    initial = {name: run.states(name)[t] for name in cell.states}
    # One sequence for each unit of the states h(T) and each sequence: the unit's row of the Jacobian is its gradient.
    upstream = {name: np.zeros((T, len(picked), B, n), run.params["V"].dtype) for name in cell.states}
    for name, rows in units(run).items():
        upstream[name][-1] = rows[picked]
    flat = {name: array.reshape(T, -1, n) for name, array in upstream.items()}
    many = {name: np.tile(array, (len(picked), 1)) for name, array in initial.items()}
    x = np.tile(run.x[t:], (1, len(picked), *([1] * (run.x.ndim - 2))))
    one = cell.states[0] if len(cell.states) == 1 else None
    _, grads = ask(against, [problem(cell, params, x, many, upstream=flat[one] if one else flat)])[0]
    theirs = np.stack([grads[f"{name}0"].reshape(len(picked), B, n) for name in cell.states], axis=2)
    ours, rng = _rows(run, t)[picked], np.random.default_rng(0)
    moved = [_rows(Trajectory.moved(cell, params, run.x[t:], initial, rng), 0)[picked] for _ in range(MOVES)]
    rows_check = compare(ours, theirs, moved, {"row": picked, "sequence": range(B), "state": cell.states})
    checks = {f"∂h(T)/∂h({t})": rows_check}
    if len(picked) == run.width:
        checks["its singular values"] = _of_values(logs, theirs.swapaxes(0, 1).reshape(B, run.width, -1), rows_check)
    return checks


def _of_values(logs: Array, theirs: Array, rows: CrossCheck) -> CrossCheck:
    """By Weyl, no singular value differs by more than the matrices do: by √D of the largest, times the rows' error."""
    values = np.linalg.svd(theirs, compute_uv=False)
    with np.errstate(over="ignore", under="ignore"):
        off = np.nan_to_num(np.abs(np.exp(logs) - values)).max(axis=-1)  # a lost one is nan
        error = off / np.where(values[:, 0] > 0, values[:, 0], 1)
    allowance = np.sqrt(values.shape[-1]) * rows.allowance.max(axis=(0, 2))
    normal = values[:, 0] > np.finfo(values.dtype).smallest_normal / np.finfo(values.dtype).eps
    decided = normal & np.isfinite(values).all(axis=-1) & (allowance <= HOPELESS)
    return CrossCheck(error=error, allowance=allowance, decided=decided, places={"sequence": range(len(error))})


def _rows(run: Trajectory, t: int) -> Array:
    """The rows of ∂h(T)/∂h(t) by state, (D, B, states, n), as the format has them."""
    going = Scaled.of(run, run.width)
    for name, rows in units(run).items():
        going.rows[name][:] = rows
    for step in range(run.T - 1, t - 1, -1):
        going.back(run, step, run.width)
    return np.stack([unscaled(going.rows[name], going.power) for name in run.cell.states], axis=2)
