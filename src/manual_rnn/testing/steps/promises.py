"""What a step promises besides its gradients: forward gives the states, and backward leaves the cache as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from manual_rnn.bptt import unroll
from manual_rnn.cell import Array
from manual_rnn.tape import Tape
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.backward_report import Check
from manual_rnn.testing.passes.blocks import blocks
from manual_rnn.testing.passes.calling import UserFailure, as_array, call
from manual_rnn.testing.passes.layout import CONSTANT
from manual_rnn.testing.passes.regimes import Drawn
from manual_rnn.testing.passes.target import ForwardOracle
from manual_rnn.testing.passes.truth import SAFETY, cell_of, nudged
from manual_rnn.testing.passes.whole_pass import amount
from manual_rnn.testing.steps.one_step import by_name, forward
from manual_rnn.testing.steps.step_target import StepTarget


def promises_of(step: StepTarget, cases: Sequence[Drawn], time_limit: float | None) -> list[Check]:
    """A check for each state that can be compared, and one for the cache."""
    try:
        found = _states(step, cases, time_limit)
    except UserFailure as error:
        return [Check("forward", "wrong", error.sentence, details=error.details)]
    try:
        return [*found, _cache(step, cases[0], time_limit)]
    except UserFailure as error:
        return [*found, Check("cache untouched", "wrong", error.sentence, details=error.details)]


@dataclass(frozen=True)
class _Call:
    """One case as the step is handed it."""

    arrays: Mapping[str, Array]
    above: list[Array]


def _call_of(step: StepTarget, drawn: Drawn) -> _Call:
    given = step.as_pass.layout.to_yours(drawn.arrays)
    typed = {n: a.astype(step.dtype) if np.issubdtype(a.dtype, np.floating) else a for n, a in given.items()}
    return _Call({n: a for n, a in typed.items() if n not in step.above}, [typed[n] for n in step.above])


def _states(step: StepTarget, cases: Sequence[Drawn], time_limit: float | None) -> list[Check]:
    """Forward's values against the oracle's. Where the oracle is this very forward there is nothing to compare."""
    if getattr(step.against, "forward", None) is step.forward:
        return []
    layout = step.as_pass.layout
    largest = dict.fromkeys(step.states, 0.0)
    wrong: dict[str, str] = {}
    for drawn in cases:
        arrays = _call_of(step, drawn).arrays
        what = f"the step forward, at {drawn.sizes},"
        found = call(forward, {"step": step, "arrays": arrays}, what=what, time_limit=time_limit).value
        runs = [_right(step, case, time_limit) for case in (drawn, nudged(drawn, 1), nudged(drawn, 2))]
        for k, name in enumerate(step.states):
            right = [run[k] for run in runs]
            truth = Estimate(right[0], SAFETY * np.max([np.abs(r - right[0]) for r in right[1:]], axis=0))
            ours = as_array(found.states[k], f"next_{name}")
            wanted = layout.turn(f"{name}0", right[0]).shape
            if ours.shape != wanted:
                wrong.setdefault(name, f"has the shape {ours.shape}, expected {wanted}, in the {drawn}")
                continue
            b = blocks(layout.to_ours(layout.yours(f"{name}0")[0], ours), truth, 1, step.dtype)
            largest[name] = max(largest[name], float(b.error[b.decided].max(initial=0)))
            if b.wrong.any():
                off = amount(float(b.error[b.wrong].max()))
                wrong.setdefault(name, f"forward is another function than the oracle's: off by {off} in the {drawn}")
    return [
        Check(f"next_{n}", "wrong", wrong[n], largest[n])
        if n in wrong else Check(f"next_{n}", "right", f"to {largest[n]:.0e} relative", largest[n])
        for n in step.states
    ]  # fmt: skip


def _right(step: StepTarget, drawn: Drawn, time_limit: float | None) -> list[Array]:
    """The states after the step, (B, n_hidden) each."""
    target = step.as_pass
    if isinstance(step.against, ForwardOracle):
        arrays = target.layout.to_yours({n: a for n, a in drawn.arrays.items() if n not in CONSTANT})
        what = f"forward, at {drawn.sizes},"
        problem = {"arrays": arrays, "count": len(step.states)}
        found = call(step.against.values, problem, what=what, time_limit=time_limit).value
        names = [target.layout.yours(f"{n}0")[0] for n in step.states]
        return [target.layout.to_ours(n, np.asarray(a)) for n, a in zip(names, found, strict=True)]
    cell, tape = cell_of(target), Tape(1)
    unroll(cell, drawn.params, drawn.case.for_oracle()["x"], drawn.initial, tape)
    return [tape[name][0] for name in step.states]


def _cache(step: StepTarget, drawn: Drawn, time_limit: float | None) -> Check:
    """Backward twice on one cache: who keeps the caches of a sequence may go back over them again."""
    handed = _call_of(step, drawn)

    def twice() -> list[dict[str, Array]]:
        cache = forward(step, handed.arrays).cache
        runs = [by_name(step, step.backward(*(a.copy() for a in handed.above), cache)) for _ in range(2)]
        return [{n: np.array(as_array(a, f"the gradient of {n}")) for n, a in run.items()} for run in runs]

    first, second = call(twice, {}, what="a second backward on the same cache", time_limit=time_limit).value
    differs = [n for n, a in first.items() if n not in second or not _alike(a, second[n])]
    if differs:
        which = ", ".join(differs)
        sentence = f"a second backward on the same cache gives other gradients of {which}: the cache is written to"
        return Check("cache untouched", "wrong", sentence)
    return Check("cache untouched", "right", "a second backward on the same cache gives the same gradients")


def _alike(one: Array, two: Array) -> bool:
    return one.shape == two.shape and np.allclose(one, two, 1e-6, 0, equal_nan=True)
