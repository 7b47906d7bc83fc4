"""The natural scale of every equation: the sum of the magnitudes of its terms, at the reference's values.

For the equations that all cells share these are the same sums of products, taken of absolute values. For a cell's
own equations the scale comes from magnitude arithmetic on the cell's own code.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import log
from typing import Any

import numpy as np

from manual_rnn import affine, loss
from manual_rnn.cell import Array, Cell, Nodes, Tap
from manual_rnn.testing.magnitude import Magnitude, scale_of
from manual_rnn.testing.problem import Answer, Case


@dataclass(frozen=True)
class Scale:
    """The scale of each number of an equation, and how many terms the longest sum in it has."""

    of: Array
    terms: int


Scales = tuple[Mapping[str, Scale], Mapping[str, Scale]]
"""Those of the forward nodes and those of the gradients, by the names that the tapes use."""


OF_THE_READOUT = ("o", "loss")


def previous_states(cell: Cell, case: Case, nodes: Mapping[str, Array]) -> dict[str, Array]:
    """Each state at steps 0 … T−1, (T, B, n): the initial one, then the reference's."""
    return {name: np.concatenate([case.initial[name][None], nodes[name][:-1]]) for name in cell.states}


def natural_scales(cell: Cell, case: Case, answer: Answer) -> Scales:
    """The scales of every equation of a case, at the values of the reference's answer."""
    nodes, grads = answer
    s = case.spec.sizes
    size = {name: np.abs(array) for name, array in case.params.items()}
    x = case.x if affine.is_tokens(case.x) else np.abs(case.x)
    before = previous_states(cell, case, nodes)
    h = nodes[cell.states[0]]

    forward, backward = _own_equations(cell, nodes, grads, before)
    for m in cell.maps:
        a = affine.forward(size[m.U], size[m.b], x) + np.abs(before[m.state]) @ size[m.W].T
        forward[m.node] = Scale(a, s.n_in + s.n_hidden + 1)
    forward["o"] = Scale(affine.forward(size["V"], size["c"], np.abs(h)), s.n_hidden + 1)
    forward["loss"], backward["o"] = _of_loss(case, nodes["o"])

    grad_o, steps = np.abs(grads["o"]), s.T * s.B
    backward["c"] = Scale(affine.bias_gradient(grad_o), steps)
    backward["V"] = Scale(affine.weight_gradient(grad_o, np.abs(h), s.n_hidden), steps)
    for i, name in enumerate(cell.states):
        carried = _carried(cell, name, size, grads, backward)
        arriving = np.concatenate([carried[1:], np.zeros_like(carried[:1])])
        from_loss = affine.input_gradient(size["V"], grad_o) if i == 0 else 0
        backward[name] = Scale(arriving + from_loss, s.n_hidden + s.n_out)
        backward[f"{name}0"] = Scale(carried[0], s.n_hidden)
    inputs = np.zeros((s.T, s.B, s.n_in), case.dtype)
    for m in cell.maps:
        grad_a = np.abs(grads[m.node])
        backward[m.b] = Scale(affine.bias_gradient(grad_a), steps)
        backward[m.W] = Scale(affine.weight_gradient(grad_a, np.abs(before[m.state]), s.n_hidden), steps)
        backward[m.U] = Scale(affine.weight_gradient(grad_a, x, s.n_in), steps)
        inputs = inputs + affine.input_gradient(size[m.U], grad_a)
    backward["x"] = Scale(inputs, s.n_hidden * len(cell.maps))
    return forward, backward


