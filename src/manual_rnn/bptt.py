r"""Backpropagation through time: unrolls a cell, and goes back through the steps. The only place where t appears.

The equations of one step are the cell's own (:mod:`manual_rnn.cells`); here stand those that join the steps.
Whatever does not need the step before is done for all steps at once, as one matrix product: U x(t) and the
readout before the walk, the sums that make the gradients of the parameters after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from manual_rnn import affine, in_place, losses, readout
from manual_rnn.cell import Array, Cell, Nodes, of_input
from manual_rnn.check import check_problem
from manual_rnn.loss import weights_for
from manual_rnn.maps import Maps
from manual_rnn.tape import Tape

Parameters = Mapping[str, Array]


def unroll(cell: Cell, params: Parameters, x: Array, initial: Mapping[str, Array], tape: Tape) -> dict[str, Array]:
    """Runs the cell over x and records every node on the tape; returns the states of the last step.

    x is (T, B, n_in), or token ids (T, B); ``initial`` has h(0) by name, each (B, n_hidden).
    """
    params = {**params, **{w.name: tape.tap_all(w.name, w.forward(params[w.of])) for w in cell.weights}}  # (F0)
    maps = Maps(cell, params)
    dense = () if affine.is_tokens(x) else (x,)
    dtype = np.result_type(*initial.values(), *params.values(), *dense)
    for name in cell.states:
        tape.reserve_state(cell.full(name), initial[name], dtype)
    before = _states_before(cell, tape)
    if in_place.unroll(cell, maps, x, before, tape):
        return {name: tape[cell.full(name)][-1].copy() for name in cell.states}
    a = np.empty((len(maps.places), *x.shape[:2], maps.n), dtype)
    maps.from_outside(x, a)
    states = dict(initial)
    for t in range(len(x)):
        tape.t = t
        states = _step(cell, maps, a[:, t], Nodes(**{name: rows[t] for name, rows in before.items()}), tape)
    return states


def _step(cell: Cell, maps: Maps, a: Array, prev: Nodes, tape: Tape) -> dict[str, Array]:
    """One step; ``a`` (k, B, n_hidden) has U x(t) + b of all maps, and receives what is missing."""
    node = Nodes()

    def evaluate(name: str) -> None:
        setattr(node, name, tap(name, a[maps.places[name]]))  # (F1)

    def tap(name: str, value: Array) -> Array:
        value = tape.tap(cell.full(name), value)
        if name in maps.waiting:
            setattr(node, name, value)
            for product in (p for p in maps.within if p.term.of == name):
                a[product.maps] += product.forward(value)
            for waiting in maps.waiting[name]:
                evaluate(waiting)  # noqa: F821 (it is there: it goes after the step)
        return value

    for product in maps.before:
        a[product.maps] += product.forward(getattr(prev, product.term.of))
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
) -> None:
    """Goes back through the steps of a tape and taps the gradient of every node, state, parameter and input.

    ``from_readout`` (T, B, n_hidden) is Vᵀ ∇o(t), the part of ∇h(t) that comes from the loss of step t; ``after`` has,
    by state, the part of the last step's that comes from the steps after the tape, where there are any.
    """
    params = {**params, **{w.name: tape[w.name] for w in cell.weights}}
    maps = Maps(cell, params)
    nodes, before = _nodes(cell, tape), _states_before(cell, tape)
    done = in_place.go_back(cell, maps, nodes, before, from_readout, grads, after)
    grad_a, carried = done or _walk_back(cell, maps, nodes, before, from_readout, grads, after)
    for m in cell.maps:
        of_map = grad_a[maps.places[m.node]]
        if m.b:
            grads.tap_all(m.b, affine.bias_gradient(of_map))  # (B6)
        for term in m.terms:
            rows = nodes[term.of] if term.now else before[term.of]
            grad_W = affine.product_weight_gradient(of_map, rows, diagonal=term.diagonal)  # (B7)
            grads.tap_all(term.weight, grad_W)
    n_in = params[of_input(cell)].shape[1]
    grad_U = affine.weight_gradients(grad_a[maps.of_input], x, n_in)  # (B8)
    for name, gradient in zip(maps.U.values(), grad_U, strict=True):
        grads.tap_all(name, gradient)
    for w in cell.weights:
        grads.tap_all(w.of, w.backward(params[w.of], params[w.name], grads[w.name]))  # (B7), through the function
    if inputs:
        by_map = [affine.input_gradient(params[U], grad_a[maps.places[node]]) for node, U in maps.U.items()]
        grads.tap_all("x", sum(by_map[1:], start=by_map[0]))  # (B9)
    for name in cell.states:
        grads.tap_all(f"{name}0", carried[name])  # (B10)


def _walk_back(
    cell: Cell,
    maps: Maps,
    nodes: Mapping[str, Array],
    before: Mapping[str, Array],
    from_readout: Array,
    grads: Tape,
    after: Mapping[str, Array] | None,
) -> tuple[Array, dict[str, Array]]:
    """Taps the gradients of all nodes; returns those of the maps, (k, T, B, n), and of the initial states."""
    carried = dict(after or {name: np.zeros_like(before[name][0]) for name in cell.states})
    for t in reversed(range(grads.T)):
        grads.t = t
        first, *others = cell.states
        total = grads.tap(cell.full(first), from_readout[t] + carried[first])  # (B4)
        grad = Nodes(**{first: total, **{name: carried[name] for name in others}})
        node, prev = (Nodes(**{name: rows[t] for name, rows in of.items()}) for of in (nodes, before))
        carried = step_back(cell, maps, node, prev, grad, grads)
    grad_a = maps.in_order({m.node: grads[cell.full(m.node)] for m in cell.maps})
    return grad_a, carried


def _nodes(cell: Cell, tape: Tape) -> dict[str, Array]:
    """The cell's nodes of all steps, under its own names."""
    names = {cell.own(name): name for name in tape}
    return {own: tape[name] for own, name in names.items() if own is not None}


