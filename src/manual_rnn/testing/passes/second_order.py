"""A Hessian–vector product of your own, against the directional derivative of the right gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.backward_report import Check
from manual_rnn.testing.passes.blocks import blocks
from manual_rnn.testing.passes.calling import UserFailure, call, gradients_by_name
from manual_rnn.testing.passes.layout import CONSTANT
from manual_rnn.testing.passes.regimes import Drawn, draw, sizes_for
from manual_rnn.testing.passes.seen import block_axes
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.passes.truth import SAFETY, cell_of, nudged, problem_of, variables
from manual_rnn.testing.passes.whole_pass import off_by

HessianVector = Callable[[Mapping[str, Any], Mapping[str, Array]], Mapping[str, Array]]
"""``reference.hessian_vector(autodiff("rnn"))``: from a problem and a direction to H v, by our names."""


def check_hvp(
    hvp: Callable[..., Any], target: Target, *, against: HessianVector, seed: int = 0, time_limit: float = 60.0
) -> tuple[Check, ...]:
    """Checks a Hessian–vector product: one check for each array, to raise or to parametrise a test with.

    Args:
        hvp: takes the arrays by keyword under your names, and ``direction``, a mapping with one array for each;
            returns the derivative of each gradient along the direction, by name.
        target: the backward pass that it belongs to: its loss and its layout; the oracle must be a built-in cell's.
        against: ``reference.hessian_vector(autodiff("rnn"))``.

    What it cannot see: a mistake that the few directions drawn do not meet; all are drawn in the ordinary regime.

    Raises:
        ValueError: the target has tokens, shapes of your own, a truncation or ragged lengths.
    """
    if target.layout.tokens or target.layout.shapes or target.truncation or target.ragged:
        raise ValueError("A Hessian–vector product is checked for dense x, a built-in cell, no truncation, one length.")
    wrong: dict[str, str] = {}
    largest: dict[str, float] = {}
    for sizes in sizes_for(target, "ordinary"):
        drawn = draw(target, cell_of(target), "ordinary", sizes, seed)
        names = variables(target, drawn)
        try:
            found = _ask(hvp, target, drawn, seed, names, time_limit)
        except UserFailure as error:
            return (Check("hvp", "wrong", error.sentence, details=error.details),)
        truth = _truth(target, against, drawn, seed)
        for name in names:
            if name not in found:
                wrong.setdefault(name, "hvp does not return it")
                continue
            ours, right = target.layout.to_ours(name, found[name]), truth[target.layout.ours(name)]
            if ours.shape != right.value.shape:
                wrong.setdefault(name, f"has the shape {found[name].shape}, in the {drawn}")
                continue
            b = blocks(ours, right, block_axes(target, name), target.dtype)
            largest[name] = max(largest.get(name, 0.0), float(b.error[b.decided].max(initial=0)))
            if b.wrong.any():
                wrong.setdefault(name, f"{off_by(float(b.error[b.wrong].max()))} in the {drawn}")
    return tuple(
        Check(f"hvp_{name}", "wrong", wrong[name], largest.get(name))
        if name in wrong else Check(f"hvp_{name}", "right", f"to {largest[name]:.0e} relative", largest[name])
        for name in names
    )  # fmt: skip


def _direction(drawn: Drawn, seed: int) -> dict[str, Array]:
    rng = np.random.default_rng([seed, 7])
    moving = {n: a for n, a in drawn.arrays.items() if n not in CONSTANT}
    return {name: rng.standard_normal(array.shape) for name, array in moving.items()}


def _ask(
    hvp: Callable[..., Any], target: Target, drawn: Drawn, seed: int, names: list[str], time_limit: float
) -> dict[str, Array]:
    # A split bias moves by its halves, as it is the sum of them.
    arrays = target.layout.to_yours(drawn.arrays)
    direction = target.layout.to_yours(_direction(drawn, seed))
    called = call(hvp, {**arrays, "direction": direction}, what=f"hvp, at {drawn.sizes},", time_limit=time_limit)
    return gradients_by_name(called.value, names, what="hvp")[0]


def _truth(target: Target, against: HessianVector, drawn: Drawn, seed: int) -> dict[str, Estimate]:
    direction = _direction(drawn, seed)
    for ours in target.layout.without:
        direction[ours] = np.zeros_like(direction[ours])
    runs = [against(problem_of(case), direction) for case in (drawn, nudged(drawn, 1), nudged(drawn, 2))]
    return {
        name: Estimate(value, SAFETY * np.max([np.abs(run[name] - value) for run in runs[1:]], axis=0))
        for name, value in runs[0].items()
    }
