r"""Backpropagation through time: unrolls a cell, and goes back through the steps. The only place where t appears.

The equations of one step are the cell's own (:mod:`manual_rnn.cells`); here stand those that join the steps.
Whatever does not need the step before is done for all steps at once, as one matrix product: U x(t) and the
readout before the walk, the sums that make the gradients of the parameters after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from manual_rnn import affine, loss, readout
from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.check import check_problem
from manual_rnn.tape import Tape

Parameters = Mapping[str, Array]


def unroll(cell: Cell, params: Parameters, x: Array, initial: Mapping[str, Array], tape: Tape) -> dict[str, Array]:
    """Runs the cell over x and records every node on the tape; returns the states of the last step.

    x is (T, B, n_in), or token ids (T, B); ``initial`` has h(0) by name, each (B, n_hidden).
    """
    # Products with a row-major Wᵀ are a third faster than with a transposed view of W.
    W_T = {m.node: np.ascontiguousarray(params[m.W].T) for m in cell.maps}
    from_input = {m.node: affine.forward(params[m.U], params[m.b], x) for m in cell.maps}
    for name in cell.states:
        tape.reserve_state(name, initial[name], np.result_type(initial[name], *from_input.values(), *W_T.values()))

    states = dict(initial)
    for t in range(len(x)):
        tape.t = t
        prev = tape.previous_at(t)
        node = Nodes()
        for m in cell.maps:
            a = getattr(prev, m.state) @ W_T[m.node] + from_input[m.node][t]  # (F1)
            setattr(node, m.node, tape.tap(m.node, a))
        states = cell.forward(node, prev, tape.tap)  # (F2)
    return states


def go_back(
    cell: Cell, params: Parameters, x: Array, tape: Tape, from_readout: Array, grads: Tape, *, inputs: bool
) -> None:
    """Goes back through the steps of a tape and taps the gradient of every node, state, parameter and input.

    ``from_readout`` (T, B, n_hidden) is Vᵀ ∇o(t), the part of ∇h(t) that comes from the loss of step t.
    """
    nothing = {name: np.zeros_like(tape[name][0]) for name in cell.states}
    carried = nothing
    for t in reversed(range(tape.T)):
        grads.t = t
        grad = Nodes()
        for name in cell.states:
            direct = from_readout[t] if name == cell.states[0] else nothing[name]
            setattr(grad, name, grads.tap(name, direct + carried[name]))  # (B4)
        local = cell.backward(tape.at(t), tape.previous_at(t), grad, grads.tap)  # (B5)
        carried = {name: local.get(f"{name}_prev", nothing[name]) for name in cell.states}
        for m in cell.maps:
            carried[m.state] = carried[m.state] + local[m.node] @ params[m.W]  # Wᵀ ∇a(t), for (B4) of step t − 1

    for m in cell.maps:
        grad_a = grads[m.node]
        grads.tap_all(m.b, affine.bias_gradient(grad_a))  # (B6)
        grads.tap_all(m.W, affine.weight_gradient(grad_a, tape.previous(m.state), grad_a.shape[-1]))  # (B7)
        grads.tap_all(m.U, affine.weight_gradient(grad_a, x, params[m.U].shape[1]))  # (B8)
    if inputs:
        by_map = [affine.input_gradient(params[m.U], grads[m.node]) for m in cell.maps]
        grads.tap_all("x", sum(by_map[1:], start=by_map[0]))  # (B9)
    for name in cell.states:
        grads.tap_all(f"{name}0", carried[name])  # (B10)


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
    W = params[cell.maps[0].W]
    return {name: np.zeros((B, W.shape[0]), W.dtype) for name in cell.states}


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
) -> dict[str, Array]:
    """The whole pass on the tapes that are handed in, nothing checked; returns the states of the last step.

    This is the one path: training records on plain tapes, the judge hands in tapes that put the reference's
    values in the place of ours.
    """
    state = unroll(cell, params, x, initial, tape)
    h = tape[cell.states[0]]
    o = tape.tap_all("o", readout.forward(params["V"], params["c"], h))
    losses, y_hat = loss.forward(o, y, weights)
    tape.tap_all("loss", losses)

    grad_o = grads.tap_all("o", loss.backward(y_hat, y, weights))
    from_readout = readout.backward(params["V"], h, grad_o, grads.tap_all)
    go_back(cell, params, x, tape, from_readout, grads, inputs=inputs)
    return state


def loss_and_gradients(
    cell: Cell,
    params: Parameters,
    x: Array,
    y: Array,
    *,
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    inputs: bool = False,
) -> Result:
    r"""The loss of a batch of sequences and its gradient with respect to everything, by BPTT.

    Args:
        cell: a cell, such as ``cells.get("rnn")``.
        params: the parameters by name, of one dtype; see :func:`manual_rnn.cell.parameter_shapes`.
        x: inputs (T, B, n_in), or token ids (T, B) in [0, n_in).
        y: target ids (T, B) in [0, n_out).
        initial: h(0) by name, (B, n_hidden) each; zeros by default. Hand in a result's ``state`` to go on from it.
        reduction: "sum" over time and batch, their "mean", or the sum of the "last" step.
        weights: (T, B), the weight of each step's loss, in place of a named reduction.
        inputs: whether ∇x is computed too: for tokens, (T, B, n_in) numbers that training does not need.

    The gradient is the gradient: nothing is clipped, scaled or averaged unless ``reduction`` says so.

    Raises:
        ValueError: an array has the wrong shape, an id is out of range, a parameter is not finite; the sentence
            names the array, what it is and what it should be.
    """
    check_problem(cell, params, x, y, initial, weights)
    if weights is not None and reduction != "sum":
        raise ValueError(f"Both weights and reduction={reduction!r} are given; the weights say all a reduction can.")
    T, B = y.shape
    dtype = np.result_type(*params.values())
    if weights is None:
        weights = loss.weights_for(reduction, T, B, dtype)
    if initial is None:
        initial = zero_state(cell, params, B)
    tape, grads = Tape(T), Tape(T)
    state = forward_and_backward(cell, params, x, y, weights, initial, inputs=inputs, tape=tape, grads=grads)
    names = [*params, *(f"{name}0" for name in cell.states), *(["x"] if inputs else [])]
    return Result(
        loss=float(tape["loss"].sum().real),
        gradients={name: grads[name] for name in names},
        state=state,
        tape=tape,
        node_gradients=grads,
    )
