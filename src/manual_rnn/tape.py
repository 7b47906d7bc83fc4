"""The tape: every named node at every time step, as the forward pass made it and the backward pass needs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from manual_rnn.cell import Array, Nodes


class Tape:
    """``tape["h"][t]`` is node h at step t, shape (B, n); step t of the derivation is row t − 1.

    One tape holds the nodes of a forward pass, another the gradients of the same nodes. The same names mean the
    same things in both: ``tape["h"]`` is h and ``grads["h"]`` is ∇h.
    """

    def __init__(self, T: int, over: Tape | None = None, *, lean: bool = False) -> None:
        """``over``: a tape that nobody reads any more; what fits of its memory is written over. ``lean``: only what
        the pass itself needs later has to be recorded."""
        self.T, self.lean = T, lean
        self.t = 0
        """The step that ``tap`` records; the walk through time sets it."""
        self._arrays: dict[str, Array] = {}
        self._previous: dict[str, Array] = {}
        self._room: dict[str, Array] = {} if over is None else over._room
        self._one_of_several = over is not None
        self._kept: dict[str, tuple[Any, Any]] = {} if over is None else over._kept

    def room(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """An array to write to; memory that is used again costs far less than memory that the system has to clear."""
        found = self._room.get(name)
        if found is None or found.shape != shape or found.dtype != dtype:
            found = self._room[name] = np.empty(shape, dtype)
            self._kept.clear()
        return found

    def keep(self, name: str, key: Any, value: Any) -> None:
        """Keeps what was made for the arrays of this tape, where it is one of several passes over the same memory."""
        if self._one_of_several:
            self._kept[name] = key, value

    def kept(self, name: str, key: Any) -> Any:
        """What was kept under this name and key; None where there is nothing, or an array has been made since."""
        found_key, value = self._kept.get(name, (None, None))
        return value if found_key == key else None

    def reserve_state(self, name: str, initial: Array, dtype: npt.DTypeLike) -> None:
        """Room for a state at steps 0 … T in one array, so that h(t) and h(t−1) are two views of it."""
        states = self.room(name, (self.T + 1, *initial.shape), dtype)
        states[0] = initial
        self._arrays[name], self._previous[name] = states[1:], states[:-1]

    def tap(self, name: str, value: Array) -> Array:
        """Records a node of the current step and returns what the step goes on with."""
        if name not in self._arrays:
            self._arrays[name] = self.room(name, (self.T, *value.shape), value.dtype)
        self._arrays[name][self.t] = value
        return value

    def tap_all(self, name: str, values: Array) -> Array:
        """Records what is computed once for the whole sequence, not step by step."""
        self._arrays[name] = values
        return values

    def at(self, t: int) -> Nodes:
        """The nodes of one step as attributes."""
        return Nodes(**{name: array[t] for name, array in self._arrays.items()})

    def previous_at(self, t: int) -> Nodes:
        """The states of the step before, as attributes."""
        return Nodes(**{name: array[t] for name, array in self._previous.items()})

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def previous(self, name: str) -> Array:
        """A state at steps 0 … T−1, shape (T, B, n): what each step started from."""
        return self._previous[name]
