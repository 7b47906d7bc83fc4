r"""The end-to-end verdict: the whole gradient, relative per array and per time step, at any magnitude.

How far two right gradients may lie apart depends on the case: in a chaotic network by any factor. So the budget is
measured for that very case. The manual pass is run in the next wider format (80 bits for float64 where the platform
has them), and twice more with every node disturbed by a few units in the last place, which is what another right
implementation does (Monte Carlo arithmetic: Parker 1997). Sixteen times the largest of the three distances from the
wide run, and what the local verdict allows the equation itself, is what the reference may be off by.

Where the budget exceeds half of the format's digits, the case cannot decide that step: it is counted as
ill-conditioned, never passed and never failed. So is all of a case whose pre-activation comes within rounding of a
kink, where the derivative jumps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.gradients import forward_and_backward
from manual_rnn.network import Network
from manual_rnn.tape import Tape
from manual_rnn.testing.local import Manual, bound_for, run
from manual_rnn.testing.problem import Answer, Case, leading_axes
from manual_rnn.testing.scales import Scale, Scales

SAFETY = 16
"""Two disturbed runs are two samples of what a third implementation may do."""
DISTURBANCE = 4
"""Units by which a node is disturbed: a tanh of another library is off by up to 6.5, a sum of products by about 2."""
WIDER = {np.dtype(np.float32): np.dtype(np.float64), np.dtype(np.float64): np.dtype(np.longdouble)}


class StepByStep(Tape):
    """A tape like any other, but that the walk through its steps is not the one in place."""


class DisturbedTape(Tape):
    """Disturbs every node by a few units of its natural scale, and flushes subnormals as compiled code does."""

    def __init__(self, T: int, scales: Mapping[str, Scale], dtype: np.dtype[Any], rng: np.random.Generator) -> None:
        super().__init__(T)
        info = np.finfo(dtype)
        self._tiny = float(info.tiny)
        self._noise = {
            name: (info.eps * s.of * _random_units(rng, s.of.shape)).astype(dtype) for name, s in scales.items()
        }

    def tap(self, name: str, value: Array) -> Array:
        return super().tap(name, self._flushed(value + self._noise[name][self.t]))

    def tap_all(self, name: str, values: Array) -> Array:
        return super().tap_all(name, self._flushed(values + self._noise[name]))

    def _flushed(self, value: Array) -> Array:
        return np.asarray(np.where(np.abs(value) < self._tiny, value.dtype.type(0), value))


def _random_units(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Units of either sign and never near zero: two samples must not both happen to be small."""
    return np.asarray(DISTURBANCE * rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1, shape))


@dataclass(frozen=True)
class BlockCheck:
    """One gradient array of one case, by blocks: a row per step and sequence, or the whole of a parameter."""

    error: Array
    """The largest error in each block, relative to the block's largest entry."""
    budget: Array
    """What was measured to be possible, relative likewise."""
    ill_conditioned: Array
    """Blocks that the format cannot decide."""

    @property
    def wrong(self) -> Array:
        """The blocks that are off by more than their budget."""
        return np.asarray(~(self.error <= self.budget) & ~self.ill_conditioned)

    @property
    def agree(self) -> bool:
        return not self.wrong.any()


