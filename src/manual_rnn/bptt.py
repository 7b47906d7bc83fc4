r"""Backpropagation through time: unrolls a cell, and goes back through the steps. The only place where t appears.

The equations of one step are the cell's own (:mod:`manual_rnn.cells`); here stand those that join the steps.
Whatever does not need the step before is done for all steps at once, as one matrix product: U x(t) and the
readout before the walk, the sums that make the gradients of the parameters after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from manual_rnn import affine, in_place
from manual_rnn.anew import Anew
from manual_rnn.cell import Array, Cell, Nodes, of_input
from manual_rnn.maps import Maps
from manual_rnn.tape import Tape

Parameters = Mapping[str, Array]


def unroll(
    cell: Cell,
    params: Parameters,
    x: Array,
    initial: Mapping[str, Array],
    tape: Tape,
    *,
    anew: Anew | None = None,
    maps: Maps | None = None,
) -> dict[str, Array]:
    """Runs the cell over x and records every node on the tape; returns the states of its last step.

    x is (T, B, n_in), or token ids (T, B); ``initial`` has h(0) by name, each (B, n_hidden). ``anew`` says which
    steps start from another state than the step before has left. ``maps`` are those of the parameters, where they are
    at hand (:func:`maps_of`): only a pass that nobody goes back through can do without making them.
    """
    maps = maps or maps_of(cell, params, tape)
    dense = () if affine.is_tokens(x) else (x,)
    dtype = np.result_type(*initial.values(), *params.values(), *dense)
    for name in cell.states:
        fresh = anew.fresh[name] if anew else None
        tape.reserve_state(cell.full(name), initial[name], dtype, reverse=cell.reverse, fresh=fresh)
    before = _states_before(cell, tape)
    if in_place.unroll(cell, maps, x, before, tape, anew):
        return {name: tape[cell.full(name)][0 if cell.reverse else -1].copy() for name in cell.states}
    a = np.empty((len(maps.places), *x.shape[:2], maps.n), dtype)
    maps.from_outside(x, a)  # (F1) b + U x(t)
    states = dict(initial)
    for t in in_order(cell, len(x)):
        tape.t = t
        if anew:
            for name in cell.states:
                tape.go_on(cell.full(name), anew.starts[t])
        states = _step(cell, maps, a[:, t], Nodes(**{name: rows[t] for name, rows in before.items()}), tape)
    return states


def maps_of(cell: Cell, params: Parameters, tape: Tape) -> Maps:
    """The cell's maps, laid out for products; taps the weights that are made of parameters."""
    made = {w.name: tape.tap_all(w.name, w.forward(params[w.of])) for w in cell.weights}  # (F0)
    return Maps(cell, {**params, **made})


def in_order(cell: Cell, T: int) -> Sequence[int]:
    """The steps in the order in which the cell comes to them."""
    return range(T)[::-1] if cell.reverse else range(T)


def _step(cell: Cell, maps: Maps, a: Array, prev: Nodes, tape: Tape) -> dict[str, Array]:
    """One step; ``a`` (k, B, n_hidden) has U x(t) + b of all maps, and receives what is missing."""
    node = Nodes()

    def evaluate(name: str) -> None:
        setattr(node, name, tap(name, a[maps.places[name]]))

    def tap(name: str, value: Array) -> Array:
        value = tape.tap(cell.full(name), value)
        if name in maps.waiting:
            setattr(node, name, value)
            for product in (p for p in maps.within if p.term.of == name):
                a[product.maps] += product.forward(value)  # (F1), through a node of this step
            for waiting in maps.waiting[name]:
                evaluate(waiting)  # noqa: F821 (it is there: it goes after the step)
        return value

    for product in maps.before:
        a[product.maps] += product.forward(getattr(prev, product.term.of))  # (F1) + W h(t − 1)
    for name in maps.first:
        evaluate(name)
    states = cell.forward(node, prev, tap)  # (F2)
    del evaluate  # it and tap hold each other, and with them the tape, which must go when nobody else holds it
    return states


