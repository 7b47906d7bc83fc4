"""What a sum over time may have become: other quantities, a factor, steps left out or counted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.mistakes.factors import NAMED, Factor, constant
from manual_rnn.testing.mistakes.formula import Formula, Observed, StepFactor, quantities, symbol
from manual_rnn.testing.mistakes.terms import Outer, Quantities, Quantity, at_other_steps, edits

OF_ONE = {"first": slice(0, 1), "last": slice(-1, None)}
"""One sequence of the batch, where the sum runs over all."""


def formulas_of_sum(equation: str, term: Outer, seen: Sequence[Observed]) -> Iterator[Formula]:
    name = symbol(equation)
    for words, keep in _step_masks(seen):
        yield Formula(f"{name}: {words}.", lambda known, keep=keep: _masked_sum(term, known, keep))  # type: ignore[misc]
    for which, of in OF_ONE.items():
        words = f"only the {which} sequence of the batch is in the sum"
        yield Formula(f"{name}: {words}.", lambda known, of=of: term.by_step(known, of).sum(axis=0))  # type: ignore[misc]
    first, right = seen[0].known, str(term)
    rows = cache(first.at_every_step)  # many variants are made of the same few quantities
    shape = term.value(first).shape
    for variant in _outer_variants(term, first):
        if variant == term or (found := _of_shape(variant, rows, shape)) is None:
            continue
        words, edited = str(variant), _edits(term, variant)
        for factor in _factors(seen[0], found):

            def value(known: Quantities, v: Outer = variant, f: Factor = factor, found: Array = found) -> Array:
                return f.value(known.case.spec.sizes) * (found if known is first else v.value(known))

            sentence = f"your {name} is {_times(factor, words)}; the derivation has {right}."
            yield Formula(sentence, value, edited + bool(factor.words))


def _edits(term: Outer, variant: Outer) -> int:
    sides = edits(term.left, variant.left) + edits(term.right, variant.right)
    return sides + (term.transposed != variant.transposed)


def _outer_variants(term: Outer, known: Quantities) -> Iterator[Outer]:
    rights = [term.right] if term.right.name == "1" else list(quantities(known))
    lefts = [q for q in quantities(known) if q.gradient]
    for left in sorted(lefts, key=lambda q: q != term.left):
        for right in sorted(rights, key=lambda q: (q != term.right, q.name != term.right.name)):
            for transposed in (False,) if term.right.name == "1" or term.diagonal else (False, True):
                yield replace(term, left=left, right=right, transposed=transposed)
    yield from (replace(term, right=right) for right in at_other_steps(term.right))
    yield from (replace(term, left=left) for left in at_other_steps(term.left))


def _of_shape(variant: Outer, rows: Callable[[Quantity], Array], shape: tuple[int, ...]) -> Array | None:
    try:
        found = variant.value_of(rows(variant.left), rows(variant.right))
    except ValueError:  # by element, of two widths
        return None
    return found if found.shape == shape else None


def _masked_sum(term: Outer, known: Quantities, keep: StepFactor) -> Array:
    parts = term.by_step(known)
    weights = np.array([keep(t, known.T) for t in range(known.T)], parts.dtype)
    return np.asarray(np.tensordot(weights, parts, axes=1))


def _step_masks(seen: Sequence[Observed]) -> Iterator[tuple[str, StepFactor]]:
    """Ways to leave steps out, or to count them twice: factors by row t of T."""
    yield "the first step is left out of the sum", lambda t, T: float(t > 0)
    yield "the last step is left out of the sum", lambda t, T: float(t < T - 1)
    yield "the last step is counted twice", lambda t, T: 1.0 + (t == T - 1)
    yield "the first step is counted twice", lambda t, T: 1.0 + (t == 0)
    yield "only the first step is in it", lambda t, T: float(t == 0)
    yield "only the last step is in it", lambda t, T: float(t == T - 1)
    for k in range(2, max(o.known.T for o in seen)):
        yield f"the sum stops after {k} steps back from the last", lambda t, T, k=k: float(T - t <= k)  # type: ignore[misc]


def _factors(first: Observed, found: Array) -> Iterator[Factor]:
    """The named factors, and the one that fits best as a constant."""
    yield from NAMED
    power = float((found * found).sum())
    if power > 0:
        yield constant(float((first.ours * found).sum()) / power)


def _times(factor: Factor, words: str) -> str:
    return f"{words}, {factor.words}" if factor.words else words