def _states_before(cell: Cell, tape: Tape) -> dict[str, Array]:
    """The states that each step started from, (T, B, n_hidden) each, under the cell's own names."""
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


@dataclass(frozen=True)
class Result:
    """What a forward and a backward pass give."""

    loss: float
    """L, the weighted sum over time and batch, in nats. A Python float, so of a longdouble pass it has the digits of
    float64; ``tape["loss"].sum()`` has all of them."""
    gradients: dict[str, Array]
    """∂L/∂v by the name of v: each parameter, each initial state ("h0"), and "x" where it was asked for."""
    state: dict[str, Array]
    """The states of the last step, (B, n_hidden) each: what the next window starts from."""
    tape: Tape
    """Every node at every step."""
    node_gradients: Tape
    """∂L/∂(node at step t) under the same names, (T, B, n) each: ``node_gradients["h"][t]`` is the total ∇h."""


def zero_state(cell: Cell, params: Parameters, B: int) -> dict[str, Array]:
    """Initial states of zeros, (B, n_hidden) each, in the dtype of the parameters."""
    V = params["V"]
    return {name: np.zeros((B, V.shape[1]), V.dtype) for name in cell.states}


def forward_and_backward(
    cell: Cell,
    params: Parameters,
    x: Array,
    y: Array,
    weights: Array,
    initial: Mapping[str, Array],
    *,
    inputs: bool,
    tape: Tape,
    grads: Tape,
    loss: str = "softmax",
) -> dict[str, Array]:
    """The whole pass on the tapes that are handed in, nothing checked; returns the states of the last step.

    This is the one path: training records on plain tapes, the judge hands in tapes that put the reference's
    values in the place of ours.
    """
    state = unroll(cell, params, x, initial, tape)
    h = tape[cell.full(cell.states[0])]
    o = tape.tap_all("o", readout.forward(params["V"], params["c"], h))
    of_loss = losses.get(loss)
    values, kept = of_loss.forward(o, y, weights)
    tape.tap_all("loss", values)

    grad_o = grads.tap_all("o", of_loss.backward(kept, y, weights))
    from_readout = readout.backward(params["V"], h, grad_o, grads.tap_all)
    go_back(cell, params, x, tape, from_readout, grads, inputs=inputs)
    return state


def loss_and_gradients(
    cell: Cell,
    params: Parameters,
    x: Array,
    y: Array,
    *,
    loss: str = "softmax",
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    inputs: bool = False,
    every_node: bool = True,
    over: Result | None = None,
) -> Result:
    r"""The loss of a batch of sequences and its gradient with respect to everything, by BPTT.

    Args:
        cell: a cell, such as ``cells.get("rnn")``.
        params: the parameters by name, of one dtype; see :func:`manual_rnn.cell.parameter_shapes`.
        x: inputs (T, B, n_in), or token ids (T, B) in [0, n_in).
        y: the targets that the loss takes: target ids (T, B) in [0, n_out), or rows (T, B, n_out).
        loss: "softmax" (ids), "squared" (rows of real numbers) or "bernoulli" (rows of numbers in [0, 1]): see
            :mod:`manual_rnn.losses`.
        initial: h(0) by name, (B, n_hidden) each; zeros by default. Hand in a result's ``state`` to go on from it.
        reduction: "sum" over time and batch, their "mean", or the sum of the "last" step.
        weights: (T, B), the weight of each step's loss, in place of a named reduction.
        inputs: whether ∇x is computed too: for tokens, (T, B, n_in) numbers that training does not need.
        every_node: whether every node and its gradient is kept at every step; with False, what training does not
            need is left out of the tapes, and with it half of the time that is not in matrix products.
        over: a result of before that nobody reads any more, but for its state and its parameters' gradients: its
            tapes are written over, which saves asking the system for memory at each update. What the cell's code does
            is not read again either, so it must depend on nothing but what it is handed.

    The gradient is the gradient: nothing is clipped, scaled or averaged unless ``reduction`` says so.

    Raises:
        ValueError: an array has the wrong shape, an id is out of range, a parameter is not finite; the sentence
            names the array, what it is and what it should be.
    """
    check_problem(cell, params, x, y, initial, weights, loss)
    if weights is not None and reduction != "sum":
        raise ValueError(f"Both weights and reduction={reduction!r} are given; the weights say all a reduction can.")
    T, B = y.shape[:2]
    dtype = np.result_type(*params.values())
    if weights is None:
        weights = weights_for(reduction, T, B, dtype)
    if initial is None:
        initial = zero_state(cell, params, B)
    before = (over.tape, over.node_gradients) if over else (None, None)
    tape, grads = (Tape(T, over=written_over, lean=not every_node) for written_over in before)
    state = forward_and_backward(
        cell, params, x, y, weights, initial, inputs=inputs, tape=tape, grads=grads, loss=loss
    )
    names = [*params, *(f"{name}0" for name in cell.states), *(["x"] if inputs else [])]
    return Result(
        loss=float(tape["loss"].sum().real),
        gradients={name: grads[name] for name in names},
        state=state,
        tape=tape,
        node_gradients=grads,
    )
