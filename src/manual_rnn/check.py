"""What was given, checked before anything is computed: each sentence names the array, what it is and should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from itertools import pairwise
from typing import Any, TypeVar, cast

import numpy as np

from manual_rnn import affine, losses
from manual_rnn.cell import Array, Cell, of_input
from manual_rnn.network import Network, parameter_shapes, widths
from manual_rnn.tape import Tape

Function = TypeVar("Function", bound=Callable[..., Any])


def of_one_cell(function: Function) -> Function:
    """The same function, whose first argument, ``cell``, may also be the network of one layer that is the cell itself.

    Raises ValueError for any other network.
    """

    @wraps(function)
    def checked(*given: Any, **named: Any) -> Any:
        if given:
            return function(the_cell(given[0], function.__name__), *given[1:], **named)
        if "cell" in named:
            named["cell"] = the_cell(named["cell"], function.__name__)
        return function(**named)

    return cast(Function, checked)


def the_cell(model: Any, function: str) -> Any:
    """The cell, of one or of a network of one layer that is no more than it. ValueError, naming the function, else."""
    check_model(model)
    if not isinstance(model, Network):
        return model
    if len(model.cells) > 1 or model.learned_initial:
        raise ValueError(
            f"{function} takes one cell, and was given a network of {model.name}: loss_and_gradients, initialise, "
            "the judge (testing.verify), training and weights take that."
        )
    return model.cells[0]


def check_parameters(cell: Cell | Network, params: Mapping[str, Array]) -> tuple[int, int, int]:
    """(n_in, n_hidden, n_out) of a set of parameters. Raises ValueError where they do not fit."""
    check_model(cell)
    check_mapping("params", params, "the parameters by name")
    wanted = list(parameter_shapes(cell, n_in=1, n_hidden=1, n_out=1))
    missing, unknown = [n for n in wanted if n not in params], [str(n) for n in params if n not in wanted]
    if missing or unknown:
        raise ValueError(
            f"T{_called(cell)[1:]} has the parameters {', '.join(wanted)}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}."
        )
    for name in wanted:
        check_array(name, params[name])
    U, V = of_input(Network.of(cell).cells[0]), "V"
    for name, array, meaning in ((U, params[U], "(n_hidden, n_in)"), (V, params[V], "(n_out, n_hidden)")):
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"{name} has the shape {array.shape}; expected a matrix {meaning}, each at least one.")
    n_in, n_hidden, n_out = widths(cell, params)
    shapes = parameter_shapes(cell, n_in=n_in, n_hidden=n_hidden, n_out=n_out)
    wrong = [f"{n} has the shape {params[n].shape}, expected {s}" for n, s in shapes.items() if params[n].shape != s]
    if wrong:
        raise ValueError(
            f"The parameters do not fit together (n_in = {n_in} and n_hidden = {n_hidden} from {U}, "
            f"n_out = {n_out} from V): {'; '.join(wrong)}."
        )
    for name in shapes:
        if not np.issubdtype(params[name].dtype, np.inexact):
            raise ValueError(f"{name} has the dtype {params[name].dtype}; parameters are floating-point numbers.")
        _check_finite(name, params[name])
    dtypes = {name: params[name].dtype for name in shapes}
    if len(set(dtypes.values())) > 1:
        raise ValueError(
            "The parameters must have one dtype, or the lesser one decides the accuracy: "
            + ", ".join(f"{name} is {dtype}" for name, dtype in dtypes.items()) + "."
        )
    return n_in, n_hidden, n_out


def _called(model: Cell | Network) -> str:
    return f"the cell {model.name!r}" if isinstance(model, Cell) else f"the network of {model.name}"


def check_model(model: Any) -> None:
    """Raises ValueError where what is given for a cell is neither that nor a network of them."""
    if not isinstance(model, Cell | Network):
        raise ValueError(f"cell is {_kind(model)}; expected a Cell, such as cells.get('rnn'), or a Network of several.")


def check_inputs(cell: Cell | Network, params: Mapping[str, Array], x: Array) -> None:
    """Raises ValueError where x or the ids in it do not fit the parameters."""
    check_array("x", x)
    U = of_input(Network.of(cell).cells[0])
    n_in = params[U].shape[1]
    if affine.is_tokens(x):
        if x.ndim != 2:
            raise ValueError(
                f"x holds integers, so it is token ids of shape (T, B); its shape is {x.shape}. "
                "Dense inputs are floating-point numbers."
            )
        check_ids("x", x, n_in, f"the {n_in} columns of {U}")
    elif x.ndim != 3 or x.shape[2] != n_in:
        raise ValueError(
            f"x has the shape {x.shape} and dtype {x.dtype}; expected dense inputs (T, B, n_in) with n_in = {n_in}, "
            "or integer token ids (T, B)."
        )
    else:
        check_numbers("x", x)
    if x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(f"x has the shape {x.shape}: at least one step and one sequence are needed.")


def check_ids(name: str, ids: Array, n: int, source: str) -> None:
    """Raises ValueError where an id is outside [0, n)."""
    if ids.size and (ids.min() < 0 or ids.max() >= n):
        t, b = (int(i) for i in np.argwhere((ids < 0) | (ids >= n))[0])
        raise ValueError(
            f"{name} has the id {int(ids[t, b])} at step {t}, sequence {b}; ids are in [0, {n}), from {source}."
        )


def check_targets(loss: str, y: Array, shape: tuple[int, int, int]) -> None:
    """Raises ValueError where y is not what a loss takes at (T, B, n_out), or where there is no such loss."""
    takes, (T, B, n_out) = losses.get(loss).targets, shape
    check_array("y", y)
    given = f"y has the shape {y.shape} and dtype {y.dtype}; "
    if takes.ids:
        if y.shape != (T, B) or not affine.is_tokens(y):
            raise ValueError(f"{given}expected integer target ids of shape {(T, B)}, as x has.")
        check_ids("y", y, n_out, f"the {n_out} rows of V")
        return
    if y.shape != shape or not np.issubdtype(y.dtype, np.floating):
        raise ValueError(
            f"{given}the loss {loss!r} takes floating-point targets (T, B, n_out) = {shape}, n_out being the rows of V."
        )
    _check_finite("y", y)
    outside = (y < takes.least) | (y > takes.most)
    if outside.any():
        t, b, k = (int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"y has {y[t, b, k]} at step {t}, sequence {b}, unit {k}; the loss {loss!r} takes targets between "
            f"{takes.least:g} and {takes.most:g}."
        )


def check_run(
    cell: Cell, params: Mapping[str, Array], x: Array, initial: Mapping[str, Array] | None
) -> None:
    """Raises ValueError where any argument of a forward pass alone does not fit the others."""
    _, n_hidden, _ = check_parameters(cell, params)
    check_inputs(cell, params, x)
    if initial is not None:
        _check_initial(cell, initial, (x.shape[1], n_hidden))
    _check_format(params, ({} if affine.is_tokens(x) else {"x": x}) | _states(initial))


def check_problem(
    cell: Cell | Network,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    initial: Mapping[str, Array] | None,
    weights: Array | None,
    loss: str = "softmax",
) -> None:
    """Raises ValueError where any argument of a forward and backward pass does not fit the others."""
    _, n_hidden, n_out = check_parameters(cell, params)
    check_inputs(cell, params, x)
    T, B = x.shape[:2]
    check_targets(loss, y, (T, B, n_out))
    if weights is not None:
        check_array("weights", weights)
        if weights.shape != (T, B):
            raise ValueError(f"weights has the shape {weights.shape}; expected (T, B) = {(T, B)}, as y has.")
        check_numbers("weights", weights)
    if initial is not None:
        _check_initial(cell, initial, (B, n_hidden))
    dense = {name: array for name, array in (("x", x), ("y", y)) if not affine.is_tokens(array)}
    _check_format(params, dense | ({} if weights is None else {"weights": weights}) | _states(initial))


def _states(initial: Mapping[str, Array] | None) -> dict[str, Array]:
    return {f"initial[{name!r}]": array for name, array in (initial or {}).items()}


def _check_format(params: Mapping[str, Array], others: Mapping[str, Array]) -> None:
    """One array of a wider format would make all of the pass wider, with no more digits than the parameters have."""
    dtype = next(iter(params.values())).dtype.newbyteorder("=")  # bytes the other way round are no other format
    wider = {name: array for name, array in others.items() if np.result_type(dtype, array) != dtype}
    if wider:
        are = ", ".join(f"{name} is {array.dtype}" for name, array in wider.items())
        name, array = next(iter(wider.items()))
        raise ValueError(
            f"The parameters are {dtype}, and {are}: the pass would be computed in {np.result_type(dtype, array)}. "
            f"Hand in {name}.astype('{dtype}'), or parameters that are as wide."
        )


def check_sequences(
    network: Network,
    lengths: Any,
    resets: Any,
    masks: Any,
    params: Mapping[str, Array],
    shape: tuple[int, int],
    *,
    handed_in: bool,
) -> None:
    """Raises ValueError where lengths, resets or masks do not fit the parameters and sequences of ``shape`` (T, B).

    ``handed_in``: whether an initial state is.
    """
    (T, B), n_hidden = shape, widths(network, params)[1]
    both = any(cell.reverse for cell in network.cells)
    if lengths is not None:
        check_array("lengths", lengths)
        if lengths.shape != (B,) or not np.issubdtype(lengths.dtype, np.integer):
            raise ValueError(
                f"lengths has the shape {lengths.shape} and dtype {lengths.dtype}; expected integers (B,) = {(B,)}."
            )
        if ((lengths < 1) | (lengths > T)).any():
            b = int(np.argmax((lengths < 1) | (lengths > T)))
            raise ValueError(f"lengths has {lengths[b]} for sequence {b}; each is between 1 and T = {T}.")
        if both and handed_in:
            raise ValueError(
                "initial and lengths are given, and a cell of the network goes back in time: it begins at the end of "
                "each sequence, from zeros or a learned state. Leave initial out."
            )
    if resets is not None:
        check_array("resets", resets)
        if resets.shape != (T, B) or resets.dtype != bool:
            raise ValueError(
                f"resets has the shape {resets.shape} and dtype {resets.dtype}; expected (T, B) = {(T, B)} of bool, "
                "True at each step that begins a sequence."
            )
    if masks is not None:
        _check_masks(network, masks, (T, B, n_hidden))
        _check_format(params, {f"masks[{name!r}]": mask for name, mask in masks.items()})


def check_over(over: Any) -> None:
    """Raises ValueError where what is to be written over has not the tapes of a result."""
    if over is not None and not all(isinstance(getattr(over, name, None), Tape) for name in ("tape", "node_gradients")):
        raise ValueError(f"over is {_kind(over)}; expected the Result of an earlier call, to write over its tapes.")


def _check_masks(network: Network, masks: Any, rows: tuple[int, int, int]) -> None:
    T, B, n_hidden = rows
    widths = {f"{cell.prefix}x": n_hidden * len(below) for below, layer in pairwise(network.layers) for cell in layer}
    check_mapping("masks", masks, "by the name of a layer's input what it is multiplied with")
    if unknown := [str(name) for name in masks if name not in widths]:
        raise ValueError(
            f"masks has {', '.join(unknown)}; the inputs of the layers above the first are "
            f"{', '.join(widths) or 'none, as there is one layer'}."
        )
    for name, mask in masks.items():
        what, shape = f"masks[{name!r}]", (T, B, widths[name])
        check_array(what, mask)
        if mask.shape != shape or not np.issubdtype(mask.dtype, np.floating):
            raise ValueError(f"{what} has the shape {mask.shape} and dtype {mask.dtype}; expected numbers {shape}.")
        _check_finite(what, mask)


def _check_initial(cell: Cell | Network, initial: Mapping[str, Array], shape: tuple[int, int]) -> None:
    states = Network.of(cell).states
    check_mapping("initial", initial, f"each state (B, n_hidden) = {shape} by name, {', '.join(states)}")
    if unknown := [str(name) for name in initial if name not in states]:
        raise ValueError(f"initial has {', '.join(unknown)}; the states of {_called(cell)} are {', '.join(states)}.")
    for name in states:
        if name not in initial:
            raise ValueError(f"The initial state {name!r} is missing; expected (B, n_hidden) = {shape}.")
        what = f"initial[{name!r}]"
        check_array(what, initial[name])
        if initial[name].shape != shape:
            raise ValueError(f"{what} has the shape {initial[name].shape}; expected (B, n_hidden) = {shape}.")
        check_numbers(what, initial[name])


def check_mapping(name: str, given: Any, content: str) -> None:
    """Raises ValueError where what is given is no mapping."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} is {_kind(given)}; expected a mapping: {content}.")


def check_array(name: str, given: Any) -> None:
    """Raises ValueError where what is given is no plain array."""
    # A matrix multiplies otherwise, and a mask would be forgotten on the way.
    if not isinstance(given, np.ndarray) or isinstance(given, (np.matrix, np.ma.MaskedArray)):
        raise ValueError(f"{name} is {_kind(given)}; expected a plain NumPy array.")


def check_numbers(name: str, array: Array) -> None:
    """Raises ValueError where an array holds something else than finite numbers."""
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise ValueError(f"{name} has the dtype {array.dtype}; expected numbers.")
    _check_finite(name, array)


def _check_finite(name: str, array: Array) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(
            f"{name} is not finite: {int((~finite).sum())} of {array.size} entries, "
            f"the first at {where} is {array[where]}."
        )


def _kind(given: Any) -> str:
    return "None" if given is None else f"of the type {type(given).__name__}"
