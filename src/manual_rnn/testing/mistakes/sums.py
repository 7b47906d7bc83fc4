"""What a sum over time may have become: other quantities, a factor, steps left out or counted twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.mistakes.factors import NAMED, Factor, constant
from manual_rnn.testing.mistakes.formula import Formula, Observed, StepFactor, Value, quantities, symbol
from manual_rnn.testing.mistakes.terms import Outer, Quantities, at_other_steps, edits

OF_ONE = {"first": slice(0, 1), "last": slice(-1, None)}
"""One sequence of the batch, where the sum runs over all."""


def formulas_of_sum(equation: str, term: Outer, seen: Sequence[Observed]) -> Iterator[Formula]:
    name = symbol(equation)
    for words, keep in _step_masks(seen):
        yield Formula(f"{name}: {words}.", lambda known, keep=keep: _masked_sum(term, known, keep))  # type: ignore[misc]
    for which, of in OF_ONE.items():
        words = f"only the {which} sequence of the batch is in the sum"
        yield Formula(f"{name}: {words}.", lambda known, of=of: term.by_step(known, of).sum(axis=0))  # type: ignore[misc]
    shape = term.by_step(seen[0].known).shape
    for variant in _outer_variants(term, seen[0].known):
        if variant == term or not _has_shape(variant, seen[0].known, shape):
            continue
        for factor in _factors(seen, lambda known, v=variant: v.by_step(known).sum(axis=0)):  # type: ignore[misc]
            yield Formula(
                f"your {name} is {_times(factor, str(variant))}; the derivation has {term}.",
                lambda known, v=variant, f=factor: f.value(known.case.spec.sizes) * v.by_step(known).sum(axis=0),  # type: ignore[misc]
                _edits(term, variant) + bool(factor.words),
            )


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


def _has_shape(variant: Outer, known: Quantities, shape: tuple[int, ...]) -> bool:
    try:
        return variant.by_step(known).shape == shape
    except ValueError:  # by element, of two widths
        return False


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


def _factors(seen: Sequence[Observed], value: Value) -> Iterator[Factor]:
    """The named factors, and the one that fits best as a constant."""
    yield from NAMED
    first = seen[0]
    variant = value(first.known)
    power = float((variant * variant).sum())
    if power > 0:
        yield constant(float((first.ours * variant).sum()) / power)


def _times(factor: Factor, words: str) -> str:
    return f"{words}, {factor.words}" if factor.words else words
