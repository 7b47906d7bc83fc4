r"""How much each step's loss tells each earlier state: M[s, t] = ‖∂L_s/∂h(t)‖, the whole T × T matrix.

The gradient that BPTT computes at h(t) is the sum over s ≥ t of what the losses L_s send there, and a sum hides its
parts. Here they are kept apart: the gradients of all losses go back side by side,

.. math::
    G_s(t) = \begin{cases} V^\top \nabla o(s) & t = s \\
             \left(\partial h(t+1) / \partial h(t)\right)^\top G_s(t+1) & t < s \end{cases}
    \qquad M_{st} = \lVert G_s(t) \rVert

so the matrix costs one backward pass whose batch grows by one row at every step: T²/2 rows, and not T passes.

What it does not see: that the parts may cancel in the sum. Their lengths say nothing of their directions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.gradient_norms import state_name
from manual_rnn.diagnostics.trajectory import Scaled, Trajectory
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
) -> xr.DataArray:
    r"""log M[s, t], natural logarithm, for s = 1 … T and t = 0 … T: -inf where t > s, and where a gradient is zero.

    ``block`` losses go back at a time: memory is that many states (B, n_hidden), time (T + block) T / 2 of their rows
    for each sequence. The other arguments are those of :func:`manual_rnn.loss_and_gradients`; ``state`` is the name
    of one of the cell's states, the first by default. Nothing underflows: logarithms of any size are right.

    Returns dims ``loss`` (s), ``step`` (t), ``sequence``.

    Raises ValueError as that function does, and where a state is not finite.
    """
    name = state_name(cell, state)
    given = Given.of(cell, params, x, y, initial=initial, reduction=reduction, weights=weights, loss=loss)
    run = Trajectory.of(cell, params, x, given.initial)
    sent = run.from_losses(y, given.weights, loss)
    T, B = sent.shape[:2]
    logs = np.full((T, T + 1, B), -np.inf)
    for first in range(0, T, block):
        last = min(first + block, T)
        going, first_state = Scaled.of(run, last - first), cell.states[0]
        for t in reversed(range(last)):
            count = last - max(first, t)  # the latest loss is the first row
            if t >= first:
                going.rows[first_state][count - 1] = sent[t]
            _, of_step = going.back(run, t, count)
            logs[max(first, t) : last, t + 1] = of_step[name][::-1]
        logs[first:last, 0] = going.log_norms()[name][::-1]
    return xr.DataArray(
        logs,
        dims=("loss", "step", "sequence"),
        coords={"loss": np.arange(1, T + 1), "step": np.arange(T + 1)},
        name=f"log ‖∂L_s/∂{name}(t)‖",
        attrs={"long_name": f"log ‖∂L_s/∂{name}(t)‖", "units": "nats"},
    )
