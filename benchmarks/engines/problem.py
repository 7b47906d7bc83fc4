"""The same tokens and the same parameters for every engine, float32."""

from __future__ import annotations

import numpy as np

from manual_rnn import cells, initialise

GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def of(cell, T, B, n, H):
    """Parameters by this project's names, token ids and targets (T, B)."""
    params = initialise(cells.get(cell), n_in=n, n_hidden=H, n_out=n, dtype=np.float32)
    ids = np.random.default_rng(1).integers(0, n, (T + 1, B))
    return params, ids[:-1], ids[1:]


def packed(cell, params):
    """U (k H, n), W (k H, H), b (k H,) with the gates below each other, in PyTorch's order."""
    gates = {"rnn": [""], "lstm": ["_i", "_f", "_g", "_o"], "gru": ["_r", "_z", "_n"]}[cell]
    return {kind: np.concatenate([params[kind + gate] for gate in gates]) for kind in ("U", "W", "b")}
