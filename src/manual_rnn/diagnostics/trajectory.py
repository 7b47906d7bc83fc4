r"""A run of a cell over a sequence, kept so that gradients of anything can be sent back through it, many at once.

A diagnostic rarely wants the one gradient of the one loss: it wants those of the losses of all steps apart, or of
every unit of a state. All of them go back through the same steps by the same equations (B4–B10), so they go together,
as the rows of one array: a *bundle* (S, B, n), S gradients for each of B sequences.

Gradients are linear in what they start from, so a row that has shrunk or grown too far is scaled by a power of two,
which is exact, and the power is kept: nothing underflows or overflows, however long the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np
import numpy.typing as npt

from manual_rnn import losses, readout
from manual_rnn.bptt import step_back, unroll
from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.check import check_run
from manual_rnn.diagnostics.measurable import check_states
from manual_rnn.diagnostics.rounding import Moving, move, move_all, move_kept
from manual_rnn.diagnostics.states import log_norm
from manual_rnn.maps import Maps
from manual_rnn.network import zero_state
from manual_rnn.tape import Tape

Bundle = dict[str, Array]
"""By the cell's own name of a node, (S, B, n_hidden)."""


@dataclass
class Trajectory:
    """Every node of a run. Raises Unmeasurable from :meth:`of` where a state is not finite, with its step."""

    cell: Cell
    params: Mapping[str, Array]
    x: Array
    tape: Tape
    maps: Maps = field(repr=False)
    rng: np.random.Generator | None = None
    """Moves every number that the way back makes by a unit in its last place, where it is there."""

    @classmethod
    def of(
        cls, cell: Cell, params: Mapping[str, Array], x: Array, initial: Mapping[str, Array] | None
    ) -> Trajectory:
        """Runs the cell over x (T, B, n_in) or token ids (T, B), from states (B, n_hidden), zeros by default."""
        check_run(cell, params, x, initial)
        initial = zero_state(cell, params, x.shape[1]) if initial is None else initial
        run = cls._on(Tape(len(x)), cell, params, x, initial)
        check_states(cell, run.tape)
        return run

    @classmethod
    def moved(
        cls, cell: Cell, params: Mapping[str, Array], x: Array, initial: Mapping[str, Array], rng: np.random.Generator
    ) -> Trajectory:
        """The same run when every argument and every node is moved by a unit in its last place."""
        tape = Moving(len(x), rng)
        run = cls._on(tape, cell, move_all(params, rng), move(x, rng), move_all(initial, rng))
        run.rng = rng
        return run

    @classmethod
    def _on(
        cls, tape: Tape, cell: Cell, params: Mapping[str, Array], x: Array, initial: Mapping[str, Array]
    ) -> Trajectory:
        with np.errstate(over="ignore", invalid="ignore"):
            unroll(cell, params, x, initial, tape)
        weights = {**params, **{w.name: tape[w.name] for w in cell.weights}}
        return cls(cell, weights, x, tape, Maps(cell, weights))

    @property
    def T(self) -> int:
        return self.tape.T

    @property
    def B(self) -> int:
        return int(self.x.shape[1])

    @property
    def n_hidden(self) -> int:
        return int(self.params["V"].shape[1])

    @property
    def width(self) -> int:
        """D, the width of all states end to end."""
        return self.n_hidden * len(self.cell.states)

    def bundle(self, columns: Array) -> Bundle:
        """Gradients given as columns (B, D, S), the states end to end, as a bundle."""
        parts = np.split(np.moveaxis(columns, -1, 0), len(self.cell.states), axis=-1)
        return {name: np.ascontiguousarray(part) for name, part in zip(self.cell.states, parts, strict=True)}

    def columns(self, bundle: Bundle) -> Array:
        """The same the other way round."""
        return np.moveaxis(np.concatenate([bundle[name] for name in self.cell.states], axis=-1), 0, -1)

    def states(self, name: str) -> Array:
        """A state at t = 0 … T, (T + 1, B, n_hidden)."""
        full = self.cell.full(name)
        return np.concatenate([self.tape.previous(full)[:1], self.tape[full]])

    def from_losses(self, y: Array, weights: Array, loss: str = "softmax") -> Array:
        """Vᵀ ∇o(t), (T, B, n_hidden): what the loss of each step sends to its own h(t)."""
        h = self.tape[self.cell.full(self.cell.states[0])]
        of_loss = losses.get(loss)
        with np.errstate(over="ignore", invalid="ignore"):  # the loss itself, which nothing here is of
            _, kept = of_loss.forward(readout.forward(self.params["V"], self.params["c"], h), y, weights)
        kept = kept if self.rng is None else move_kept(kept, self.rng)
        with np.errstate(over="ignore", invalid="ignore"):
            sent: Array = of_loss.backward(kept, y, weights) @ self.params["V"]
        return sent if self.rng is None else move(sent, self.rng)

    def back(self, t: int, bundle: Bundle) -> tuple[Bundle, Bundle]:
        """One step back through row t: from gradients of the states after it to those of the states before.

        Returns these, and the gradients of the step's nodes: the total one of each state, which a state that is not
        the first completes within the step, and those of the affine maps.
        """
        S = len(next(iter(bundle.values())))
        rows = {name: array.reshape(S * self.B, -1) for name, array in bundle.items()}
        node = Nodes(**{own: self._repeated(self.tape[name][t], S) for name, own in self.by_step})
        before = {name: self.tape.previous(self.cell.full(name))[t] for name in self.cell.states}
        prev = Nodes(**{name: self._repeated(array, S) for name, array in before.items()})
        grads = _Step(self.rng)
        carried = step_back(self.cell, self.maps, node, prev, Nodes(**rows), grads)
        made = {own: grads[name] for name in grads if (own := self.cell.own(name)) is not None}
        made[self.cell.states[0]] = rows[self.cell.states[0]]
        return self._bundled(carried, S), self._bundled(made, S)

    def _bundled(self, rows: Mapping[str, Array], S: int) -> Bundle:
        return {name: np.broadcast_to(array, (S * self.B, self.n_hidden)).reshape(S, self.B, -1)
                for name, array in rows.items()}  # fmt: skip

    @cached_property
    def by_step(self) -> list[tuple[str, str]]:
        names = [(name, self.cell.own(name)) for name in self.tape]
        return [(name, own) for name, own in names if own is not None]

    def _repeated(self, rows: Array, S: int) -> Array:
        """(B, n) for each of S gradients: broadcast where there is one sequence."""
        return rows if self.B == 1 else np.tile(rows, (S, 1))


