"""What every way to the gradient is given, checked once, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from manual_rnn import losses, readout
from manual_rnn.cell import Array, Cell, of_input
from manual_rnn.check import check_problem
from manual_rnn.finite import check_loss, check_sum
from manual_rnn.loss import Loss, weights_of_steps
from manual_rnn.network import zero_state
from manual_rnn.tape import Tape


@dataclass(frozen=True)
class Answer:
    """The loss, and the gradient by the names that ``loss_and_gradients`` has."""

    loss: float
    """L, the weighted sum over time and batch, in nats."""
    gradients: dict[str, Array]
    """∂L/∂v by the name of v: each parameter, each initial state ("h0"), and "x" where it was asked for."""
    state: dict[str, Array]
    """The states of the last step, (B, n_hidden) each."""


@dataclass(frozen=True)
class Given:
    """A problem with all that was left out filled in, and every weight that is made of a parameter made."""

    cell: Cell
    """The cell with its weights for parameters, however they are made."""
    params: Mapping[str, Array]
    x: Array
    y: Array
    loss: Loss
    weights: Array
    initial: Mapping[str, Array]
    _made: Callable[[Mapping[str, Array]], Iterable[tuple[str, Array]]]
    """From gradients of weights to those of the parameters that they are made of."""
    _names: tuple[str, ...]
    _states: tuple[str, ...]

    @classmethod
    def of(
        cls,
        cell: Cell,
        params: Mapping[str, Array],
        x: Array,
        y: Array,
        *,
        loss: str,
        initial: Mapping[str, Array] | None,
        reduction: str,
        weights: Array | None,
    ) -> Given:
        """Raises ValueError where an argument does not fit, as ``loss_and_gradients`` does."""
        check_problem(cell, params, x, y, initial, weights, loss)
        T, B = y.shape[:2]
        made = {w.name: w.forward(params[w.of]) for w in cell.weights}  # (F0)

        def of_made(grads: Mapping[str, Array]) -> Iterable[tuple[str, Array]]:
            return ((w.of, w.backward(params[w.of], made[w.name], grads[w.name])) for w in cell.weights)

        return cls(
            cell=replace(cell, weights=()),
            params={**params, **made},
            x=x,
            y=y,
            loss=losses.get(loss),
            weights=weights_of_steps(weights, reduction, T, B, np.result_type(*params.values())),
            initial=zero_state(cell, params, B) if initial is None else initial,
            _made=of_made,
            _names=tuple(params),
            _states=tuple(f"{name}0" for name in cell.states),
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters, which is that of every result."""
        return np.result_type(*self.params.values())

    def read_out(self, tape: Tape, grads: Tape, rows: slice) -> tuple[Array, Array]:
        """The loss of some steps, and Vᵀ ∇o (T, B, n_hidden), from the states on their tape; taps o, ∇o, ∇c and ∇V.

        Raises FloatingPointError where the loss is not finite.
        """
        h = tape[self.cell.full(self.cell.states[0])]
        o = tape.tap_all("o", readout.forward(self.params["V"], self.params["c"], h))
        y, weights = self.y[rows], self.weights[rows]
        values, kept = self.loss.forward(o, y, weights)
        tape.tap_all("loss", values)
        check_loss(float(values.sum().real), self.cell, tape, first=(rows.start or 0) + 1)
        grad_o = grads.tap_all("o", self.loss.backward(kept, y, weights))
        return values.sum(), readout.backward(self.params["V"], h, grad_o, grads.tap_all)

    def zeros(self, *, inputs: bool) -> dict[str, Array]:
        """A zero for each gradient: of the parameters, of h(0), of x where it is asked for."""
        found = {name: np.zeros_like(array) for name, array in self.params.items()}
        found |= {f"{name}0": np.zeros(array.shape, self.dtype) for name, array in self.initial.items()}
        n_in = self.params[of_input(self.cell)].shape[1]
        return found | ({"x": np.zeros((*self.weights.shape, n_in), self.dtype)} if inputs else {})

    def add(self, sums: Mapping[str, Array], grads: Tape, rows: slice) -> None:
        """Adds what ``go_back`` found on some rows of the whole; what reaches their initial state is ∇h(0) at row 0."""
        for name in grads:
            if name == "x":
                sums[name][rows] += grads[name]
            elif name in self.params or (name in self._states and rows.start == 0):
                sums[name][...] += grads[name]

    def answer(self, total: Array, grads: Mapping[str, Array], state: Mapping[str, Array]) -> Answer:
        """The answer from the gradients of weights, initial states and, where they were asked for, inputs.

        Raises FloatingPointError where the losses' sum is not finite.
        """
        check_sum(float(total.real), total.dtype)
        grads = {**grads, **dict(self._made(grads))}  # (B7), through the function
        names = [*self._names, *self._states, *(["x"] if "x" in grads else [])]
        return Answer(float(total.real), {name: grads[name] for name in names}, dict(state))


def check_count(name: str, given: object, meaning: str) -> None:
    """Raises ValueError where a count is no whole number of at least one."""
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
        raise ValueError(f"{name} is {given!r}; expected a whole number of at least 1, {meaning}.")
