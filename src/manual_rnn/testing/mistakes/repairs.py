"""What a cell's wrong code lacks, or has besides: found by what makes it give the oracle's numbers in every case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np

from manual_rnn.cell import Cell
from manual_rnn.expression import Call, Expression, Number
from manual_rnn.testing.mistakes.formula import Formula, Observed, symbol
from manual_rnn.testing.mistakes.own import (
    OwnEquation,
    gives_the_right_numbers,
    missing_factor,
    own_names,
    repaired,
)
from manual_rnn.testing.mistakes.spoken import NAMES, one_minus_square
from manual_rnn.testing.mistakes.terms import Quantities, Quantity


def repairs(cell: Cell, equation: str, seen: Sequence[Observed]) -> Iterator[Formula]:
    """Formulas for an equation of a cell's own code, where the code is wrong; none where it is right, or not read."""
    wrong = OwnEquation.of(cell, equation)
    if wrong is None or gives_the_right_numbers(wrong.value, seen):
        return
    name = symbol(equation)
    for factor in _factors_to_be_missed(wrong, seen[0].known):
        with_it = Call(np.multiply, (wrong.expression, factor))
        yield repaired(wrong, with_it, f"{name}: {missing_factor(wrong, factor)}")
    for words, without in _one_too_many(wrong, wrong.expression, lambda changed: changed):
        yield repaired(wrong, without, f"{name}: {words}")


def _factors_to_be_missed(wrong: OwnEquation, known: Quantities) -> Iterator[Expression]:
    """What an equation may lack: a node, a state before, the derivative of an activation, a sign."""
    before = [Quantity(wrong.cell.full(name), offset=-1) for name in wrong.cell.states]
    mine = dict.fromkeys(wrong.cell.full(name) for name in own_names(wrong.cell))
    for v in (*(Quantity(name) for name in mine if name in known.nodes_by_step), *before):
        node = cast(Expression, v)
        rest = Call(np.subtract, (Number(1.0), node))
        yield from (node, rest, Call(one_minus_square, (node,)), Call(np.multiply, (node, rest)))


def _one_too_many(
    wrong: OwnEquation, part: Expression, whole: Callable[[Expression], Expression]
) -> Iterator[tuple[str, Expression]]:
    """The sentence of each factor, term or function that the equation may have besides, and what it is without."""
    if not isinstance(part, Call):
        return
    function, arguments = part.function, part.arguments
    what = {np.multiply: "factor", np.add: "term"}.get(function)  # type: ignore[call-overload]
    if what:
        for kept, dropped in (arguments, arguments[::-1]):
            yield f"the {what} {wrong.words(dropped)} is one that the derivation has not", whole(kept)
    elif function is np.subtract:
        yield f"the term {wrong.words(arguments[1])} is one that the derivation has not", whole(arguments[0])
        yield f"the term {wrong.words(arguments[1])} has the wrong sign", whole(Call(np.add, arguments))
    elif function in NAMES:
        yield f"the function {NAMES[function]} is one that the derivation has not", whole(arguments[0])
    if function is np.add:
        yield f"the term {wrong.words(arguments[1])} has the wrong sign", whole(Call(np.subtract, arguments))
    for i, argument in enumerate(arguments):

        def around(changed: Expression, i: int = i) -> Expression:
            return whole(Call(function, (*arguments[:i], changed, *arguments[i + 1 :])))

        yield from _one_too_many(wrong, argument, around)
