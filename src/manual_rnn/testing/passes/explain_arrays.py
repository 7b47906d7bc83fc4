"""Mistakes that show in whole arrays and need no derivation: the right gradients, with one thing done to all that are
wrong. This is what can be said where the truth is a forward pass of your own, and it is said of several arrays at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.mistakes.factors import NAMED
from manual_rnn.testing.mistakes.formula import IN_TIME, symbol
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.blocks import DEMAND, blocks
from manual_rnn.testing.passes.seen import Seen, block_axes
from manual_rnn.testing.passes.target import Target

Change = Callable[[Seen, str, Array], Array]
"""From a case, your name of an array and its right gradient to what the code with the mistake gives."""

NOT_THE_GRADIENT = "what is returned is not the gradient"


def explain_arrays(
    target: Target, seen: Sequence[Seen], tame: Sequence[Seen], *, common_factors: bool = True
) -> list[str]:
    """The sentence of the simplest change of the right gradients that gives yours, in every case; empty where none
    does. ``tame`` are the cases in which nothing vanishes or explodes. Without ``common_factors`` no factor of several
    arrays is tried: a term that is counted twice may stand behind it.

    What it cannot see: a mistake inside of the derivation.
    """
    wrong = _wrong(target, seen)
    if sentence := _exchanged(target, tame, wrong):
        return [sentence]
    if not wrong or not all(s.fits(n) for s in seen for n in s.answered.returned):
        return []
    told = dict.fromkeys(n for s in tame for n in s.wrong(target))
    factors = common_factors or len(told) == 1
    found = _first_that_fits(target, tame, list(told), _changes(target, tame, list(told), factors)) if told else ""
    found = found or _first_that_fits(target, seen, wrong, _limits(target, seen, tame, wrong))
    return [found] if found else []


def _first_that_fits(
    target: Target, seen: Sequence[Seen], wrong: Sequence[str], changes: Iterator[tuple[str, Change]]
) -> str:
    if len(seen) < 2:  # one case is no explanation: it would be held to nothing
        return ""
    return next((words for words, change in changes if all(_gives(target, s, wrong, change) for s in seen)), "")


def _wrong(target: Target, seen: Sequence[Seen]) -> list[str]:
    return list(dict.fromkeys(name for s in seen for name in s.wrong(target)))


def _gives(target: Target, s: Seen, wrong: Sequence[str], change: Change) -> bool:
    for name in wrong:
        if name not in s.answered.returned:
            return False
        right = s.truth[name]
        with np.errstate(all="ignore"):
            changed = np.asarray(change(s, name, right.value))
        ours = target.layout.to_ours(name, s.answered.returned[name])
        if changed.shape != ours.shape:
            return False
        if not _same(ours, changed, right, block_axes(target, name), target.dtype):
            return False
    return True


def _same(ours: Array, changed: Array, right: Estimate, axes: int, dtype: str) -> bool:
    """Whether two arrays are one to rounding, block by block, in all blocks in which the right one is known well."""
    decided = blocks(right.value, right, axes, dtype).decided
    rows = (*right.value.shape[:axes], -1)
    with np.errstate(all="ignore"):
        off = np.abs(ours.astype(np.float64) - changed).reshape(rows).max(axis=-1)
        size = np.abs(changed).reshape(rows).max(axis=-1)
        allowed = DEMAND * np.finfo(dtype).eps * size + right.error.reshape(rows).max(axis=-1)
    return bool((off <= allowed)[decided].all())


def _changes(
    target: Target, tame: Sequence[Seen], wrong: Sequence[str], factors: bool
) -> Iterator[tuple[str, Change]]:
    subject, are = _subject(target, tame, wrong)
    for factor in NAMED[1:] if factors else ():
        yield f"{subject} {are} {factor.words}.", lambda s, n, v, f=factor: v * f.value(s.drawn.sizes)  # type: ignore[misc]
    yield f"{subject} {are} transposed.", lambda s, n, v: v.T if block_axes(target, n) == 0 else np.full_like(v, np.nan)
    if [target.layout.ours(name) for name in wrong] == ["x"] and not target.layout.step:
        for words, moved in IN_TIME.items():
            yield f"{subject} is {words}.", lambda s, n, v, moved=moved: moved(v)  # type: ignore[misc]
    decay = _decay(target, tame, wrong)
    if decay:
        yield (
            f"{subject} {'has' if are == 'is' else 'have'} {decay:.6g} times the array itself added: a weight decay, "
            "which is no part of this loss's gradient.",
            lambda s, n, v: v + decay * target.layout.to_ours(n, s.answered.given[n]),
        )


def _limits(
    target: Target, seen: Sequence[Seen], tame: Sequence[Seen], wrong: Sequence[str]
) -> Iterator[tuple[str, Change]]:
    """Clipping: number by number, and all together by their norm."""
    subject, are = _subject(target, seen, wrong)
    returned = [{n: s.answered.returned[n] for n in wrong if n in s.answered.returned} for s in seen]
    limit = max((float(np.abs(g).max(initial=0)) for gradients in returned for g in gradients.values()), default=0.0)
    if limit < np.inf:
        clipped = f"{subject} {are} clipped at ±{limit:g} inside: {NOT_THE_GRADIENT}."
        yield clipped, lambda s, n, v: np.clip(v, -limit, limit)
    told = [s for s in tame if s.wrong(target)]
    largest = max((_norm_of({n: s.answered.returned[n] for n in wrong}) for s in told), default=0.0)
    if 0 < largest < np.inf:
        scaled = f"{subject} {are} scaled down to a norm of {largest:g}, together, inside: {NOT_THE_GRADIENT}."

        def scale(s: Seen, name: str, value: Array) -> Array:
            norm = _norm_of({n: s.truth[n].value for n in wrong})
            return np.asarray(value * min(1.0, largest / norm))

        yield scaled, scale


def _norm_of(gradients: Mapping[str, Array]) -> float:
    flat = np.concatenate([np.asarray(g, np.float64).ravel() for g in gradients.values()] or [np.zeros(1)])
    size = float(np.abs(flat).max(initial=0))
    return size * float(np.linalg.norm(flat / size)) if 0 < size < np.inf else size


def _decay(target: Target, tame: Sequence[Seen], wrong: Sequence[str]) -> float:
    """The multiple of an array of parameters that is added to its gradient, by the first wrong one; 0 for none."""
    first = next((s for s in tame if s.wrong(target)), None)
    if first is None or any(block_axes(target, name) for name in wrong):
        return 0.0
    ours = target.layout.to_ours(wrong[0], first.answered.returned[wrong[0]])
    itself = target.layout.to_ours(wrong[0], first.answered.given[wrong[0]])
    power = float((itself * itself).sum())
    found = float(((ours - first.truth[wrong[0]].value) * itself).sum()) / power if power else 0.0
    return float(f"{found:.12g}") if np.isfinite(found) else 0.0


def _exchanged(target: Target, seen: Sequence[Seen], wrong: Sequence[str]) -> str:
    """Whether each wrong array is the right gradient of another: a tuple in another order, say."""
    if len(wrong) < 2 or len(seen) < 2:
        return ""
    pairs = [(mine, its) for mine in wrong for its in wrong if mine != its]
    stands = dict(pair for pair in pairs if all(_is_that_of(target, s, *pair) for s in seen))
    if set(stands) != set(wrong) or set(stands.values()) != set(wrong):
        return ""
    listed = ", ".join(f"under {mine} stands that of {its}" for mine, its in stands.items())
    return f"Gradients are right and exchanged: {listed}."


def _is_that_of(target: Target, s: Seen, mine: str, its: str) -> bool:
    found, right = s.answered.returned.get(mine), s.truth[its]
    if found is None or found.shape != s.answered.given[its].shape:
        return False
    value = target.layout.turn(target.layout.ours(its), right.value)
    known = float(right.error.max(initial=0))
    demand = DEMAND * np.finfo(target.dtype).eps * float(np.abs(value).max(initial=0)) + known
    return bool(np.isfinite(found).all() and np.abs(found - value).max(initial=0) <= demand)


def _subject(target: Target, seen: Sequence[Seen], wrong: Sequence[str]) -> tuple[str, str]:
    """(∇W, is), (∇U, ∇W and ∇b, are), (Every gradient, is)."""
    if len(wrong) > 1 and set(wrong) == {n for s in seen for n in s.answered.returned}:
        return "Every gradient", "is"
    ours = dict.fromkeys(target.layout.ours(name) for name in wrong)
    *before, last = [symbol(f"grad_{name}") for name in ours]
    return (f"{', '.join(before)} and {last}", "are") if before else (last, "is")