class _Step(Tape):
    """The gradients of one step, as they come."""

    def __init__(self, rng: np.random.Generator | None) -> None:
        super().__init__(1)
        self._rng = rng

    def tap(self, name: str, value: Array) -> Array:
        value = value if self._rng is None else move(value, self._rng)
        self._arrays[name] = value
        return value


def units(run: Trajectory) -> Bundle:
    """The unit vectors of all states, (D, B, n_hidden): sent back, they are the rows of a Jacobian."""
    one = np.broadcast_to(np.eye(run.width, dtype=run.params["V"].dtype), (run.B, run.width, run.width))
    return run.bundle(one)


@dataclass
class Scaled:
    """Bundles on their way back, each row within reach of the format: ``rows`` times two to the ``power``."""

    rows: Bundle
    power: Array
    """(S, B), whole numbers."""

    @classmethod
    def of(cls, run: Trajectory, S: int) -> Scaled:
        """Room for S gradients, zeros."""
        shape, dtype = (S, run.B, run.n_hidden), run.params["V"].dtype
        return cls({name: np.zeros(shape, dtype) for name in run.cell.states}, np.zeros(shape[:2], int))

    def back(self, run: Trajectory, t: int, count: int, node: str | None = None) -> tuple[Array, dict[str, Array]]:
        """Takes the first ``count`` gradients back through row t, first of all scaled to within reach.

        Returns the gradients of a node of the step, (count, B, n), less the ``power`` of now, empty where none is
        named; and by state log ‖its total gradient‖, (count, B): natural, -inf for a zero.
        """
        first, *others = self.rows
        squares = {name: _squares(rows[:count]) for name, rows in self.rows.items()}
        if self._keep_within_reach(reduce(np.maximum, squares.values())):
            squares[first] = _squares(self.rows[first][:count])
        carried, made = run.back(t, {name: rows[:count] for name, rows in self.rows.items()})
        logs = {first: self._logs(made[first], squares[first])}  # it is what has come to it, all of it
        logs |= {name: self._logs(made[name], _squares(made[name])) for name in others}
        of_node = np.empty(0) if node is None else made[node].copy()  # of a state it is what is written over now
        for name, rows in self.rows.items():
            rows[:count] = carried[name]
        return of_node, logs

    def log_norms(self) -> dict[str, Array]:
        """By state log ‖what has come to it‖, (S, B)."""
        return {name: self._logs(rows, _squares(rows)) for name, rows in self.rows.items()}

    def _logs(self, rows: Array, squares: Array) -> Array:
        with np.errstate(divide="ignore"):
            logs: Array = np.log(squares) / 2
        lost = _outside(squares, np.finfo(squares.dtype).maxexp - 60)
        if lost.any():
            logs[lost] = log_norm(rows[lost])
        logs += np.log(2) * self.power[: len(rows)]
        return logs

    def _keep_within_reach(self, squares: Array) -> bool:
        """Scales the rows whose norm has left [1/far, far] by a power of two, by which nothing of a number is lost.

        Whether there were any.
        """
        s, b = np.nonzero(_outside(squares, 2 * (np.finfo(squares.dtype).maxexp // 5)))
        if not s.size:
            return False
        largest = np.max([np.abs(rows[s, b]).max(axis=-1) for rows in self.rows.values()], axis=0)
        exponent = np.where(np.isfinite(largest), np.frexp(largest)[1], 0)  # of a zero it is none
        for rows in self.rows.values():
            rows[s, b] = np.ldexp(rows[s, b], -exponent[:, None])
        self.power[s, b] += exponent
        return True


def _squares(rows: Array) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.einsum("sbn,sbn->sb", rows, rows))


def _outside(squares: Array, exponent: int) -> npt.NDArray[np.bool_]:
    """Where they are not between 2^-exponent and 2^exponent; zeros and what is not finite among them."""
    one = squares.dtype.type(1)  # in the format itself: 2^exponent of a longdouble is beyond a float64
    inside = (squares <= np.ldexp(one, exponent)) & (squares >= np.ldexp(one, -exponent))
    return np.asarray(~inside)
