r"""The loss of a batch of sequences and its gradient: the whole pass, from the input to the loss and back.

What it is made of stands elsewhere: the layers (:mod:`manual_rnn.layers`), each through time
(:mod:`manual_rnn.bptt`), the readout and the loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from manual_rnn import layers, losses, readout
from manual_rnn.cell import Array, Cell
from manual_rnn.check import check_over, check_problem, check_sequences
from manual_rnn.finite import check_loss
from manual_rnn.loss import weights_of_steps
from manual_rnn.network import Network, zero_state
from manual_rnn.sequences import boundaries, each_alone, without_padding
from manual_rnn.tape import Tape

Parameters = Mapping[str, Array]


@dataclass(frozen=True)
class Result:
    """What a forward and a backward pass give."""

    loss: float
    """L, the weighted sum over time and batch, in nats. A Python float, so of a longdouble pass it has the digits of
    float64; ``tape["loss"].sum()`` has all of them."""
    gradients: dict[str, Array]
    """∂L/∂v by the name of v: each parameter, each initial state ("h0"), and "x" where it was asked for. No initial
    state is there where it is learned, nor of a cell that goes back in time where lengths say where it begins."""
    state: dict[str, Array]
    """The states after the last step of each sequence, (B, n_hidden) each: what the next window starts from."""
    tape: Tape
    """Every node at every step."""
    node_gradients: Tape
    """∂L/∂(node at step t) under the same names, (T, B, n) each: ``node_gradients["h"][t]`` is the total ∇h."""


def forward_and_backward(
    model: Cell | Network,
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
    begins: Array | None = None,
    masks: Mapping[str, Array] = MappingProxyType({}),
) -> dict[str, Array]:
    """The whole pass on the tapes that are handed in, nothing checked; returns the states of each cell's last step.

    ``begins`` (T + 1, B) says where sequences begin (:mod:`manual_rnn.sequences`).

    This is the one path: training records on plain tapes, the judge hands in tapes that put the reference's
    values in the place of ours.
    """
    network = Network.of(model)
    shown, state = layers.up(network, params, x, initial, tape, begins=begins, masks=masks)
    o = tape.tap_all("o", readout.forward(params["V"], params["c"], shown))
    of_loss = losses.get(loss)
    values, kept = of_loss.forward(o, y, weights)
    tape.tap_all("loss", values)

    grad_o = grads.tap_all("o", of_loss.backward(kept, y, weights))
    shown = layers.what_it_shows(network.layers[-1], tape)
    from_readout = readout.backward(params["V"], shown, grad_o, grads.tap_all)
    layers.down(network, params, x, tape, from_readout, grads, inputs=inputs, begins=begins, masks=masks)
    return state


def loss_and_gradients(
    cell: Cell | Network,
    params: Parameters,
    x: Array,
    y: Array,
    *,
    loss: str = "softmax",
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    lengths: Array | None = None,
    resets: Array | None = None,
    masks: Mapping[str, Array] | None = None,
    inputs: bool = False,
    every_node: bool = True,
    over: Result | None = None,
    compiled: bool = False,
) -> Result:
    r"""The loss of a batch of sequences and its gradient with respect to everything, by BPTT.

    Args:
        cell: a cell, such as ``cells.get("rnn")``, or a network of several: ``stack(cells.get("lstm"), layers=2)``.
        params: the parameters by name, of one dtype; see :func:`manual_rnn.network.parameter_shapes`.
        x: inputs (T, B, n_in), or token ids (T, B) in [0, n_in).
        y: the targets that the loss takes: target ids (T, B) in [0, n_out), or rows (T, B, n_out).
        loss: "softmax" (ids), "squared" (rows of real numbers) or "bernoulli" (rows of numbers in [0, 1]): see
            :mod:`manual_rnn.losses`.
        initial: h(0) by name, (B, n_hidden) each; by default zeros, or what the network has learned. Hand in a
            result's ``state`` to go on from it.
        reduction: "sum" over time and batch, their "mean", or the sum of the "last" step, of each sequence its own.
        weights: (T, B), the weight of each step's loss, in place of a named reduction.
        lengths: (B,) whole numbers from 1 to T, how many steps each sequence has: what x and y have beyond is not
            part of it, whatever the weights say.
        resets: (T, B) of bool: the steps that begin a sequence, from zeros or what the network has learned. A cell
            that goes back in time ends the sequence there.
        masks: by the name of a layer's input, ``layer2.x``, what it is multiplied with by element, (T, B, n): for
            dropout, zeros and 1/(1 − rate).
        inputs: whether ∇x is computed too: for tokens, (T, B, n_in) numbers that training does not need.
        every_node: whether every node and its gradient is kept at every step; with False, what training does not
            need is left out of the tapes, and with it half of the time that is not in matrix products.
        over: a result of before that nobody reads any more, but for its state and its parameters' gradients: its
            tapes are written over, which saves asking the system for memory at each update.
        compiled: whether the steps are run by one compiled function in place of NumPy's calls, which pays most where
            the batch is small. It needs numba, the extra "fast", and some seconds the first time that a cell is run;
            its numbers differ from NumPy's by rounding. Where a cell's code has no compiled form, NumPy's calls are
            made: arrays of longdouble, functions that numba does not know.

    The gradient is the gradient: nothing is clipped, scaled or averaged unless ``reduction`` says so.

    Raises:
        ValueError: an array has the wrong shape, an id is out of range, a parameter is not finite; the sentence
            names the array, what it is and what it should be.
        FloatingPointError: the loss is not finite; the sentence names the step, and the state if one is not finite.
        ModuleNotFoundError: ``compiled`` without numba; the sentence says what to install.
    """
    if compiled:
        from manual_rnn.compiled import needed

        needed()
    check_problem(cell, params, x, y, initial, weights, loss)
    network = Network.of(cell)
    T, B = y.shape[:2]
    dtype = np.result_type(*params.values())
    check_sequences(network, lengths, resets, masks, params, (T, B), handed_in=initial is not None)
    check_over(over)
    weights = weights_of_steps(weights, reduction, T, B, dtype, lengths)
    x, y = without_padding(x, lengths), without_padding(y, lengths)
    learned = network.learned_initial and initial is None
    before = (over.tape, over.node_gradients) if over else (None, None)
    tape, grads = (
        Tape(T, over=written_over, lean=not every_node, compiled=compiled) for written_over in before
    )
    state = forward_and_backward(
        network, params, x, y, weights, zero_state(network, params, B) if initial is None else initial,
        inputs=inputs, tape=tape, grads=grads, loss=loss,
        begins=each_alone(boundaries(lengths, resets, T, B, fresh=learned), lengths), masks=masks or {},
    )  # fmt: skip
    if lengths is not None:
        for c in (c for c in network.cells if not c.reverse):
            at_the_end = {name: tape[c.full(name)][lengths - 1, np.arange(B)] for name in c.states}
            state |= {f"{c.prefix}{name}": rows for name, rows in at_the_end.items()}
    # Not what no longer starts from them: a learned state does, or each sequence's own end.
    given = [c for c in network.cells if not learned and not (c.reverse and lengths is not None)]
    of_states = [c.initial_name(state) for c in given for state in c.states]
    total = float(tape["loss"].sum().real)
    check_loss(total, network, tape)
    return Result(
        loss=total,
        gradients={name: grads[name] for name in [*params, *of_states, *(["x"] if inputs else [])]},
        state=state,
        tape=tape,
        node_gradients=grads,
    )
