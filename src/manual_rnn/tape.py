"""The tape: every named node at every time step, as the forward pass made it and the backward pass needs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from manual_rnn.cell import Array


class Tape:
    """``tape["h"][t]`` is node h at step t, shape (B, n); step t of the derivation is row t − 1.

    One tape holds the nodes of a forward pass, another the gradients of the same nodes. The same names mean the
    same things in both: ``tape["h"]`` is h and ``grads["h"]`` is ∇h.
    """

    def __init__(self, T: int, over: Tape | None = None, *, lean: bool = False, compiled: bool = False) -> None:
        """``over``: a tape that nobody reads any more; what fits of its memory is written over. ``lean``: only what
        the pass itself needs later has to be recorded. ``compiled``: by :mod:`manual_rnn.compiled` where it can be."""
        self.T, self.lean, self.compiled = T, lean, compiled
        self.t = 0
        """The step that ``tap`` records; the walk through time sets it."""
        self._arrays: dict[str, Array] = {}
        self._previous: dict[str, Array] = {}
        self._shifted: dict[str, Array] = {}
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

    def reserve_state(
        self, name: str, initial: Array, dtype: npt.DTypeLike, *, reverse: bool = False, fresh: Array | None = None
    ) -> None:
        """Room for a state at the start and after each step in one array, so that h(t) and h(t−1) are two views of it.

        ``reverse``: step t starts from what step t+1 gave. ``fresh`` (n,) is what steps that start anew start from;
        with it, what the steps start from has an array of its own, which ``go_on`` fills.
        """
        states = self.room(name, (self.T + 1, *initial.shape), dtype)
        states[-1 if reverse else 0] = initial
        self._arrays[name], before = (states[:-1], states[1:]) if reverse else (states[1:], states[:-1])
        self._previous[name] = self._shifted[name] = before
        if fresh is not None:
            self._previous[name] = self.room(f"before {name}", before.shape, dtype)
            self._previous[name][:] = fresh

    def go_on(self, name: str, starts: Array) -> None:
        """Has the current step start from the state of the step before, but where it starts anew, (B,)."""
        np.copyto(self._previous[name][self.t], self._shifted[name][self.t], where=~starts[:, None])

    def shifted(self, name: str) -> Array:
        """What the step before each step gave, (T, B, n), whether it is started from or not."""
        return self._shifted[name]

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

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def previous(self, name: str) -> Array:
        """A state at steps 0 … T−1, shape (T, B, n): what each step started from."""
        return self._previous[name]
