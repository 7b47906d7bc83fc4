"""The right gradients of a drawn case, in your layout's terms, each with the error that rounding makes there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from manual_rnn import cells
from manual_rnn.cell import Array, Cell
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.calling import call
from manual_rnn.testing.passes.layout import CONSTANT, UPSTREAM
from manual_rnn.testing.passes.own_windows import Windows
from manual_rnn.testing.passes.regimes import Drawn
from manual_rnn.testing.passes.target import ForwardOracle, Target
from manual_rnn.testing.passes.truncation import truncated
from manual_rnn.testing.problem import Oracle

SAFETY = 16
"""Two disturbed runs are two samples of what another implementation's rounding may do."""


def cell_of(target: Target) -> Cell:
    """The built-in cell that a target is held against; the vanilla RNN's shapes where the forward is the user's own."""
    name = getattr(target.against, "name", None)
    return cells.get(name) if name in cells.names() else cells.get("rnn")


def has_cell(target: Target) -> bool:
    """Whether the truth is that of a built-in cell, whose derivation can be replayed: with one upstream gradient."""
    if isinstance(target.against, ForwardOracle) or len(target.layout.step) > 1:
        return False
    return getattr(target.against, "name", None) in cells.names()


def variables(target: Target, drawn: Drawn) -> list[str]:
    """Your names of all that has a gradient."""
    ours = [n for n in target.layout.packed(drawn.arrays) if n not in (*CONSTANT, *target.layout.absent)]
    return [yours for n in ours if n != "x" or not target.layout.tokens for yours in target.layout.yours(n)]


def truth_of(target: Target, drawn: Drawn, time_limit: float | None) -> dict[str, Estimate]:
    """By your names, the gradient of each variable in our shape; the error says what an ulp in the inputs changes.

    Raises:
        UserFailure: the user's forward failed, or took longer than ``time_limit`` seconds for one case.
    """
    names = variables(target, drawn)
    if isinstance(target.against, ForwardOracle):
        return _of_forward(target, target.against, drawn, names, time_limit)
    cases = [drawn, nudged(drawn, 1), nudged(drawn, 2)]
    k = target.truncation
    runs = [truncated(cell_of(target), case, k) for case in cases] if k else _of_cell(target.against, cases)
    packed = [target.layout.packed(run) for run in runs]
    return {name: _measured([run[target.layout.ours(name)] for run in packed]) for name in names}


def _of_cell(oracle: Oracle, cases: list[Drawn]) -> list[Mapping[str, Array]]:
    return [grads for _, grads in oracle([problem_of(drawn) for drawn in cases])]


def problem_of(drawn: Drawn) -> dict[str, Any]:
    """A case as a built-in cell's oracle takes it."""
    problem = drawn.case.for_oracle()
    if drawn.upstream is None:
        return problem
    above = {n.removeprefix("grad_"): drawn.arrays[n] for n in UPSTREAM if n in drawn.arrays}
    upstream = above if len(above) > 1 else drawn.upstream
    return {n: problem[n] for n in ("params", "initial", "x")} | {"upstream": upstream}


def _of_forward(
    target: Target, forward: ForwardOracle, drawn: Drawn, names: list[str], time_limit: float | None
) -> dict[str, Estimate]:
    oracle = Windows(forward, target.layout, target.truncation) if target.truncation else forward

    def ask(case: Drawn) -> Mapping[str, Array | Estimate]:
        arrays = target.layout.to_yours(case.arrays)
        above = [arrays.pop(target.layout.yours(name)[0]) for name in UPSTREAM if name in case.arrays]
        upstream = above if len(above) > 1 else above[0] if above else None
        problem = {"arrays": arrays, "upstream": upstream, "names": names}
        found: Mapping[str, Array | Estimate] = call(
            oracle.gradients, problem, what=f"forward, at {case.sizes},", time_limit=time_limit
        ).value
        return found

    first = ask(drawn)
    if all(isinstance(g, Estimate) for g in first.values()):
        return {n: _in_our_shape(target, n, g) for n, g in first.items() if isinstance(g, Estimate)}
    runs = [first, ask(nudged(drawn, 1)), ask(nudged(drawn, 2))]
    return {n: _measured([target.layout.to_ours(n, np.asarray(run[n])) for run in runs]) for n in names}


def _in_our_shape(target: Target, name: str, found: Estimate) -> Estimate:
    return Estimate(target.layout.to_ours(name, found.value), target.layout.to_ours(name, found.error))


def _measured(runs: list[Array]) -> Estimate:
    with np.errstate(all="ignore"):
        moved = np.max([np.abs(run - runs[0]) for run in runs[1:]], axis=0)
    return Estimate(runs[0], SAFETY * np.where(np.isfinite(moved), moved, np.inf))


def nudged(drawn: Drawn, seed: int) -> Drawn:
    """Every number a unit in the last place up or down."""
    rng = np.random.default_rng([drawn.seed, seed])

    def nudge(array: Array) -> Array:
        if not np.issubdtype(array.dtype, np.floating):
            return array
        return np.asarray(array * (1 + np.finfo(array.dtype).eps * rng.choice([-1.0, 1.0], array.shape)))

    return replace(
        drawn,
        params={n: nudge(a) for n, a in drawn.params.items()},
        initial={n: nudge(a) for n, a in drawn.initial.items()},
        x=nudge(drawn.x),
    )
