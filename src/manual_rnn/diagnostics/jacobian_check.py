"""Whether the Jacobian behind a figure of singular values is right: manual against an oracle, at the run plotted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn import affine
from manual_rnn.cell import Array, Cell, of_input
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.cross_check import Oracle
from manual_rnn.diagnostics.jacobian import jacobian_singular_values
from manual_rnn.network import zero_state


@of_one_cell
def jacobian_cross_check(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    *,
    against: Oracle,
    initial: Mapping[str, Array] | None = None,
    resolved: float = 1e-10,
) -> float:
    """The largest relative difference of a singular value of ∂h(T)/∂h(0) from that of the oracle's Jacobian.

    Over all sequences, and all singular values above ``resolved`` times the largest: of what is 1e-10 of it, float64
    has six digits left, so there agreement within 1e-5 is all that can be asked for.

    ``against``: ``autodiff("rnn")`` of ``reference``; the other arguments are those of ``jacobian_singular_values``,
    and it raises ValueError as that does. What it does not see: the singular vectors.
    """
    T, B = x.shape[:2]
    ours = jacobian_singular_values(cell, params, x, initial=initial, every=T).sel(step=0).values
    initial = zero_state(cell, params, B) if initial is None else initial
    dtype = params["V"].dtype
    dense = np.eye(params[of_input(cell)].shape[1], dtype=dtype)[x] if affine.is_tokens(x) else x
    D = ours.shape[-1]
    units = np.split(np.eye(D, dtype=dtype), len(cell.states), axis=1)
    worst = 0.0
    for b in range(B):
        upstream = {name: np.zeros((T, *rows.shape), dtype) for name, rows in zip(cell.states, units, strict=True)}
        for name, rows in zip(cell.states, units, strict=True):
            upstream[name][-1] = rows  # one sequence for each unit of the last states
        start = {name: np.tile(initial[name][b], (D, 1)) for name in cell.states}
        problem = {"params": dict(params), "initial": start, "x": np.tile(dense[:, b : b + 1], (1, D, 1))}
        _, grads = against([{**problem, "upstream": upstream}])[0]
        theirs = np.linalg.svd(np.concatenate([grads[f"{name}0"] for name in cell.states], axis=1), compute_uv=False)
        seen = theirs > theirs[0] * resolved
        worst = max(worst, float(np.abs(np.exp(ours[b, seen]) / theirs[seen] - 1).max(initial=0)))
    return worst
