"""Where sequences begin and end in a drawn case, and the masks of dropout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network
from manual_rnn.sequences import boundaries, within
from manual_rnn.testing.problem import Sizes

RATES = (0.2, 0.5)
"""Of dropout: 1/(1 − rate) is a number of every format."""


@dataclass(frozen=True)
class Sequences:
    """Which steps of an array are of a sequence, and where sequences begin."""

    lengths: Array
    """(B,)."""
    within: Array
    """(T, B) of bool."""
    begins: Array | None
    """(T + 1, B) of bool; None: as if there were no such thing."""

    def at_an_end(self, rng: np.random.Generator, network: Network) -> Array:
        """A weight of one at the last step of each sequence, (T, B), and of zero elsewhere.

        Of a cell that goes back in time that is its first step, from which nothing has far to go: where there is one,
        either end may be the one with the loss.
        """
        both = any(cell.reverse for cell in network.cells)
        end = self.lengths - 1 if not both or rng.integers(2) else np.zeros_like(self.lengths)
        return np.asarray(np.arange(len(self.within))[:, None] == end, float)


def draw_sequences(rng: np.random.Generator, network: Network, s: Sizes, *, resets: bool, few: bool) -> Sequences:
    """Resets at random steps, lengths, or both; where initial states are learned, mostly all sequences start there.

    ``few``: one reset or so a sequence, and none in some. Without ``resets`` each sequence is all of its row.
    """
    T, B = s.T, s.B
    lengths: Array | None = None
    steps: Array | None = None
    if resets:
        kind = rng.choice(["resets", "lengths", "both"])
        if kind != "lengths":
            steps = rng.random((T, B)) < (1 / T if few else rng.choice([1 / T, 0.3]))
        if kind != "resets":
            lengths = rng.integers(1, T + 1, B)
    begins = None
    if resets or network.learned_initial:
        # A state that is handed in goes before the learned one; that it has no gradient then is to be seen too.
        fresh = network.learned_initial and bool(rng.random() < 0.75)
        begins = boundaries(lengths, steps, T, B, fresh=fresh)
        begins = np.zeros((T + 1, B), bool) if begins is None else begins  # cases of one shape have the same arrays
    return Sequences(np.full(B, T) if lengths is None else lengths, within(lengths, T, B), begins)


def draw_masks(rng: np.random.Generator, widths: dict[str, int], s: Sizes) -> dict[str, Array]:
    """By the name of each input, for ``widths`` units, zeros and 1/(1 − rate), (T, B, n), as dropout has them."""
    masks: dict[str, Array] = {}
    for name, width in widths.items():
        rate = rng.choice(RATES)
        masks[name] = (rng.random((s.T, s.B, width)) >= rate) / (1 - rate)
    return masks


def check_dropout(model: Cell | Network, dropout: bool) -> None:
    """Raises ValueError where masks are asked for and there is no layer above the first."""
    if dropout and not Network.of(model).inputs:
        raise ValueError("dropout masks what a layer hands to the one above; with one layer there is nothing to mask.")
