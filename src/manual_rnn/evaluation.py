"""The loss on text that the model has not learnt from: the whole of it, in order, with carried state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn import layers, readout
from manual_rnn.cell import Array, Cell
from manual_rnn.losses import softmax
from manual_rnn.network import Network, start_states
from manual_rnn.tape import Tape

AT_ONCE = 4096
"""Steps on one tape: the state is carried on, so the number decides nothing but memory."""


def mean_nats(model: Cell | Network, params: Mapping[str, Array], x: Array, y: Array) -> float:
    """The mean loss in nats per character of ids x (N,) with targets y (N,), read from a fresh state."""
    network = Network.of(model)
    state = start_states(network, params, 1)
    total = 0.0
    for first in range(0, len(x), AT_ONCE):
        x_part, y_part = (ids[first : first + AT_ONCE, None].astype(np.int64) for ids in (x, y))
        tape = Tape(len(x_part))
        shown, state = layers.up(network, params, x_part, state, tape)
        o = readout.forward(params["V"], params["c"], shown)
        losses, _ = softmax.forward(o, y_part, np.ones(y_part.shape, o.dtype))
        total += float(losses.sum(dtype=np.float64))
    return total / len(x)


def last_ids(ids: Array, n: int) -> tuple[Array, Array]:
    """Inputs and targets (n,) that predict each of the last n ids, the first from the one before it."""
    return ids[-n - 1 : -1], ids[-n:]
