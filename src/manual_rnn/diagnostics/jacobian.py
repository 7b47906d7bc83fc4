r"""What T − t steps do to a small change: the singular values of ∂h(T)/∂h(t).

.. math::
    \frac{\partial h(T)}{\partial h(t)} = J(T) J(T-1) \cdots J(t+1), \qquad J(t) = \frac{\partial h(t)}{\partial h(t-1)}

The largest says how much a gradient can grow on the way, the smallest how much of it is lost; all near one is
dynamical isometry (Saxe, McClelland, Ganguli 2014; Pennington, Schoenholz, Ganguli 2017). A cell of several states
has them end to end, [h, c].

The product is taken as it stands, by sending the unit vectors back through the steps. A singular value that is
smaller than the largest by more than the format's digits has been lost in its rounding: it is nan here. For those over
a long way see :mod:`manual_rnn.diagnostics.lyapunov`, whose logarithms have no such limit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.trajectory import Scaled, Trajectory, units


@of_one_cell
def jacobian_singular_values(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    *,
    initial: Mapping[str, Array] | None = None,
    every: int = 1,
) -> xr.DataArray:
    """log of the singular values of ∂h(T)/∂h(t), natural, the largest first; nan where the format cannot tell.

    Args:
        x: inputs (T, B, n_in), or token ids (T, B).
        initial: the states to start from, zeros by default.
        every: at t = T, T − every, T − 2 every, …; each costs a singular value decomposition a sequence.

    Returns dims ``step`` (t, coordinate ``lag`` = T − t), ``sequence``, ``index``. The condition number is the
    exponential of the first less the last.

    Raises ValueError where an argument does not fit or a state is not finite.
    """
    run = Trajectory.of(cell, params, x, initial)
    going = Scaled.of(run, run.width)
    for name, rows in units(run).items():
        going.rows[name][:] = rows
    steps = range(run.T, -1, -every)
    logs = np.empty((len(steps), run.B, run.width))
    for t in range(run.T, -1, -1):
        if t in steps:
            logs[steps.index(t)] = _log_singular_values(going)
        if t:
            going.back(run, t - 1, run.width)
    at = np.array(steps)
    return xr.DataArray(
        logs,
        dims=("step", "sequence", "index"),
        coords={"step": at, "lag": ("step", run.T - at)},
        name="log singular value",
        attrs={"long_name": "log singular value of ∂h(T)/∂h(t)", "units": "nats"},
    )


def _log_singular_values(going: Scaled) -> Array:
    """(B, D) of each sequence's matrix (D, D), whose rows are scaled by powers of their own."""
    matrices = np.concatenate([rows.swapaxes(0, 1) for rows in going.rows.values()], axis=-1)
    largest = going.power.max(axis=0)
    matrices = np.ldexp(matrices, (going.power - largest).T[..., None])
    values = np.linalg.svd(matrices, compute_uv=False)
    lost = values <= values[:, :1] * np.finfo(values.dtype).eps * values.shape[-1]
    with np.errstate(divide="ignore"):
        logs = np.log(values) + np.log(2) * largest[:, None]
    return np.where(lost, np.nan, logs)
