"""The formulas of an equation that joins cells: all of it is right but one part, of which there are variants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.testing.local import BEFORE
from manual_rnn.testing.mistakes.formula import IN_TIME, Formula, Value
from manual_rnn.testing.mistakes.joints.known import Joint

Part = Callable[[Joint], Array]
Variant = tuple[str, Part]
"""The words for a mistake, and what a part of an equation is with it."""

SCALED = {"is missing": 0.0, "has the wrong sign": -1.0, "is counted twice": 2.0, "is halved": 0.5}


def right_at_joint(known: Joint, equation: str) -> Array:
    """What the oracle has for an equation."""
    if equation.endswith(f"_{BEFORE}"):
        return known.before[equation.removesuffix(f"_{BEFORE}")]
    backward = equation.startswith("grad_")
    return np.asarray((known.grads if backward else known.nodes)[equation.removeprefix("grad_")])


def formulas_of(
    name: str, equation: str, variants: Iterable[Variant], right: Part | None = None,
    into: Callable[[Joint, Array], Array] = lambda known, difference: difference,
) -> Iterator[Formula]:  # fmt: skip
    """``right`` is the part of which there are variants, all of the equation by default; ``into`` takes a difference of
    the part to one of the equation."""
    for words, part in variants:

        def value(known: Joint, part: Part = part) -> Array:
            truth = right_at_joint(known, equation)
            return part(known) if right is None else truth + into(known, part(known) - right(known))

        yield Formula(f"{name}: {words}.", cast(Value, value))


def changed(what: str, whole: Part, one: Part | None = None) -> Iterator[Variant]:
    """The whole with one summand of it scaled, or moved in time; with all of it where no summand is given."""
    of = one or whole
    for words, factor in SCALED.items():
        yield f"{what} {words}", lambda known, f=factor: whole(known) + (f - 1) * of(known)  # type: ignore[misc]
    for words, moved in IN_TIME.items():
        yield f"{what} is {words}", lambda known, m=moved: whole(known) + m(of(known)) - of(known)  # type: ignore[misc]


def place_of(cell: Cell) -> str:
    return cell.prefix.removesuffix(".")
