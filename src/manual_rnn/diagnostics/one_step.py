r"""Single steps of a run beside the oracle's: each starts from the run's own state, so nothing propagates.

Chaos and vanishing do not matter there: any step can be decided. From the first step on, each state is what the step
before gives, so right steps make a right run; what is carried from step to step is not looked at elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.diagnostics.comparison import CrossCheck, Oracle, ask, compare, problem, sampled
from manual_rnn.diagnostics.rounding import MOVES
from manual_rnn.diagnostics.trajectory import Trajectory

STEPS = 64
"""At most so many steps are taken."""
DIRECTIONS = 8
"""Gradients that are sent back through each, drawn at random: a wrong entry of a Jacobian is in all of them."""
MOST_NUMBERS = 2.0**24
"""Of the states that are handed to the oracle."""


class Steps:
    """Some steps of a run, as sequences of one step; ``rows`` are t − 1 of each."""

    def __init__(self, run: Trajectory, params: Mapping[str, Array], against: Oracle, *, each: int = 1) -> None:
        most = int(MOST_NUMBERS / (run.B * run.n_hidden * each))
        self.rows = sampled(run.T, min(STEPS, most))
        self.run, self.against, self.params = run, against, params
        self.initial = {name: self._flat(run.states(name)[:-1]) for name in run.cell.states}
        self.x = self._flat(run.x)[None]
        self.places = {"step": [t + 1 for t in self.rows], "sequence": range(run.B)}

    def _flat(self, array: Array) -> Array:
        return array[self.rows].reshape(len(self.rows) * self.run.B, *array.shape[2:])

    def _apart(self, rows: Array) -> Array:
        """(…, S · B, n) as (…, S, B, n)."""
        return rows.reshape(*rows.shape[:-2], len(self.rows), self.run.B, rows.shape[-1])

    def moved(self) -> list[Trajectory]:
        rng = np.random.default_rng(0)
        return [Trajectory.moved(self.run.cell, self.params, self.x, self.initial, rng) for _ in range(MOVES)]

    def of_oracle(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Nodes and their gradients, (S, B, n) each, when the gradient of the first state is −1 for every unit."""
        run, n, dtype = self.run, self.run.n_hidden, self.run.params["V"].dtype
        h = self._flat(run.tape[run.cell.full(run.cell.states[0])])
        params = {**self.params, "V": np.ones((1, n), dtype), "c": np.zeros(1, dtype)}
        y = (h.sum(axis=-1, keepdims=True) + 1)[None]  # the squared error of o = Σ h is then ½
        rest = {"y": y, "weights": np.ones((1, len(h)), dtype), "loss": "squared"}
        nodes, grads = ask(self.against, [problem(run.cell, params, self.x, self.initial, **rest)])[0]
        own = [(name, run.cell.own(name)) for name in run.tape]
        return tuple(
            {node: self._apart(np.asarray(of[name])[0]) for name, node in own if node is not None and name in of}
            for of in (nodes, grads)
        )  # type: ignore[return-value]

    def nodes(self, names: Sequence[str], nodes: Mapping[str, Array]) -> CrossCheck:
        """Some nodes of the forward pass, each as a vector."""
        run = self.run
        ours, theirs = (np.stack(of, axis=-2) for of in (
            [run.tape[run.cell.full(name)][self.rows] for name in names], [nodes[name] for name in names]))  # fmt: skip
        moved = [np.stack([self._apart(one.tape[run.cell.full(name)][0]) for name in names], axis=-2)
                 for one in self.moved()]  # fmt: skip
        return compare(ours, theirs, moved, {**self.places, "node": names})

    def jacobians(self) -> CrossCheck:
        """Random gradients that go back through each step: to each state, as vectors."""
        run, states, S = self.run, self.run.cell.states, len(self.rows)
        shape, rng = (DIRECTIONS, S, run.B, run.n_hidden), np.random.default_rng(0)
        sent = {name: rng.standard_normal(shape).astype(run.params["V"].dtype) for name in states}
        ours = np.stack([self._back(run, t, {name: rows[:, s] for name, rows in sent.items()})
                         for s, t in enumerate(self.rows)], axis=1)  # fmt: skip
        flat = {name: rows.reshape(DIRECTIONS, S * run.B, -1) for name, rows in sent.items()}
        moved = [self._apart_by_state(self._back(one, 0, flat)) for one in self.moved()]
        upstream = {name: rows.reshape(1, DIRECTIONS * S * run.B, -1) for name, rows in flat.items()}
        many = {name: np.tile(rows, (DIRECTIONS, 1)) for name, rows in self.initial.items()}
        x = np.tile(self.x, (1, DIRECTIONS, *([1] * (self.x.ndim - 2))))
        told = upstream if len(states) > 1 else upstream[states[0]]
        _, grads = ask(self.against, [problem(run.cell, self.params, x, many, upstream=told)])[0]
        theirs = np.stack([grads[f"{name}0"].reshape(shape) for name in states], axis=-2)
        places = {"direction": range(DIRECTIONS), **self.places, "state": states}
        return compare(ours, theirs, moved, places)

    def _back(self, run: Trajectory, t: int, sent: Mapping[str, Array]) -> Array:
        carried, _ = run.back(t, dict(sent))
        return np.stack([carried[name] for name in run.cell.states], axis=-2)

    def _apart_by_state(self, rows: Array) -> Array:
        """(S′, S · B, states, n) as (S′, S, B, states, n)."""
        return rows.reshape(len(rows), len(self.rows), self.run.B, *rows.shape[2:])