def _own_equations(
    cell: Cell, nodes: Mapping[str, Array], grads: Mapping[str, Array], before: Mapping[str, Array]
) -> tuple[dict[str, Scale], dict[str, Scale]]:
    """The cell's own equations under magnitude arithmetic, all steps at once, each fed with exact values.

    Code that cannot be run so (it indexes, or calls what is no ufunc) has the largest number of each row for scale.
    """
    own = [name for name in nodes if name not in OF_THE_READOUT]
    grads = {name: grads[name] for name in own}
    # What flows into the cell at each unit: the largest gradient of its nodes.
    flow = reduce(np.maximum, [np.abs(array) for array in grads.values()])
    forward = {name: _largest_of_row(nodes[name]) for name in own}
    backward = {name: Scale(np.maximum(_largest_of_row(grads[name]).of, 2 * flow), 1) for name in own}
    prev = Nodes(**{name: Magnitude(array) for name, array in before.items()})
    node = Nodes(**{name: Magnitude(array) for name, array in nodes.items()})
    grad = Nodes(**{name: Magnitude(grads[name]) for name in cell.states})
    maps = Nodes(**{m.node: Magnitude(nodes[m.node]) for m in cell.maps})
    states: Any = dict.fromkeys(cell.states)
    direct: Any = dict.fromkeys(m.node for m in cell.maps)
    # Whatever is raised: if the code itself is at fault, the pass with plain arrays says so.
    with contextlib.suppress(Exception):
        states = cell.forward(maps, prev, _tap_into(forward, nodes))
    with contextlib.suppress(Exception):
        direct = cell.backward(node, prev, grad, _tap_into(backward, grads))
    _check_returned("forward", states, "each state", cell.states)
    _check_returned("backward", direct, "the gradient of each map", [m.node for m in cell.maps])
    known = {m.node for m in cell.maps} | {f"{name}_prev" for name in cell.states}
    if unknown := [name for name in direct if name not in known]:
        raise ValueError(f"backward returned {_list(unknown)}; it may return {_list(sorted(known))}.")
    backward = {name: _rounded_derivative(scale, flow) for name, scale in backward.items()}
    for name in cell.states:
        if f"{name}_prev" in direct:
            backward[f"{name}_prev"] = Scale(scale_of(direct[f"{name}_prev"]), 1)
    return forward, backward


def _check_returned(what: str, given: Any, content: str, names: Iterable[str]) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"{what} returned a {type(given).__name__}; expected a dict with {content}, {_list(names)}.")
    if missing := [name for name in names if name not in given]:
        raise ValueError(f"{what} returned {_list(given) or 'nothing'}; {_list(missing)} is missing in it.")


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _rounded_derivative(scale: Scale, flow: Array) -> Scale:
    """The scale, or twice what flows into the cell where that is more and anything is passed on at all.

    The oracle rounds the derivative in a form of its own: 1 − h² has a scale of up to two where g / cosh² a has
    next to none, and both are right. A true zero, of a dead unit, is the same in every form.
    """
    coarse = ~(scale.of >= flow) & ~(scale.of == 0)
    return Scale(np.where(coarse, 2 * flow, scale.of), scale.terms)


def _tap_into(scales: dict[str, Scale], exact: Mapping[str, Array]) -> Tap:
    """A tap that notes each equation's scale and goes on with the exact value."""

    def tap(name: str, value: Any) -> Any:
        if name in exact:
            scales[name] = Scale(np.broadcast_to(scale_of(value), exact[name].shape), 1)
        return Magnitude(exact.get(name, value))

    return tap


def _largest_of_row(array: Array) -> Scale:
    return Scale(np.broadcast_to(np.abs(array).max(axis=-1, keepdims=True), array.shape), 1)


def _carried(
    cell: Cell, state: str, size: Mapping[str, Array], grads: Mapping[str, Array], backward: Mapping[str, Scale]
) -> Array:
    """The scale of what step t hands to ∇state(t−1): through the maps, and directly where the cell does so."""
    direct = f"{state}_prev"
    carried = backward[direct].of if direct in backward else np.zeros_like(grads[state])
    for m in cell.maps:
        if m.state == state:
            carried = carried + affine.input_gradient(size[m.W], np.abs(grads[m.node]))
    return carried


def _of_loss(case: Case, o: Array) -> tuple[Scale, Scale]:
    """Scales of the loss, log Σ e^{o−m} + m − o_y with the largest logit m, and of ∇o = w (ŷ − 1_y).

    Σ e^{o−m} lies in [1, n]: its rounding is an error of the size of one in the logarithm. That of o − m is an error
    in proportion to |o| + |m| in the exponential.
    """
    w = np.abs(case.weights)
    ones = np.ones_like(w)
    _, y_hat = loss.forward(o, case.y, ones)
    largest = np.abs(o.max(axis=-1, keepdims=True))
    of_target = np.abs(np.take_along_axis(o, case.y[..., None], axis=-1))
    value = w * (1 + log(o.shape[-1]) + largest + of_target)[..., 0]
    gradient = w[..., None] * y_hat * (1 + np.abs(o) + largest)
    steps, rows = np.ogrid[: case.y.shape[0], : case.y.shape[1]]
    gradient[steps, rows, case.y] += w
    return Scale(value, o.shape[-1]), Scale(gradient, o.shape[-1])
