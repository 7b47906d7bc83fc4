"""Which mistake gives a user's gradients: the right derivation replayed with it, in cases that it was not found on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.tape import Tape
from manual_rnn.testing.mistakes.of_a_pass import mistakes
from manual_rnn.testing.mistakes.planting import Mistake
from manual_rnn.testing.mistakes.replay import Replay
from manual_rnn.testing.mistakes.terms import Quantities
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.blocks import blocks
from manual_rnn.testing.passes.explain_ragged import mistakes_of_a_mask
from manual_rnn.testing.passes.seen import Seen, block_axes
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.passes.truncation import truncated
from manual_rnn.testing.passes.truth import cell_of

SECONDS = 20.0
"""The time that a diagnosis may take."""
LOOSER = 100.0
"""A mistake may lose two more digits than the right derivation: 1e-10 is still no accident."""


def explain_pass(target: Target, seen: Sequence[Seen], *, seconds: float = SECONDS) -> list[str]:
    """The sentence of the simplest mistake that reproduces every array in every case; says so where there is none.

    It is found on the smallest case that fails and held to all others of the ordinary and the long regime. What it
    cannot see: two mistakes at once, one in the arithmetic of a kernel, and one that shows in no returned array.
    """
    until = time.monotonic() + seconds
    cell = cell_of(target)
    tame = [s for s in seen if s.drawn.regime in ("ordinary", "long", "given")]
    usable = [s for s in tame if all(map(s.fits, s.answered.returned))]
    failing = sorted((s for s in usable if s.wrong(target)), key=lambda s: (s.drawn.sizes.T < 3, s.drawn.sizes))
    if not failing or len(usable) < 2:  # nothing to explain, or nothing to hold an explanation to
        return []
    replays = {id(s): Replay.of(cell, s.drawn) for s in usable}
    first = failing[0]
    others = [s for s in usable if s is not first]
    for k in _truncations(target, first):
        if all(gives(target, s, truncated(cell, s.drawn, k)) for s in (first, *others)):
            return [of_truncation(target, k)]
    if target.truncation:
        full = all(gives(target, s, replays[id(s)].gradients()) for s in usable)
        return [of_truncation(target, None)] if full else []
    for sentence, gradients in mistakes_of_a_mask(cell, target.loss) if target.ragged else ():
        if all(gives(target, s, gradients(s.drawn)) for s in (first, *others)):
            return [sentence]
    ratios = _ratios(target, min(failing, key=lambda s: s.drawn.sizes))  # T = 1 shows a factor best
    for mistake in _candidates(target, seen, first, replays[id(first)], ratios):
        if time.monotonic() > until:
            return [f"No mistake that was tried in {seconds:g} seconds gives these numbers; not all were tried."]
        if gives(target, first, replays[id(first)].gradients(mistake)) and all(
            gives(target, s, replays[id(s)].gradients(mistake)) for s in others
        ):
            return [mistake.sentence + _translated(target, mistake.sentence)]
    return ["No single mistake that is known here gives these numbers."]


def of_truncation(target: Target, k: int | None) -> str:
    """The sentence on code that is BPTT(k), or whole, and was declared to be something else."""
    if k is None:
        return f"Nothing is truncated: these are the whole gradients (truncation={target.truncation} was declared)."
    declared = f"truncation={target.truncation} was" if target.truncation else f"truncation={k} is to be"
    steps = "its own step" if k == 1 else f"{k} steps"
    return f"This is truncated BPTT: each step's loss goes back through {steps} only ({declared} declared)."


def _candidates(
    target: Target, seen: Sequence[Seen], first: Seen, replay: Replay, ratios: Mapping[str, float]
) -> Iterator[Mistake]:
    for names in (replay.drawn.params, replay.grads):
        limit = _largest(target, seen, names)

        def clip(known: Quantities, value: Array, t: int | None, limit: float = limit) -> Array:
            return np.clip(value, -limit, limit)

        yield Mistake(
            f"Every gradient is clipped at ±{limit:g} inside: what is returned is not the gradient.",
            {f"grad_{name}": clip for name in names if replay.grads[name].ndim < 3 or name == "x"},
        )
    theirs = {target.layout.ours(n): target.layout.to_ours(n, a) for n, a in first.answered.returned.items()}
    yield from mistakes(replay, ratios, target.layout.unpacked(theirs))


def _largest(target: Target, seen: Sequence[Seen], names: Iterable[str]) -> float:
    """The largest number among the returned gradients of these arrays."""
    wanted = set(names)
    found = [a for s in seen for n, a in s.answered.returned.items() if target.layout.ours(n) in wanted]
    return max((float(np.abs(a).max(initial=0)) for a in found), default=0.0)


def _truncations(target: Target, first: Seen) -> Iterable[int]:
    """The k that are tried; k = 1, undeclared, is a carry that was forgotten."""
    return range(1, 31) if target.truncation else range(2, min(first.drawn.sizes.T, 31))


def _ratios(target: Target, s: Seen) -> dict[str, float]:
    """By name, the user's array over the right one where it is the same number everywhere."""
    found: dict[str, float] = {}
    for name in s.wrong(target):
        ours, right = target.layout.to_ours(name, s.answered.returned[name]), s.truth[name].value
        power = float((right * right).sum())
        if 0 < power < np.inf:
            found[name] = float((ours * right).sum()) / power
    return found


def gives(target: Target, s: Seen, gradients: Mapping[str, Array] | Tape) -> bool:
    """Whether these gradients are the user's, to rounding, block by block."""
    packed = target.layout.packed(gradients)
    for name, returned in s.answered.returned.items():
        replayed = packed[target.layout.ours(name)]
        ours = target.layout.to_ours(name, returned)
        if ours.shape != replayed.shape or not np.isfinite(replayed).all():
            return False
        found = blocks(ours, Estimate(replayed, np.zeros_like(replayed)), block_axes(target, name), target.dtype)
        if not (found.error <= LOOSER * found.budget).all():
            return False
    return True


def _translated(target: Target, sentence: str) -> str:
    """What our letters are in the user's code."""
    written = {"h0": "h(0)", "c0": "c(0)"}
    renamed = {written.get(our, our): your for your, our in target.layout.names.items() if our != your}
    words = ", ".join(f"{our} is your {your}" for our, your in renamed.items() if our in sentence)
    return f" ({words})" if words else ""
