"""What an equation may have become by one mistake: a formula for the whole equation, and the sentence that says it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Observed:
    """One equation as it was computed in one case, fed with right values; ``right`` is what it should be."""

    known: Quantities
    ours: Array
    right: Array


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
