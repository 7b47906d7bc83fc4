r"""Generation, one character at a time: $x(t+1) \sim \hat y(t)$, drawn and fed back as the next input.

At temperature $\theta$ the distribution is $\operatorname{softmax}(o(t)/\theta)$: as learnt at 1, sharper
below, flatter above; at 0 it is the likeliest character, always. Of that, top-k keeps the k likeliest (Fan, Lewis,
Dauphin, *Hierarchical neural story generation*, 2018), and top-p the fewest that have the probability p together
(nucleus sampling: Holtzman and others, *The curious case of neural text degeneration*, 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from manual_rnn import bptt, layers, readout
from manual_rnn.cell import Array, Cell
from manual_rnn.errors import RunError
from manual_rnn.network import Network, start_states
from manual_rnn.tape import Tape
from manual_rnn.text import Vocabulary


@dataclass(frozen=True)
class Choice:
    """How the next character is chosen: the distribution's temperature, and what is cut off it, in this order."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < np.inf:
            raise ValueError(f"temperature is {self.temperature}; it must be zero or a positive, finite number.")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top-k is {self.top_k}; it must be at least 1, the likeliest character alone.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top-p is {self.top_p}; it must be above 0 and at most 1, a probability.")

    def probabilities(self, o: Array) -> Array:
        """The distributions (B, n) of the next ids from the logits o (B, n), in float64."""
        if not np.isfinite(o).all():
            raise RunError(
                "The model cannot be sampled from: its logits are not finite, for its weights are too large."
            )
        if self.temperature == 0:
            greedy: Array = np.eye(o.shape[1])[o.argmax(axis=1)]
            return greedy
        shifted = o.astype(np.float64) - o.max(axis=1, keepdims=True)
        with np.errstate(over="ignore"):  # near zero, all but the largest go to −∞, as they should
            y_hat: Array = np.exp(shifted / self.temperature)
        y_hat /= y_hat.sum(axis=1, keepdims=True)
        return self._cut(y_hat) if self.top_k or self.top_p else y_hat

    def _cut(self, y_hat: Array) -> Array:
        """What is cut off is zero; of ids as likely as each other the first are kept."""
        order = np.argsort(-y_hat, axis=1, kind="stable")
        likeliest = np.take_along_axis(y_hat, order, axis=1)
        keep = np.ones(y_hat.shape, bool)
        if self.top_k:
            keep[:, self.top_k :] = False
        if self.top_p:
            likeliest = np.where(keep, likeliest, 0)
            before = np.cumsum(likeliest, axis=1) - likeliest
            keep[:, 1:] &= before[:, 1:] < self.top_p * likeliest.sum(axis=1, keepdims=True)
        kept = np.zeros_like(keep)
        np.put_along_axis(kept, order, keep, axis=1)
        rest: Array = np.where(kept, y_hat, 0)
        rest /= rest.sum(axis=1, keepdims=True)
        return rest


AS_LEARNT = Choice()


def draw(distribution: Array, rng: np.random.Generator) -> int:
    """An id drawn from a distribution (n,), by the inverse of its cumulative sum."""
    cumulative = np.cumsum(distribution)
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))


def sample_ids(
    model: Cell | Network,
    params: Mapping[str, Array],
    prime: Array,
    *,
    choice: Choice = AS_LEARNT,
    rngs: Sequence[np.random.Generator],
) -> Iterator[Array]:
    """Ids (B,) without end: what follows the ids of ``prime`` (N,), N ≥ 1, read from a fresh state.

    Each of the B samples has a generator of its own.
    """
    network = Network.of(model)
    # Nobody goes back, so the weights are laid out once, and the same memory serves every step.
    maps = {cell.prefix: bptt.maps_of(cell, params, Tape(1)) for cell in network.cells}
    tape = Tape(len(prime), lean=True)
    shown, state = layers.up(network, params, prime[:, None], start_states(network, params, 1), tape, maps=maps)
    shown = shown[-1:].repeat(len(rngs), axis=1)
    state = {name: h.repeat(len(rngs), axis=0) for name, h in state.items()}
    while True:
        y_hat = choice.probabilities(readout.forward(params["V"], params["c"], shown[0]))
        ids = np.array([draw(row, rng) for row, rng in zip(y_hat, rngs, strict=True)])
        yield ids
        tape = Tape(1, over=tape, lean=True)
        shown, state = layers.up(network, params, ids[None], state, tape, maps=maps)


def sample_texts(
    model: Cell | Network,
    params: Mapping[str, Array],
    vocabulary: Vocabulary,
    *,
    prime: str = "",
    length: int,
    choice: Choice = AS_LEARNT,
    rngs: Sequence[np.random.Generator],
) -> Iterator[tuple[str, ...]]:
    """The ``length`` characters that follow ``prime``, one by one: of each sample, side by side.

    Without a prime the model reads a line's end, as before any line; its first character where it knows none.
    """
    start = prime or ("\n" if "\n" in vocabulary.characters else vocabulary.characters[0])
    ids = sample_ids(model, params, vocabulary.encode(start), choice=choice, rngs=rngs)
    for _, row in zip(range(length), ids, strict=False):
        yield tuple(vocabulary.characters[i] for i in row)


@dataclass
class Ending:
    """Hands on what is drawn before ``stop``, each character as soon as it is known not to be the beginning of it."""

    stop: str = ""
    """Not found where it is empty."""
    found: bool = False
    held: str = ""
    """What may be its beginning."""

    def take(self, character: str) -> str:
        """What can be handed on with one more character."""
        if self.found:
            return ""
        held = self.held + character
        self.found = held == self.stop
        known = 0 if not self.found else len(held)
        while not self.stop.startswith(held[known:]):
            known += 1
        self.held = held[known:]
        return "" if self.found else held[:known]
