"""The matrix products alone, at the same shapes, each operand in the layout that is fastest for it."""

from __future__ import annotations

import numpy as np

from engines import problem


def prepare(cell, T, B, n, H):
    k = problem.GATES[cell]
    rng = np.random.default_rng(0)

    def array(*shape):
        return rng.standard_normal(shape, np.float32) / 10

    W, turned, V, V_turned = array(k * H, H), array(H, k * H), array(n, H), array(H, n)
    h, grad_a, grad_o = array(T, B, H), array(T, B, k * H), array(T, B, n)
    rows, grad_rows, o_rows = h.reshape(-1, H), grad_a.reshape(-1, k * H), grad_o.reshape(-1, n)
    forward, back = np.empty((B, k * H), np.float32), np.empty((B, H), np.float32)
    o, from_o, grad_V, grad_W = (np.empty(s, np.float32) for s in ((T * B, n), (T * B, H), (n, H), (k * H, H)))

    def one_pass():
        for t in range(T):
            np.matmul(h[t], turned, out=forward)
        np.matmul(rows, V_turned, out=o)
        np.matmul(o_rows.T, rows, out=grad_V)
        np.matmul(o_rows, V, out=from_o)
        for t in reversed(range(T)):
            np.matmul(grad_a[t], W, out=back)
        np.matmul(grad_rows.T, rows, out=grad_W)

    return one_pass