def go_back(
    cell: Cell,
    params: Parameters,
    x: Array,
    tape: Tape,
    from_readout: Array,
    grads: Tape,
    *,
    inputs: bool,
    after: Parameters | None = None,
    anew: Anew | None = None,
) -> dict[str, Array]:
    """Goes back through the steps of a tape and taps the gradient of every node, state, parameter and input.

    ``from_readout`` (T, B, n_hidden) is Vᵀ ∇o(t), the part of ∇h(t) that comes from the loss of step t; ``after`` has,
    by state, the part of the last step's that comes from the steps after the tape, where there are any.
    Returns the gradients of the states that steps start from ``anew``, (B, n_hidden) each; of none where none do.
    """
    params = {**params, **{w.name: tape[w.name] for w in cell.weights}}
    maps = Maps(cell, params)
    nodes, before = _nodes(cell, tape), _states_before(cell, tape)
    done = in_place.go_back(cell, maps, nodes, before, from_readout, grads, after, anew)
    grad_a, carried, fresh = done or _walk_back(cell, maps, nodes, before, from_readout, grads, after, anew)
    for m in cell.maps:
        of_map = grad_a[maps.places[m.node]]
        if m.b:
            grads.tap_all(m.b, affine.bias_gradient(of_map))  # (B6)
        for term in m.terms:
            rows = nodes[term.of] if term.now else before[term.of]
            grad_W = affine.product_weight_gradient(of_map, rows, diagonal=term.diagonal)  # (B7)
            grads.tap_all(term.weight, grad_W)
    n_in = params[of_input(cell)].shape[1]
    weight_gradients = affine.weight_gradients
    if grads.compiled and affine.is_tokens(x) and grad_a.dtype.char in "fd":
        from manual_rnn.compiled import sum_by_token as weight_gradients
    grad_U = weight_gradients(grad_a[maps.of_input], x, n_in)  # (B8)
    for name, gradient in zip(maps.U.values(), grad_U, strict=True):
        grads.tap_all(name, gradient)
    for w in cell.weights:
        grads.tap_all(w.of, w.backward(params[w.of], params[w.name], grads[w.name]))  # (B7), through the function
    if inputs:
        by_map = [affine.input_gradient(params[U], grad_a[maps.places[node]]) for node, U in maps.U.items()]
        grads.tap_all(f"{cell.prefix}x", sum(by_map[1:], start=by_map[0]))  # (B9)
    for name in cell.states:
        grads.tap_all(cell.initial_name(name), carried[name])  # (B10)
    return fresh


def _walk_back(
    cell: Cell,
    maps: Maps,
    nodes: Mapping[str, Array],
    before: Mapping[str, Array],
    from_readout: Array,
    grads: Tape,
    after: Mapping[str, Array] | None,
    anew: Anew | None,
) -> tuple[Array, dict[str, Array], dict[str, Array]]:
    """Taps the gradients of all nodes; returns those of the maps, (k, T, B, n), of the initial and of fresh states."""
    carried = dict(after or {name: np.zeros_like(before[name][0]) for name in cell.states})
    fresh = {name: np.zeros_like(before[name][0]) for name in (cell.states if anew else ())}
    for t in in_order(cell, grads.T)[::-1]:
        grads.t = t
        first, *others = cell.states
        total = grads.tap(cell.full(first), from_readout[t] + carried[first])  # (B4)
        grad = Nodes(**{first: total, **{name: carried[name] for name in others}})
        node, prev = (Nodes(**{name: rows[t] for name, rows in of.items()}) for of in (nodes, before))
        carried = step_back(cell, maps, node, prev, grad, grads)
        if anew:
            starts = anew.starts[t][:, None]
            for name in cell.states:
                fresh[name] += np.where(starts, carried[name], 0)
                carried[name] = np.where(starts, 0, carried[name])
    grad_a = maps.in_order({m.node: grads[cell.full(m.node)] for m in cell.maps})
    return grad_a, carried, fresh


def _nodes(cell: Cell, tape: Tape) -> dict[str, Array]:
    """The cell's nodes of all steps, under its own names."""
    names = {cell.own(name): name for name in tape}
    return {own: tape[name] for own, name in names.items() if own is not None}


def _states_before(cell: Cell, tape: Tape) -> dict[str, Array]:
    """The states that each step starts from, (T, B, n_hidden) each, under the cell's own names."""
    return {name: tape.previous(cell.full(name)) for name in cell.states}


def step_back(cell: Cell, maps: Maps, node: Nodes, prev: Nodes, grad: Nodes, grads: Tape) -> dict[str, Array]:
    """Goes back through one step, taps its gradients, and returns what it hands to each state of the step before."""

    def tap(name: str, value: Array) -> Array:
        value = grads.tap(cell.full(name), value)
        for product in (p for p in maps.within if name in p.nodes):
            of, arrived = product.term.of, product.back(value[None])  # Wᵀ ∇a(t), for the node that the map was taken of
            setattr(grad, of, getattr(grad, of) + arrived if hasattr(grad, of) else arrived)
        return value

    local = cell.backward(node, prev, grad, tap)  # (B5)
    carried = {name: local[f"{name}_prev"] for name in cell.states if f"{name}_prev" in local}
    grad_a = maps.in_order(local)
    for product in maps.before:
        of, arrived = product.term.of, product.back(grad_a[product.maps])  # Wᵀ ∇a(t), for ∇h(t − 1)
        carried[of] = carried[of] + arrived if of in carried else arrived
    return {name: carried.get(name, np.zeros_like(getattr(prev, name))) for name in cell.states}