def end_to_end_verdict(
    model: Cell | Network,
    case: Case,
    answer: Answer,
    scales: Scales,
    *,
    manual: Manual = forward_and_backward,
    in_place: bool = False,
) -> dict[str, BlockCheck]:
    """Judges every node and gradient of one case; names as in the local verdict.

    ``in_place``: the pass that is judged is the one in place, which users run, and not the walk step by step that the
    budget is measured with: an error that both of two runs have would be taken for what rounding does.

    Raises:
        ValueError: an array is missing or has the wrong shape; the sentence names it.
    """
    nodes, grads = answer
    kinks = [cell.full(name) for cell in Network.of(model).cells for name in cell.kinks]
    dtype, T = case.dtype, case.spec.sizes.T
    rng = np.random.default_rng(case.spec.seed)
    with np.errstate(all="ignore"):
        ours = _run(model, case, StepByStep(T), StepByStep(T), manual)
        judged = ours if not in_place else _in_place(model, case, manual)
        try:
            exact = _run(model, case.astype(WIDER[dtype]), StepByStep(T), StepByStep(T), manual)
        except TypeError:  # the cell calls a function that has no such format (scipy's, say): the samples must do
            exact = ours
        disturbed = [
            _run(model, case, DisturbedTape(T, scales[0], dtype, rng), DisturbedTape(T, scales[1], dtype, rng), manual)
            for _ in range(2)
        ]
        at_kink = any(
            _near_zero(nodes[name], exact[name], [run[name] for run in (ours, *disturbed)], scales[0][name].of)
            for name in kinks
        )
        truths = dict(nodes) | {f"grad_{name}": array for name, array in grads.items()}
        checks: dict[str, BlockCheck] = {}
        for name, truth in truths.items():
            if ours[name].shape != truth.shape:
                raise ValueError(f"{name} has the shape {ours[name].shape}, expected {truth.shape}.")
            # One block a row: all that comes after the axes of time and batch.
            rows = (*truth.shape[: leading_axes(model, name)], -1)
            blocks = [run[name].reshape(rows) for run in (judged, ours, exact, *disturbed)]
            own = scales[0][name] if name in nodes else scales[1][name.removeprefix("grad_")]
            local = bound_for(own.terms) * (np.finfo(dtype).eps * own.of.reshape(rows) + np.finfo(dtype).tiny)
            checks[name] = _check(truth.reshape(rows), local, *blocks, at_kink=at_kink and name not in kinks)
        return checks


def _in_place(model: Cell | Network, case: Case, manual: Manual) -> dict[str, Array]:
    """What users run: the walk in place, and of it what training runs, on tapes that keep less."""
    T = case.spec.sizes.T
    lean = _run(model, case, Tape(T, lean=True), Tape(T, lean=True), manual)
    return _run(model, case, Tape(T), Tape(T), manual) | {n: a for n, a in lean.items() if n.startswith("grad_")}


def _run(model: Cell | Network, case: Case, tape: Tape, grads: Tape, manual: Manual) -> dict[str, Array]:
    run(manual, model, case, tape, grads)
    return {name: tape[name] for name in tape} | {f"grad_{name}": grads[name] for name in grads}


def _near_zero(node: Array, exact: Array, runs: list[Array], scale: Array) -> bool:
    """Whether a number of the node may lie on the other side of zero in another right implementation."""
    measured = np.max([np.abs(run - exact) for run in runs], axis=0)
    return bool((np.abs(node) <= SAFETY * measured + SAFETY * np.finfo(node.dtype).eps * scale).any())


def _check(
    truth: Array, local: Array, judged: Array, ours: Array, exact: Array, *disturbed: Array, at_kink: bool
) -> BlockCheck:
    info = np.finfo(truth.dtype)

    def largest(array: Array) -> Array:
        return np.asarray(np.abs(array).max(axis=-1))

    size = largest(truth)
    measured = _seen_beside(np.max([largest(run - exact) for run in (ours, *disturbed)], axis=0), size)
    # A zero of the wide run too is no vanished number but a true zero: a step that no loss reaches.
    true_zero = (measured == 0) & (size == 0)
    budget = np.asarray(SAFETY * measured + largest(local), np.float64)
    decidable = (budget <= np.sqrt(info.eps) * size) & np.isfinite(size) | true_zero
    relative_to = np.where(true_zero, 1, size)
    # A NaN of the wide run, too, is none of overflow: a wider format reaches further than the truth.
    never_a_number = np.isnan(largest(exact)) & np.isfinite(size) & (np.finfo(exact.dtype).maxexp > info.maxexp)
    return BlockCheck(
        error=np.asarray(largest(judged - truth) / relative_to, np.float64),
        budget=budget / relative_to,
        ill_conditioned=(~decidable | at_kink) & ~never_a_number,
    )


def _seen_beside(measured: Array, size: Array) -> Array:
    """The measured errors, none smaller in proportion than those of the steps before and after.

    A few samples can all be small by chance, at one step; hardly at three.
    """
    if measured.ndim < 2:
        return measured
    relative = np.where(size > 0, measured / size, 0)
    widest = relative.copy()
    widest[1:] = np.maximum(widest[1:], relative[:-1])
    widest[:-1] = np.maximum(widest[:-1], relative[1:])
    return np.asarray(np.maximum(measured, widest * size))
