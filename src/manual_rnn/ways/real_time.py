r"""Real-time recurrent learning: the gradient forward in time, with nothing kept of the past but one tensor.

R. J. Williams and D. Zipser, *A learning algorithm for continually running fully recurrent neural networks*, Neural
Computation 1, 270–280 (1989). Forward mode, or forward accumulation, where BPTT is reverse mode.

Let s(t) be all states of a step, end to end: h, or h and c. The influence of a parameter is P_θ(t) = ∂s(t)/∂θ, its
direct part at step t through the maps a_m, and the rest through the state before:

.. math::
    J(t)        &= \partial s(t) / \partial s(t-1) \qquad D_m(t) = \partial s(t) / \partial a_m(t)       && \text{R1} \\
    P_\theta(t) &= J(t)\, P_\theta(t-1) + \sum_m D_m(t)\, \partial a_m(t) / \partial \theta,
                   \qquad P_\theta(0) = 0                                                                && \text{R2} \\
    \frac{\partial a_{m,i}}{\partial W_{ij}} &= h_j(t-1) \qquad \frac{\partial a_{m,i}}{\partial U_{ij}} = x_j(t)
                   \qquad \frac{\partial a_{m,i}}{\partial b_i} = 1                                      && \text{R3} \\
    \nabla \theta &= \sum_t P_{\theta, h}(t)^\top V^\top \nabla o(t)                                     && \text{R4}

∇s(0) is the same with P(0) = 1 and no direct part, ∇x(t) with U for its direct part at step t alone. J and D are the
cell's own: the row of a unit is what one step back makes of a gradient of one at that unit and zero at all others.

Memory does not grow with T (but for ∇x), and the gradient is there at every step. The price is the tensor: for S
states of H units, B · S H · (number of the cell's parameters) numbers, and S H times as many products each step. For
an lstm with H = 32, n_in = 32 that is 64 · 8320 numbers a sequence, 4 MB in float64; with both 512 it is 17 GB.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn import affine
from manual_rnn.bptt import step_back, unroll
from manual_rnn.cell import Array, Cell, Nodes, of_input
from manual_rnn.check import of_one_cell
from manual_rnn.maps import Maps
from manual_rnn.tape import Tape
from manual_rnn.ways.given import Answer, Given


@of_one_cell
def rtrl(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    *,
    loss: str = "softmax",
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    inputs: bool = False,
) -> Answer:
    """The loss and its gradient, forward in time. For small cells: see the memory above.

    The arguments are those of :func:`manual_rnn.loss_and_gradients`. With ``inputs`` the influence of every input is
    carried too, T · n_in columns more.

    Raises:
        ValueError: an array does not fit.
        FloatingPointError: the loss is not finite.
    """
    given = Given.of(cell, params, x, y, loss=loss, initial=initial, reduction=reduction, weights=weights)
    sums = given.zeros(inputs=inputs)
    P = _no_influence(given, sums)
    total = np.zeros((), given.dtype)
    state = dict(given.initial)
    for t in range(len(x)):
        now = slice(t, t + 1)
        tape, grads = Tape(1), Tape(1)
        J, D = jacobians(given, x[now], state)
        state = unroll(given.cell, given.params, x[now], state, tape)
        of_step, from_readout = given.read_out(tape, grads, now)
        total += of_step
        for name in P:
            P[name] = np.einsum("bkl,bl...->bk...", J, P[name])  # (R2)
        _add_direct(given, P, D, tape, x[now], t)
        for name, influence in P.items():
            of_h = influence[:, : from_readout.shape[-1]]
            if name == "x":
                sums["x"] += np.einsum("bk,bktj->tbj", from_readout[0], of_h)  # (R4)
            elif name in given.params:
                sums[name] += np.einsum("bk,bk...->...", from_readout[0], of_h)
            else:
                sums[name] += np.einsum("bk,bkj->bj", from_readout[0], of_h)
        sums["V"] += grads["V"]
        sums["c"] += grads["c"]
    return given.answer(total, sums, state)


def _no_influence(given: Given, sums: Mapping[str, Array]) -> dict[str, Array]:
    """P(0): by name, (B, S n_hidden, *its shape for one sequence)."""
    B, H, states = given.y.shape[1], given.params["V"].shape[1], given.cell.states
    of_maps = {name for m in given.cell.maps for name in (m.U, m.b, *(term.weight for term in m.terms)) if name}
    P = {name: np.zeros((B, len(states) * H, *sums[name].shape), given.dtype) for name in of_maps}
    if "x" in sums:
        T, _, n_in = sums["x"].shape
        P["x"] = np.zeros((B, len(states) * H, T, n_in), given.dtype)
    for k, name in enumerate(states):
        P[f"{name}0"] = np.zeros((B, len(states) * H, H), given.dtype)
        P[f"{name}0"][:, k * H : (k + 1) * H] = np.eye(H)
    return P


def jacobians(given: Given, x: Array, state: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
    """J (B, S H, S H), and D by map, (B, S H, H): one step back, of each sequence once for every unit (R1)."""
    cell, B, H = given.cell, x.shape[1], given.params["V"].shape[1]
    n = len(cell.states) * H
    tape, grads = Tape(1), Tape(1)
    unroll(cell, given.params, x, state, tape)
    names = {cell.own(name): name for name in tape}
    node = Nodes(**{own: np.repeat(tape[name][0], n, axis=0) for own, name in names.items() if own is not None})
    prev = Nodes(**{name: np.repeat(rows, n, axis=0) for name, rows in state.items()})
    units = np.tile(np.eye(n, dtype=given.dtype), (B, 1))
    after = Nodes(**{name: units[:, k * H : (k + 1) * H] for k, name in enumerate(cell.states)})
    carried = step_back(cell, Maps(cell, given.params), node, prev, after, grads)
    J = np.concatenate([carried[name] for name in cell.states], axis=-1).reshape(B, n, n)
    return J, {m.node: grads[cell.full(m.node)].reshape(B, n, H) for m in cell.maps}


def _add_direct(
    given: Given, P: Mapping[str, Array], D: Mapping[str, Array], tape: Tape, x: Array, t: int
) -> None:
    """What step t adds to the influence of each parameter, and to that of x(t) (R3)."""
    cell = given.cell
    n_in = given.params[of_input(cell)].shape[1]
    row = np.eye(n_in, dtype=given.dtype)[x[0]] if affine.is_tokens(x) else x[0]
    for m in cell.maps:
        of_map = D[m.node]
        if m.b:
            P[m.b][...] += of_map
        if m.U:
            P[m.U][...] += np.einsum("bki,bj->bkij", of_map, row)
            if "x" in P:
                P["x"][:, :, t] += of_map @ given.params[m.U]
        for term in m.terms:
            of = tape[cell.full(term.of)][0] if term.now else tape.previous(cell.full(term.of))[0]
            P[term.weight][...] += of_map * of[:, None] if term.diagonal else np.einsum("bki,bj->bkij", of_map, of)
