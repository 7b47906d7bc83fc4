"""The matrix products alone, at the same shapes, each in the form that is fastest for it.

Those of the steps, forward W h(t−1) and back Σ Wᵀ ∇a(t), go in blocks (:mod:`manual_rnn.blocks`); the readout's three
and the weight gradients' one for all gates are whole, over all steps. Sums of blocks are not in it, nor is U, which
is gathered and scattered by token.
"""

from __future__ import annotations

import numpy as np

from engines import problem
from manual_rnn.blocks import columns, in_blocks


def prepare(cell, T, B, n, H, *, whole=False):
    k = problem.GATES[cell]
    rng = np.random.default_rng(0)

    def array(*shape):
        return rng.standard_normal(shape, np.float32) / 10

    V, V_turned, h, grad_o = array(n, H), array(H, n), array(T, B, H), array(T, B, n)
    grad_a, rows_of_all = array(k, T, B, H), array(T, B, k * H)
    rows, grad_rows, o_rows = h.reshape(-1, H), rows_of_all.reshape(-1, k * H), grad_o.reshape(-1, n)
    o, from_o, grad_V, grad_W = (np.empty(s, np.float32) for s in ((T * B, n), (T * B, H), (n, H), (k * H, H)))
    if whole or B == 1:
        forward = array(H, k * H), np.empty((B, k * H), np.float32)
        back = array(k * H, H), np.empty((B, H), np.float32)
        arriving = list(rows_of_all)
    else:
        blocks, out = in_blocks(array(k, H, H), B), np.empty((k, B, H), np.float32)
        forward = back = blocks, columns(out, blocks)
        arriving = list(grad_a.swapaxes(0, 1)[:, :, None])

    def one_pass():
        for t in range(T):
            np.matmul(h[t], forward[0], out=forward[1])
        np.matmul(rows, V_turned, out=o)
        np.matmul(o_rows.T, rows, out=grad_V)
        np.matmul(o_rows, V, out=from_o)
        for t in reversed(range(T)):
            np.matmul(arriving[t], back[0], out=back[1])
        np.matmul(grad_rows.T, rows, out=grad_W)

    return one_pass
