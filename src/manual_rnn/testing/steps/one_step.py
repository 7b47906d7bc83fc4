"""A step forward and a step backward as one call, from arrays to gradients by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from manual_rnn.cell import Array
from manual_rnn.testing.passes.calling import UserFailure

if TYPE_CHECKING:
    from manual_rnn.testing.steps.step_target import StepTarget


def one_step(step: StepTarget) -> Callable[..., Mapping[str, Any]]:
    """A function that takes the arrays and the upstream gradients by keyword, and returns the gradients by name."""

    def forward_and_backward(**arrays: Array) -> Mapping[str, Any]:
        above = [arrays.pop(name) for name in step.above]
        return by_name(step, step.backward(*above, forward(step, arrays).cache))

    return forward_and_backward


@dataclass(frozen=True)
class Forward:
    """What a step forward returned."""

    states: tuple[Any, ...]
    cache: Any


def forward(step: StepTarget, arrays: Mapping[str, Array]) -> Forward:
    """Runs the step forward.

    Raises:
        UserFailure: it returns something else than the states and the cache.
    """
    returned = step.forward(**arrays)
    count = len(step.states)
    if not isinstance(returned, (tuple, list)) or len(returned) != count + 1:
        what = f"{len(returned)} values" if isinstance(returned, (tuple, list)) else f"one {type(returned).__name__}"
        expected = ", ".join([*(f"next_{name}" for name in step.states), "cache"])
        raise UserFailure(f"the step forward returned {what}; expected {expected}")
    return Forward(tuple(returned[:count]), returned[count])


def by_name(step: StepTarget, returned: Any) -> Mapping[str, Any]:
    """The gradients by the names of the arrays.

    Raises:
        UserFailure: a tuple has more or fewer than there are names for.
    """
    if isinstance(returned, Mapping):
        return returned
    names = step.returns or step.arrays
    if not isinstance(returned, (tuple, list)) or len(returned) != len(names):
        what = f"{len(returned)} gradients" if isinstance(returned, (tuple, list)) else f"one {type(returned).__name__}"
        raise UserFailure(
            f"the step backward returned {what}; expected those of {', '.join(names)}, in this order, or by name "
            "(returns=(...) says another order)"
        )
    return dict(zip(names, returned, strict=True))
