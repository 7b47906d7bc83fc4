"""Windows for truncated BPTT: a text cut into streams side by side, each of them read window after window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manual_rnn.cell import Array


@dataclass(frozen=True)
class Window:
    """T steps of each stream: inputs x and targets y, ids of shape (T, B)."""

    x: Array
    y: Array
    starts: bool
    """Whether the streams start here, so that the state to go on from is zero and not the last window's."""


@dataclass(frozen=True)
class Windows:
    """The windows of a sequence of ids, by number; they never end: after the last comes the first again.

    Stream b is the b-th of B equal contiguous parts, and window k + 1 goes on in each where window k ended,
    so the state may be carried over. A stream of S steps has ⌊S/T⌋ windows; what is left over lies at its
    end in the even epochs and at its start in the odd ones, so that every step is learnt from. Fewer than B
    ids at the end belong to no stream. The ids may be of any integers, and lie in a file: what is read is a window's.
    """

    x: Array
    y: Array
    T: int

    @classmethod
    def of(cls, ids: Array, *, T: int, B: int) -> Windows:
        """Cuts ids (N,) into B streams; the target of each step is the id that follows. Needs N > T B."""
        S = (len(ids) - 1) // B
        if S < T:
            raise ValueError(f"{len(ids)} ids make {B} streams of {S}; windows of {T} need {T * B + 1} ids.")
        return cls(x=_streams(ids[:-1], S, B), y=_streams(ids[1:], S, B), T=T)

    @property
    def per_epoch(self) -> int:
        """How many windows go once through every stream."""
        return len(self.x) // self.T

    def __getitem__(self, k: int) -> Window:
        epoch, in_epoch = divmod(k, self.per_epoch)
        skipped = len(self.x) % self.T if epoch % 2 else 0
        steps = slice(skipped + in_epoch * self.T, skipped + (in_epoch + 1) * self.T)
        x, y = (ids[steps].astype(np.int64) for ids in (self.x, self.y))
        return Window(x=x, y=y, starts=in_epoch == 0)


def _streams(ids: Array, S: int, B: int) -> Array:
    """(S, B): column b is the b-th stream."""
    return ids[: S * B].reshape(B, S).T
