"""The right derivation, replayed with one mistake in it: what a pass that exposes only its results is explained by.

A tape puts the mistaken value of one equation in the place of the right one, and the pass goes on with it, so that
everything that follows is wrong in the way in which the user's code is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from manual_rnn.bptt import forward_and_backward, go_back, unroll
from manual_rnn.cell import Array, Cell
from manual_rnn.tape import Tape
from manual_rnn.testing.mistakes.terms import Quantities
from manual_rnn.testing.passes.regimes import Drawn

Change = Callable[["Replayed", Array, int | None], Array]
"""The mistaken value of an equation from the tapes so far, the right value, and the row (None: all rows at once)."""


class Replayed(Quantities):
    """The tapes of a replay as far as it has come; zeros where it has not."""

    def __init__(self, cell: Cell, drawn: Drawn, nodes: Tape, grads: Tape):
        super().__init__(cell, replace(drawn.case, x=drawn.case.for_oracle()["x"]), nodes, grads)
        self.drawn = drawn


@dataclass(frozen=True)
class Mistake:
    """One mistake: a sentence, and by equation (grad_h, h, …) what stands there instead."""

    sentence: str
    changes: Mapping[str, Change]


class MistakenTape(Tape):
    """Has room for every node from the start, and puts mistaken values in place."""

    def __init__(self, like: Tape, prefix: str) -> None:
        super().__init__(like.T)
        self._arrays = {name: np.zeros_like(like[name]) for name in like}
        self._prefix = prefix
        self.mistake: Mistake | None = None
        self.known: Replayed | None = None

    def reserve_state(self, name: str, initial: Array, dtype: npt.DTypeLike) -> None:
        super().reserve_state(name, initial, dtype)
        self._arrays[name][:] = 0

    def tap(self, name: str, value: Array) -> Array:
        return super().tap(name, self._mistaken(name, value, self.t))

    def tap_all(self, name: str, values: Array) -> Array:
        return super().tap_all(name, self._mistaken(name, values, None))

    def _mistaken(self, name: str, value: Array, t: int | None) -> Array:
        change = self.mistake.changes.get(f"{self._prefix}{name}") if self.mistake else None
        if change is None or self.known is None:
            return value
        self._arrays[name][... if t is None else t] = value  # a change may start from the right value
        wrong = change(self.known, value, t)
        return wrong if wrong.shape == value.shape else np.full_like(value, np.nan)


@dataclass(frozen=True)
class Replay:
    """One case, ready to be run with any mistake."""

    cell: Cell
    drawn: Drawn
    nodes: Tape
    grads: Tape

    @classmethod
    def of(cls, cell: Cell, drawn: Drawn) -> Replay:
        """Runs the case rightly once."""
        T = drawn.sizes.T
        nodes, grads = Tape(T), Tape(T)
        _run(cell, drawn, nodes, grads)
        return cls(cell, drawn, nodes, grads)

    @property
    def known(self) -> Replayed:
        """The quantities of the right run."""
        return Replayed(self.cell, self.drawn, self.nodes, self.grads)

    def gradients(self, mistake: Mistake | None) -> Mapping[str, Array] | Tape:
        """The gradients by our names that code with this mistake would give."""
        nodes, grads = MistakenTape(self.nodes, ""), MistakenTape(self.grads, "grad_")
        known = Replayed(self.cell, self.drawn, nodes, grads)
        for tape in (nodes, grads):
            tape.known, tape.mistake = known, mistake
        with np.errstate(all="ignore"):
            _run(self.cell, self.drawn, nodes, grads)
        return grads


def _run(cell: Cell, d: Drawn, tape: Tape, grads: Tape) -> None:
    x = d.case.for_oracle()["x"]
    if d.upstream is None:
        forward_and_backward(cell, d.params, x, d.y, d.weights, d.initial, inputs=True, tape=tape, grads=grads)
        return
    unroll(cell, d.params, x, d.initial, tape)
    go_back(cell, d.params, x, tape, d.upstream, grads, inputs=True)
