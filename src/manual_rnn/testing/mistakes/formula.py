"""What an equation may have become by one mistake: a formula for the whole equation, and the sentence that says it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.mistakes.terms import Quantities, Quantity

Value = Callable[[Quantities], Array]
StepFactor = Callable[[int, int], float]
"""A factor by row t of T."""


@dataclass(frozen=True)
class Formula:
    """One mistake in one equation: it gives the array that code with this mistake would give, in any case."""

    sentence: str
    value: Value
    edits: int = 1
    """How many things are changed in the right equation: a name, an offset, a transposition, a factor."""
    measured: bool = False
    """Whether a number in it was taken from what is to be explained."""
    fits: Callable[[Observed], bool] | None = None
    """What numbers must be like, where a mistake does not say which they are: rounding scatters."""


@dataclass(frozen=True)
class Observed:
    """One equation as it was computed in one case, fed with right values; ``right`` is what it should be."""

    known: Quantities
    ours: Array
    right: Array


def _shifted(array: Array, steps: int) -> Array:
    shifted = np.zeros_like(array)
    if abs(steps) < len(array):
        shifted[max(steps, 0) : len(array) + min(steps, 0)] = array[max(-steps, 0) : len(array) - max(steps, 0)]
    return shifted


IN_TIME: dict[str, Callable[[Array], Array]] = {
    "a step late": lambda array: _shifted(array, 1),
    "a step early": lambda array: _shifted(array, -1),
    "a step late, and the last step's stands at the first": lambda array: np.roll(array, 1, axis=0),
    "a step early, and the first step's stands at the last": lambda array: np.roll(array, -1, axis=0),
    "in the reverse order of time": lambda array: array[::-1],
}
"""What can happen to an array with a row for every step, and the words for it."""


def symbol(equation: str) -> str:
    """∇W for grad_W, ∇c(t) for grad_cell.c."""
    own = equation.replace("cell.", "") + ("(t)" if "cell." in equation else "")
    return re.sub("^∇(.)0$", r"∇\1(0)", own.replace("grad_", "∇"))


def quantities(known: Quantities) -> Iterator[Quantity]:
    """All that has a row at every step, at this step, the one before and the next."""
    for offset in (0, -1, 1):
        for name in known.grads_by_step:
            yield Quantity(name, gradient=True, offset=offset)
        for name in [*known.nodes_by_step, "x"]:
            yield Quantity(name, offset=offset)
