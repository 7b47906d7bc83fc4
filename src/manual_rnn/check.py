"""What was given, checked before anything is computed: each sentence names the array, what it is and should be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn import affine
from manual_rnn.cell import Array, Cell, parameter_shapes


def check_parameters(cell: Cell, params: Mapping[str, Array]) -> tuple[int, int, int]:
    """(n_in, n_hidden, n_out) of a set of parameters. Raises ValueError where they do not fit."""
    wanted = list(parameter_shapes(cell, n_in=1, n_hidden=1, n_out=1))
    missing, unknown = [n for n in wanted if n not in params], [n for n in params if n not in wanted]
    if missing or unknown:
        raise ValueError(
            f"The cell {cell.name!r} has the parameters {', '.join(wanted)}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}."
        )
    first = params[cell.maps[0].U]
    V = params["V"]
    if first.ndim != 2 or V.ndim != 2:
        name, array = (cell.maps[0].U, first) if first.ndim != 2 else ("V", V)
        raise ValueError(f"{name} has the shape {array.shape}; it must be a matrix.")
    n_hidden, n_in = first.shape
    n_out = V.shape[0]
    shapes = parameter_shapes(cell, n_in=n_in, n_hidden=n_hidden, n_out=n_out)
    wrong = [f"{n} has the shape {params[n].shape}, expected {s}" for n, s in shapes.items() if params[n].shape != s]
    if wrong:
        raise ValueError(
            f"The parameters do not fit together (n_in = {n_in} and n_hidden = {n_hidden} from {cell.maps[0].U}, "
            f"n_out = {n_out} from V): {'; '.join(wrong)}."
        )
    for name in shapes:
        array = params[name]
        if not np.issubdtype(array.dtype, np.inexact):
            raise ValueError(f"{name} has the dtype {array.dtype}; parameters are floating-point numbers.")
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            where = tuple(int(i) for i in bad[0])
            raise ValueError(
                f"{name} is not finite: {len(bad)} of {array.size} entries, the first at {where} is {array[where]}."
            )
    dtypes = {name: params[name].dtype for name in shapes}
    if len(set(dtypes.values())) > 1:
        raise ValueError(
            "The parameters must have one dtype, or the lesser one decides the accuracy: "
            + ", ".join(f"{name} is {dtype}" for name, dtype in dtypes.items()) + "."
        )
    return n_in, n_hidden, n_out


def check_inputs(cell: Cell, params: Mapping[str, Array], x: Array) -> None:
    """Raises ValueError where x or the ids in it do not fit the parameters."""
    n_in = params[cell.maps[0].U].shape[1]
    if affine.is_tokens(x):
        if x.ndim != 2:
            raise ValueError(f"x holds integers, so it is token ids of shape (T, B); its shape is {x.shape}.")
        check_ids("x", x, n_in, f"the {n_in} columns of {cell.maps[0].U}")
    elif x.ndim != 3 or x.shape[2] != n_in:
        raise ValueError(f"x has the shape {x.shape}; dense inputs are (T, B, n_in) with n_in = {n_in}.")
    elif not np.all(np.isfinite(x)):
        raise ValueError(f"x is not finite: {int((~np.isfinite(x)).sum())} of its {x.size} entries.")
    if x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(f"x has the shape {x.shape}: at least one step and one sequence are needed.")


def check_ids(name: str, ids: Array, n: int, source: str) -> None:
    """Raises ValueError where an id is outside [0, n)."""
    if ids.size and (ids.min() < 0 or ids.max() >= n):
        t, b = (int(i) for i in np.argwhere((ids < 0) | (ids >= n))[0])
        raise ValueError(
            f"{name} has the id {int(ids[t, b])} at step {t}, sequence {b}; ids are in [0, {n}), from {source}."
        )


def check_problem(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    initial: Mapping[str, Array] | None,
    weights: Array | None,
) -> None:
    """Raises ValueError where any argument of a forward and backward pass does not fit the others."""
    _, n_hidden, n_out = check_parameters(cell, params)
    check_inputs(cell, params, x)
    T, B = x.shape[:2]
    if y.shape != (T, B) or not affine.is_tokens(y):
        raise ValueError(
            f"y has the shape {y.shape} and dtype {y.dtype}; expected target ids of shape {(T, B)}, as x has."
        )
    check_ids("y", y, n_out, f"the {n_out} rows of V")
    if weights is not None and weights.shape != (T, B):
        raise ValueError(f"weights has the shape {weights.shape}; expected (T, B) = {(T, B)}, as y has.")
    if initial is None:
        return
    for name in cell.states:
        if name not in initial or initial[name].shape != (B, n_hidden):
            given = initial[name].shape if name in initial else "missing"
            raise ValueError(f"The initial state {name!r} is {given}; expected (B, n_hidden) = {(B, n_hidden)}.")
