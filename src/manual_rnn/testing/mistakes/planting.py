"""Plants a mistake in the right derivation: an equation gives another value, and the pass goes on with that.

So everything that follows is wrong in the way in which code with this mistake is wrong. The judge is tried on such
passes, and a pass that exposes only its results is explained by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.gradients import forward_and_backward
from manual_rnn.network import widths
from manual_rnn.tape import Tape
from manual_rnn.testing.local import Manual
from manual_rnn.testing.mistakes.formula import Formula
from manual_rnn.testing.mistakes.terms import Quantities
from manual_rnn.testing.problem import Case, Sizes, Spec

Change = Callable[[Quantities, Array, int | None], Array]
"""The mistaken value of an equation from the tapes so far, the right value, and the row (None: all rows at once)."""


@dataclass(frozen=True)
class Mistake:
    """One mistake: a sentence, and by equation (grad_h, h, …) what stands there instead."""

    sentence: str
    changes: Mapping[str, Change]


def as_change(formula: Formula) -> Change:
    """A formula at the row that the pass has come to, or at all where it computes all at once."""

    def change(known: Quantities, value: Array, t: int | None) -> Array:
        known.rows = range(known.T) if t is None else [t]
        found = np.asarray(formula.value(known))
        return found if t is None else np.asarray(found[0 if len(found) == 1 else t])

    return change


def planted(mistake: Mistake) -> Manual:
    """A pass through time like ``gradients.forward_and_backward``, with this mistake in it."""

    def manual(
        cell: Cell,
        params: Mapping[str, Array],
        x: Array,
        y: Array,
        weights: Array,
        initial: Mapping[str, Array],
        *,
        inputs: bool,
        tape: Tape,
        grads: Tape,
        loss: str = "softmax",
    ) -> dict[str, Array]:
        (n_in, n_hidden, n_out), (T, B) = widths(cell, params), y.shape[:2]
        sizes = Sizes(T, B, n_in, n_hidden, n_out)
        spec = Spec("planted", sizes, str(weights.dtype), 0, 0, loss)
        known = Quantities(cell, Case(spec, params, initial, x, y, weights), tape, grads)
        return forward_and_backward(
            cell, params, x, y, weights, initial, inputs=inputs, loss=loss,
            tape=PlantedTape(tape, "", mistake, known), grads=PlantedTape(grads, "grad_", mistake, known),
        )  # fmt: skip

    return manual


class PlantedTape(Tape):
    """Hands everything on to another tape, but puts the mistaken value in the place of the right one."""

    def __init__(self, tape: Tape, prefix: str, mistake: Mistake, known: Quantities) -> None:
        """``prefix`` is what the mistake's equations have before the names of this tape: "grad_", or nothing."""
        self._tape, self._prefix, self._mistake, self._known = tape, prefix, mistake, known
        self.compiled = False

    @property
    def T(self) -> int:  # type: ignore[override]
        return self._tape.T

    @property
    def t(self) -> int:
        return self._tape.t

    @t.setter
    def t(self, row: int) -> None:
        self._tape.t = row

    def tap(self, name: str, value: Array) -> Array:
        return self._tape.tap(name, self._mistaken(name, value, self.t))

    def tap_all(self, name: str, values: Array) -> Array:
        return self._tape.tap_all(name, self._mistaken(name, values, None))

    def _mistaken(self, name: str, value: Array, t: int | None) -> Array:
        change = self._mistake.changes.get(f"{self._prefix}{name}")
        if change is None:
            return value
        with np.errstate(all="ignore"):
            wrong = change(self._known, value, t)
        return wrong.astype(value.dtype) if wrong.shape == value.shape else np.full_like(value, np.nan)

    def reserve_state(self, name: str, initial: Array, dtype: Any, **options: Any) -> None:
        self._tape.reserve_state(name, initial, dtype, **options)

    def previous(self, name: str) -> Array:
        return self._tape.previous(name)

    def __getitem__(self, name: str) -> Array:
        return self._tape[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tape)
