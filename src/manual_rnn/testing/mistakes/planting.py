"""Plants a mistake in the right derivation: one equation gives what its formula says, and the pass goes on with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from manual_rnn.bptt import forward_and_backward
from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.tape import Tape
from manual_rnn.testing.local import Manual
from manual_rnn.testing.mistakes.formula import Formula
from manual_rnn.testing.mistakes.terms import Quantities
from manual_rnn.testing.problem import Case, Sizes, Spec


def planted(equation: str, formula: Formula) -> Manual:
    """A pass through time like ``bptt.forward_and_backward``, with this formula for this equation."""

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
    ) -> dict[str, Array]:
        (n_hidden, n_in), (T, B) = params[cell.maps[0].U].shape, y.shape
        sizes = Sizes(T, B, n_in, n_hidden, len(params["V"]))
        spec = Spec("planted", sizes, str(weights.dtype), 0, 0)
        known = Quantities(cell, Case(spec, params, initial, x, y, weights), tape, grads)
        name, backward = equation.removeprefix("grad_"), equation.startswith("grad_")
        return forward_and_backward(
            cell, params, x, y, weights, initial, inputs=inputs,
            tape=tape if backward else PlantedTape(tape, name, formula, known),
            grads=PlantedTape(grads, name, formula, known) if backward else grads,
        )  # fmt: skip

    return manual


class PlantedTape(Tape):
    """Hands everything on to another tape, but one name gets the formula's value in the place of the right one."""

    def __init__(self, tape: Tape, name: str, formula: Formula, known: Quantities) -> None:
        self._tape, self._name, self._formula, self._known = tape, name, formula, known

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
        if name != self._name:
            return self._tape.tap(name, value)
        self._known.rows = range(self.t, self.t + 1)
        with np.errstate(all="ignore"):
            return self._tape.tap(name, self._formula.value(self._known)[0].astype(value.dtype))

    def tap_all(self, name: str, values: Array) -> Array:
        if name != self._name:
            return self._tape.tap_all(name, values)
        self._known.rows = range(self.T)
        with np.errstate(all="ignore"):
            return self._tape.tap_all(name, self._formula.value(self._known).astype(values.dtype))

    def reserve_state(self, name: str, initial: Array, dtype: Any) -> None:
        self._tape.reserve_state(name, initial, dtype)

    def at(self, t: int) -> Nodes:
        return self._tape.at(t)

    def previous_at(self, t: int) -> Nodes:
        return self._tape.previous_at(t)

    def previous(self, name: str) -> Array:
        return self._tape.previous(name)

    def __getitem__(self, name: str) -> Array:
        return self._tape[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tape)
