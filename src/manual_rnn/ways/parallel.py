r"""BPTT parallel in time: the way back as an associative scan, in blocks. A study of what it costs, not a fast path.

Going back is linear in what arrives from above. Of a block of steps, what leaves it below is

.. math::
    g_{k-1} = A_k^\top g_k + b_k                                                                  && \text{P1}

with g_k the gradient of the states that arrives from the steps after block k, b_k what the block's own losses make
of nothing, and A_k the product of its Jacobians. Such maps compose, (A, b) after (A′, b′) is again one, so all A_k and
b_k are computed side by side, then P1 is walked once over the blocks, and then all blocks go back at once, each with
the g_k that is due to it. Scans: G. E. Blelloch, *Prefix sums and their applications* (1990); of BPTT: S. Wang, Y. Bai
and G. Pekhimenko, *BPPSA: scaling back-propagation by parallel scan algorithm* (2020).

Of K blocks of L steps, 2 L + K steps are one after the other in place of T. A_k is found by sending every unit vector
back, so the work, and here the memory of the nodes, is S n_hidden times that of BPTT.

What goes through A_k is scaled by a product of L Jacobians: where that overflows and g_k is small, BPTT is finite and
this is not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn.bptt import go_back, unroll
from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.tape import Tape
from manual_rnn.ways.given import Answer, Given, check_count


@of_one_cell
def parallel_bptt(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    *,
    blocks: int,
    loss: str = "softmax",
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    inputs: bool = False,
) -> Answer:
    """The loss and its gradient; forward step by step, back in ``blocks`` of steps side by side.

    All else is as for :func:`manual_rnn.loss_and_gradients`.

    Raises:
        ValueError: blocks is no whole number of at least one; an array does not fit.
        FloatingPointError: the loss is not finite.
    """
    check_count("blocks", blocks, "how many stretches of time go back side by side")
    given = Given.of(cell, params, x, y, loss=loss, initial=initial, reduction=reduction, weights=weights)
    T, B = given.weights.shape
    tape, grads = Tape(T), Tape(T)
    state = unroll(given.cell, given.params, x, given.initial, tape)
    total, from_readout = given.read_out(tape, grads, slice(None))

    folded = _Folded(given, tape, x, from_readout, min(blocks, T))
    found = folded.back(folded.arriving(), inputs=inputs)
    sums = {name: found[name] for name in found if name in given.params}
    sums |= {"V": grads["V"], "c": grads["c"], **{f"{n}0": found[f"{n}0"][:B] for n in cell.states}}
    if inputs:
        sums["x"] = folded.unfold(found["x"])
    return given.answer(total, sums, state)


class _Folded:
    """The steps of a tape, (T, B, n), as K blocks side by side, (L, K B, n); the last one is filled up at its end.

    It is filled up with the last step again, to which no loss is given, so that it adds nothing.
    """

    def __init__(self, given: Given, tape: Tape, x: Array, from_readout: Array, blocks: int) -> None:
        self._given, self._T, self._K = given, tape.T, blocks
        self._L = -(-tape.T // blocks)
        self._x = self._fold(x)
        above = np.zeros((self._L * blocks, *from_readout.shape[1:]), from_readout.dtype)
        above[: tape.T] = from_readout
        self._from_readout = self._fold(above)
        full = [given.cell.full(name) for name in given.cell.states]
        self._nodes = {name: self._fold(tape[name]) for name in tape if name not in ("o", "loss")}
        self._before = {name: self._fold(tape.previous(name)) for name in full}

    def arriving(self) -> dict[str, Array]:
        """g of every block, (K B, n_hidden) by state."""
        states, K = self._given.cell.states, self._K
        H = self._from_readout.shape[-1]
        n, B = len(states) * H, self._from_readout.shape[1] // K
        nothing = {name: np.zeros_like(self._from_readout[0]) for name in states}
        b = self._leaving(self.back(nothing, inputs=False)).reshape(K, B, n)
        units = np.tile(np.eye(n, dtype=b.dtype), (K * B, 1))
        after = {name: units[:, i * H : (i + 1) * H] for i, name in enumerate(states)}
        A = self._leaving(self.back(after, inputs=False, copies=n)).reshape(K, B, n, n)
        g = np.zeros_like(b)
        for k in range(K - 1, 0, -1):
            g[k - 1] = np.einsum("bi,bij->bj", g[k], A[k]) + b[k]  # (P1)
        flat = g.reshape(K * B, n)
        return {name: flat[:, i * H : (i + 1) * H] for i, name in enumerate(states)}

    def back(self, after: Mapping[str, Array], *, inputs: bool, copies: int = 0) -> Tape:
        """All blocks at once. With ``copies``, each sequence so often, and without the losses: what A is made of."""

        def turned(array: Array) -> Array:
            return np.repeat(array, copies, axis=1) if copies else array

        given, grads = self._given, Tape(self._L)
        nodes = _Rearranged(*({n: turned(rows) for n, rows in of.items()} for of in (self._nodes, self._before)))
        above = turned(np.zeros_like(self._from_readout) if copies else self._from_readout)
        go_back(given.cell, given.params, turned(self._x), nodes, above, grads, inputs=inputs, after=after)
        return grads

    def _leaving(self, grads: Tape) -> Array:
        return np.concatenate([grads[f"{name}0"] for name in self._given.cell.states], axis=-1)

    def _fold(self, rows: Array) -> Array:
        filled = np.concatenate([rows, np.repeat(rows[-1:], self._L * self._K - len(rows), axis=0)])
        by_block = filled.reshape(self._K, self._L, *rows.shape[1:]).swapaxes(0, 1)
        return np.ascontiguousarray(by_block).reshape(self._L, self._K * rows.shape[1], *rows.shape[2:])

    def unfold(self, rows: Array) -> Array:
        """Steps in their order again, (T, B, n)."""
        by_block = rows.reshape(self._L, self._K, -1, *rows.shape[2:]).swapaxes(0, 1)
        return by_block.reshape(self._L * self._K, *by_block.shape[2:])[: self._T]


class _Rearranged(Tape):
    """A tape of given arrays."""

    def __init__(self, arrays: Mapping[str, Array], previous: Mapping[str, Array]) -> None:
        super().__init__(len(next(iter(previous.values()))))
        self._arrays, self._previous = dict(arrays), dict(previous)
