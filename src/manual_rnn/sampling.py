r"""Generation, one character at a time: $x(t+1) \sim \hat y(t)$, drawn and fed back as the next input.

At temperature $\theta$ the distribution is $\operatorname{softmax}(o(t)/\theta)$: as learnt at 1, sharper
below, flatter above; at 0 it is the likeliest character, always.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from manual_rnn import layers, readout
from manual_rnn.cell import Array, Cell
from manual_rnn.errors import RunError
from manual_rnn.network import Network, start_states
from manual_rnn.tape import Tape
from manual_rnn.text import Vocabulary


def probabilities(o: Array, temperature: float) -> Array:
    """The distribution (n,) of the next id from the logits o (n,), in float64."""
    if not np.isfinite(o).all():
        raise RunError("The model cannot be sampled from: its logits are not finite, for its weights are too large.")
    shifted = o.astype(np.float64) - o.max()
    if temperature == 0:
        greedy: Array = np.eye(1, len(o), int(shifted.argmax()))[0]
        return greedy
    with np.errstate(over="ignore"):  # near zero, all but the largest go to −∞, as they should
        exponentials = np.exp(shifted / temperature)
    y_hat: Array = exponentials / exponentials.sum()
    return y_hat


def draw(distribution: Array, rng: np.random.Generator) -> int:
    """An id drawn from a distribution (n,), by the inverse of its cumulative sum."""
    cumulative = np.cumsum(distribution)
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))


def sample_ids(
    model: Cell | Network,
    params: Mapping[str, Array],
    prime: Array,
    *,
    temperature: float = 1.0,
    rng: np.random.Generator,
) -> Iterator[int]:
    """Ids without end: what follows the ids of ``prime`` (N,), N ≥ 1, read from a fresh state."""
    network = Network.of(model)
    state = start_states(network, params, 1)
    x = prime
    while True:
        tape = Tape(len(x))
        shown, state = layers.up(network, params, x[:, None], state, tape)
        o = readout.forward(params["V"], params["c"], shown[-1, 0])
        x = np.array([draw(probabilities(o, temperature), rng)])
        yield int(x[0])


def sample_text(
    model: Cell | Network,
    params: Mapping[str, Array],
    vocabulary: Vocabulary,
    *,
    prime: str = "",
    length: int,
    temperature: float = 1.0,
    rng: np.random.Generator,
) -> Iterator[str]:
    """The ``length`` characters that follow ``prime``, one by one.

    Without a prime the model reads a line's end, as before any line; its first character where it knows none.
    """
    start = prime or ("\n" if "\n" in vocabulary.characters else vocabulary.characters[0])
    ids = sample_ids(model, params, vocabulary.encode(start), temperature=temperature, rng=rng)
    for _, i in zip(range(length), ids, strict=False):
        yield vocabulary.characters[i]
