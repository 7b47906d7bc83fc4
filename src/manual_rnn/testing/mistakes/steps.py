"""What an equation of every step may have become: a term missing, turned, exchanged, cut off, or one more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing import losses
from manual_rnn.testing.mistakes.formula import Formula, Observed, StepFactor, quantities, symbol
from manual_rnn.testing.mistakes.terms import Linear, Quantities, Term, at_other_steps, edits


def formulas_of_steps(
    equation: str, terms: Sequence[Term], seen: Sequence[Observed], rows: Callable[[Quantities], Iterable[int]]
) -> Iterator[Formula]:
    name = symbol(equation)

    def total(known: Quantities, parts: Sequence[tuple[Term, StepFactor]]) -> Array:
        values = [sum(f(t, known.T) * term.row(known, t) for term, f in parts) for t in rows(known)]
        return np.stack(values) if list(rows(known)) != [-1] else np.asarray(values[0])

    always = [(term, _once) for term in terms]
    for i, term in enumerate(terms):
        others = always[:i] + always[i + 1 :]
        for words, f in _term_factors(term):
            parts = [*others, (term, f)]
            yield Formula(f"{name}: {words}.", lambda known, parts=parts: total(known, parts))  # type: ignore[misc]
        if isinstance(term, Linear) or term.carried:
            for words, f in _term_masks(term, seen):
                parts = [*others, (term, f)]
                yield Formula(f"{name}: {words}.", lambda known, parts=parts: total(known, parts))  # type: ignore[misc]
    yield from _of_all_that_is_carried(name, terms, seen, total)
    for kept in terms if len(terms) > 2 else ():
        missing = " and ".join(str(term) for term in terms if term is not kept)
        yield Formula(f"{name}: the terms {missing} are missing.", lambda known, k=kept: total(known, [(k, _once)]))  # type: ignore[misc]
    for i, term in enumerate(terms):
        others = always[:i] + always[i + 1 :]
        for variant in _instead_of(term, equation, seen[0].known):
            for sign, minus in ((1.0, ""), (-1.0, "−")):
                parts = [*others, (variant, lambda t, T, sign=sign: sign)]  # type: ignore[misc]
                yield Formula(
                    f"your {name} has {minus}{variant} where the derivation has {term}.",
                    lambda known, parts=parts: total(known, parts),  # type: ignore[misc]
                    _edits(term, variant) + bool(minus),
                )
    for variant in _instead_of(terms[0], equation, seen[0].known):
        parts = [*always, (variant, _once)]
        yield Formula(
            f"your {name} has {variant} besides, which the derivation has not.",
            lambda known, parts=parts: total(known, parts),  # type: ignore[misc]
            2,
        )


def _of_all_that_is_carried(
    name: str, terms: Sequence[Term], seen: Sequence[Observed], total: Callable[..., Array]
) -> Iterator[Formula]:
    """Where several ways lead back from the next step: one line of code may have all of them wrong."""
    carried = [term for term in terms if _is_carried(term)]
    if len(carried) == 1 and isinstance(carried[0], Linear):
        return  # the one way is a term like any other
    if len(carried) > 1:
        yield from _of_several_ways(name, terms, carried, seen, total)
    for quantity in quantities(seen[0].known) if carried else ():
        if quantity.gradient and quantity.offset == 1:
            alone = [(Linear(quantity), _once)]
            sentence = f"your {name} is {quantity} and nothing else."
            yield Formula(sentence, lambda known, parts=alone: total(known, parts))  # type: ignore[misc]


def _of_several_ways(
    name: str,
    terms: Sequence[Term],
    carried: Sequence[Term],
    seen: Sequence[Observed],
    total: Callable[..., Array],
) -> Iterator[Formula]:
    others = [(term, _once) for term in terms if not _is_carried(term)]
    masks = [("is missing", lambda t, T: 0.0), ("has the wrong sign", lambda t, T: -1.0)]
    masks += [(words.removeprefix(f"the term {carried[0]} "), f) for words, f in _term_masks(carried[0], seen)]
    for words, f in masks:
        parts = [*others, *((term, f) for term in carried)]
        sentence = f"{name}: all that comes from the next step {words}."
        yield Formula(sentence, lambda known, parts=parts: total(known, parts))  # type: ignore[misc]
    turned = [_turned(term) for term in carried]
    parts = [*others, *((term, _once) for term in turned)]
    sentence = f"your {name} has {turned[0]} where the derivation has {carried[0]}, and so for each of its matrices."
    yield Formula(sentence, lambda known: total(known, parts))


def _is_carried(term: Term) -> bool:
    return term.quantity.offset == 1 if isinstance(term, Linear) else term.carried


def _turned(term: Term) -> Term:
    """The same with its matrix transposed, where it has one."""
    if not isinstance(term, Linear) or term.matrix is None or term.diagonal:
        return term
    return replace(term, transposed=not term.transposed)


def _once(t: int, T: int) -> float:
    return 1.0


def _term_factors(term: Term) -> Iterator[tuple[str, StepFactor]]:
    yield f"the term {term} is missing", lambda t, T: 0.0
    yield f"the term {term} has the wrong sign", lambda t, T: -1.0
    yield f"the term {term} is counted twice", lambda t, T: 2.0


def _term_masks(term: Term, seen: Sequence[Observed]) -> Iterator[tuple[str, StepFactor]]:
    yield f"the term {term} is missing at the first step", lambda t, T: float(t > 0)
    yield f"the term {term} is missing at the last step", lambda t, T: float(t < T - 1)
    yield f"the term {term} is counted twice at the last step", lambda t, T: 1.0 + (t == T - 1)
    yield f"the term {term} is counted twice at the first step", lambda t, T: 1.0 + (t == 0)
    yield f"the term {term} is there at the last step only", lambda t, T: float(t == T - 1)
    for k in range(2, max(o.known.T for o in seen)):
        words = f"the term {term} is cut off {k} steps before the end: the gradient goes back no further"
        yield words, lambda t, T, k=k: float(T - t <= k)  # type: ignore[misc]


def _edits(term: Term, variant: Term) -> int:
    if not (isinstance(term, Linear) and isinstance(variant, Linear)):
        return 1
    matrix = (term.matrix != variant.matrix) + (term.transposed != variant.transposed)
    return matrix + edits(term.quantity, variant.quantity)


def _instead_of(term: Term, equation: str, known: Quantities) -> Iterator[Term]:
    """All that has the shape of a term and can stand in its place."""
    yield from losses.get(known.case.spec.loss).instead.get(equation, ())
    if not isinstance(term, Linear):
        return
    probe = 0 if term.quantity.offset <= 0 else -1 if equation.endswith("0") else 0
    shape = term.row(known, probe).shape
    near = sorted(quantities(known), key=lambda q: (q.name != term.quantity.name, q.gradient != term.quantity.gradient))
    matrices = [name for name, array in known.case.params.items() if array.ndim == 2]
    for matrix in dict.fromkeys([term.matrix, *matrices, None]):
        for transposed in (False, True) if matrix else (False,):
            for quantity in near:
                variant = Linear(quantity, matrix, transposed)
                try:
                    fits = variant.row(known, probe).shape == shape
                except ValueError:  # the matrix does not fit the quantity
                    continue
                if fits and variant != term:
                    yield variant
    if not equation.endswith("0"):  # the initial state's has one step
        yield from (replace(term, quantity=quantity) for quantity in at_other_steps(term.quantity))
