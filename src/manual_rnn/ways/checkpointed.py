r"""Checkpointed BPTT: the same gradient with a few states in memory; what is not kept is computed again.

Plain BPTT keeps every node of all T steps. Here the sequence is a chain of blocks of steps. Going forward, nothing is
kept but the states at the start of some blocks; going back, a block's nodes are computed anew from the nearest state
that was kept, and forgotten when the block is done. Which states to keep is :mod:`manual_rnn.ways.schedule`'s.

The equations are F1–F4 and B1–B10 as they stand, in the same order, so states and the gradients of nodes are those of
plain BPTT to the last bit. A weight's gradient is a sum over steps, which is taken block by block:

.. math:: \nabla W = \sum_{\text{blocks}} \Bigl( \sum_{t \in \text{block}} \nabla a(t)\, h(t-1)^\top \Bigr)

another order than plain BPTT's single product over all T, and so other roundings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from manual_rnn.bptt import go_back, unroll
from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.tape import Tape
from manual_rnn.ways.given import Answer, Given, check_count
from manual_rnn.ways.schedule import moves, square_root

Seen = Callable[[slice, Tape, Tape], None]


@of_one_cell
def checkpointed_bptt(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    *,
    block: int | None = None,
    snapshots: int | None = None,
    loss: str = "softmax",
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    inputs: bool = False,
    seen: Seen | None = None,
) -> Answer:
    """The loss and its gradient, by BPTT with checkpoints.

    Args:
        block: how many steps are gone back through at a time.
        snapshots: how many states at the starts of blocks may be kept at a time, h(0) among them.
        seen: is called with the rows of each block, its nodes and their gradients, as soon as it is gone back through;
            the last block comes first. For what ``Result.tape`` and ``Result.node_gradients`` are in plain BPTT.

    With neither, blocks are of ⌈√T⌉ steps and each has its snapshot: the states of at most 2√T steps are kept, and
    each step is run forward twice. With ``snapshots`` alone a block is one step and the schedule is the binomial one;
    with ``block`` alone there is a snapshot for each. All else is as for :func:`manual_rnn.loss_and_gradients`.

    Memory: ``snapshots + block`` states, (B, n_hidden) each; the other nodes and gradients of one block; x, y and
    ``weights`` as they are given; with ``inputs`` all of ∇x.

    Raises:
        ValueError: block or snapshots is no whole number of at least one; an array does not fit.
        FloatingPointError: the loss is not finite.
    """
    for name, count, meaning in (
        ("block", block, "the steps that are gone back through at a time"),
        ("snapshots", snapshots, "the states that may be kept at a time"),
    ):
        if count is not None:
            check_count(name, count, meaning)
    given = Given.of(cell, params, x, y, loss=loss, initial=initial, reduction=reduction, weights=weights)
    T = len(x)
    if block is None:
        block = square_root(T) if snapshots is None else 1
    links = -(-T // block)

    sums = given.zeros(inputs=inputs)
    total, last, after = np.zeros((), given.dtype), None, None
    kept: dict[int, Mapping[str, Array]] = {0: given.initial}
    for move in moves(links, snapshots or links):
        done = move.back and move.to == move.origin
        state = kept.pop(move.origin) if done else kept[move.origin]
        for link in range(move.origin, move.to):
            state = _run(given, _rows(link, block, T), state)
        if not move.back:
            kept[move.to] = state
            continue
        rows = _rows(move.to, block, T)
        of_block, state, after = _there_and_back(given, rows, state, after, sums, seen, inputs=inputs)
        total += of_block
        last = last or state
    assert last is not None
    return given.answer(total, sums, last)


def _rows(link: int, block: int, T: int) -> slice:
    return slice(link * block, min((link + 1) * block, T))


def _run(given: Given, rows: slice, state: Mapping[str, Array]) -> dict[str, Array]:
    """The states after some steps; everything else is forgotten."""
    return unroll(given.cell, given.params, given.x[rows], state, Tape(rows.stop - rows.start))


def _there_and_back(
    given: Given,
    rows: slice,
    state: Mapping[str, Array],
    after: Mapping[str, Array] | None,
    sums: Mapping[str, Array],
    seen: Seen | None,
    *,
    inputs: bool,
) -> tuple[Array, dict[str, Array], dict[str, Array]]:
    """One block: its loss, its last states, and what it hands to the states before it; adds its part to the sums."""
    tape, grads = (Tape(rows.stop - rows.start) for _ in range(2))
    x = given.x[rows]
    last = unroll(given.cell, given.params, x, state, tape)
    of_block, from_readout = given.read_out(tape, grads, rows)
    go_back(given.cell, given.params, x, tape, from_readout, grads, inputs=inputs, after=after)
    given.add(sums, grads, rows)
    if seen is not None:
        seen(rows, tape, grads)
    return of_block, last, {name: grads[f"{name}0"] for name in given.cell.states}
