"""Sequences of unequal lengths in one array, and several one after the other in a row of it.

Both are boundaries between steps (:mod:`manual_rnn.anew`): what stands beyond a sequence's length is a sequence of its
own that has no loss, so nothing of it reaches the gradient, as long as it is finite: a weight of zero does not make an
infinite loss zero. So a pass that is told the lengths leaves no state to grow there, and no number to be too large.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array


def boundaries(lengths: Array | None, resets: Array | None, T: int, B: int, *, fresh: bool) -> Array | None:
    """Where sequences begin, (T + 1, B) of bool: in front of each step, and behind the last; None: nowhere.

    Args:
        lengths: (B,), how many steps each sequence has, from 1 to T.
        resets: (T, B) of bool, the steps that begin a sequence.
        fresh: whether all sequences begin at the first step (and going back in time at the last) from a fresh state,
            and not from an initial state that is handed in.
    """
    if lengths is None and resets is None and not fresh:
        return None
    begins = np.zeros((T + 1, B), bool)
    if resets is not None:
        begins[:-1] = resets
    if lengths is not None:
        begins[lengths, np.arange(B)] = True
    if fresh:
        begins[[0, -1]] = True
    return begins


def within(lengths: Array | None, T: int, B: int) -> Array:
    """Which steps are of a sequence, (T, B) of bool, and not beyond its length."""
    return np.ones((T, B), bool) if lengths is None else np.arange(T)[:, None] < lengths


def each_alone(begins: Array | None, lengths: Array | None) -> Array | None:
    """The boundaries with one in front of each step beyond a length too: a state that grows from step to step cannot
    come out of the format there."""
    if begins is None or lengths is None:
        return begins
    return np.asarray(begins | (np.arange(len(begins))[:, None] >= lengths))


def without_padding(rows: Array, lengths: Array | None) -> Array:
    """Rows (T, B, n) with zeros beyond each length: what stands there might be too large to compute with.

    Token ids (T, B) are as they are.
    """
    if lengths is None or rows.ndim == 2:
        return rows
    return np.where(within(lengths, *rows.shape[:2])[..., None], rows, rows.dtype.type(0))
