"""What rounding does to a result: a run whose arguments and nodes are moved by one unit in their last place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.tape import Tape

MOVES = 10
"""How often a run is moved; the largest change counts. Where all hangs on one saturated unit, 1 − h² of an h that is an
ulp below 1, every other move changes nothing: with three, one LSTM in some hundred saturated ones was called wrong."""


class Moving(Tape):
    """A tape that moves every node by one unit in the last place, up or down at random, before it is used."""

    def __init__(self, T: int, rng: np.random.Generator) -> None:
        super().__init__(T)
        self._rng = rng

    def tap(self, name: str, value: Array) -> Array:
        return super().tap(name, move(value, self._rng))

    def tap_all(self, name: str, values: Array) -> Array:
        return super().tap_all(name, move(values, self._rng))


def move(v: Array, rng: np.random.Generator) -> Array:
    """Numbers, each moved by a unit in its last place; ids as they are."""
    if not np.issubdtype(v.dtype, np.inexact):
        return v
    moved: Array = v * (1 + rng.choice([-1, 1], v.shape) * np.finfo(v.dtype).eps).astype(v.dtype)
    return moved


def move_kept(kept: Any, rng: np.random.Generator) -> Any:
    """What a loss keeps for its way back, an array or several: of a ŷ that is all but one, ŷ − 1 is its rounding."""
    return tuple(move(part, rng) for part in kept) if isinstance(kept, tuple) else move(kept, rng)


def move_all(arrays: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """The same of arrays by name."""
    return {name: move(array, rng) for name, array in arrays.items()}
