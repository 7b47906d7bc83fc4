"""The loop of min-char-rnn (Karpathy 2015), vanilla RNN only, with a batch in the columns."""

from __future__ import annotations

import numpy as np

from engines import problem


def prepare(cell, T, B, n, H):
    if cell != "rnn":
        return None
    params, x, y = problem.of(cell, T, B, n, H)
    U, W, b, V, c = (params[name] for name in ("U", "W", "b", "V", "c"))
    b, c = b[:, None], c[:, None]
    columns = np.arange(B)

    def one_pass():
        xs, hs, ps, loss = {}, {-1: np.zeros((H, B), np.float32)}, {}, 0.0
        for t in range(T):
            xs[t] = np.zeros((n, B), np.float32)
            xs[t][x[t], columns] = 1
            hs[t] = np.tanh(U @ xs[t] + W @ hs[t - 1] + b)
            o = V @ hs[t] + c
            e = np.exp(o - o.max(axis=0))
            ps[t] = e / e.sum(axis=0)
            loss -= np.log(ps[t][y[t], columns]).sum()
        dU, dW, dV, db, dc = (np.zeros_like(p) for p in (U, W, V, b, c))
        dh_next = np.zeros_like(hs[0])
        for t in reversed(range(T)):
            do = ps[t].copy()
            do[y[t], columns] -= 1
            dV += do @ hs[t].T
            dc += do.sum(axis=1, keepdims=True)
            da = (1 - hs[t] * hs[t]) * (V.T @ do + dh_next)
            db += da.sum(axis=1, keepdims=True)
            dU += da @ xs[t].T
            dW += da @ hs[t - 1].T
            dh_next = W.T @ da
        return float(loss)

    return one_pass
