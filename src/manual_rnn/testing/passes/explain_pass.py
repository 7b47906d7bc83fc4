"""Which mistake gives a user's gradients: the right derivation replayed with it, in cases that it was not found on."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from manual_rnn import losses
from manual_rnn.cell import Array, Cell
from manual_rnn.tape import Tape
from manual_rnn.testing.mistakes.of_a_pass import mistakes
from manual_rnn.testing.mistakes.planting import Mistake
from manual_rnn.testing.mistakes.replay import Replay
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.blocks import blocks
from manual_rnn.testing.passes.explain_arrays import explain_arrays
from manual_rnn.testing.passes.explain_loop import mistakes_of_the_loop
from manual_rnn.testing.passes.explain_ragged import mistakes_of_a_mask
from manual_rnn.testing.passes.lengths import weights_of
from manual_rnn.testing.passes.regimes import Drawn
from manual_rnn.testing.passes.seen import Seen, block_axes
from manual_rnn.testing.passes.target import WITH_READOUT, Target
from manual_rnn.testing.passes.truncation import truncated
from manual_rnn.testing.passes.truth import cell_of

TAME = ("ordinary", "long", "given")
"""The regimes in which nothing vanishes or explodes: what a mistake gives there is known to many digits."""
NOTHING_FITS = "No single mistake that is known here gives these numbers."
TOO_SMALL = "No mistake that is known here is as small as this: all numbers are right to nine digits."
SECONDS = 20.0
"""The time that a diagnosis may take."""
LOOSER = {"float64": 100.0, "float32": 1.0}
"""A mistake may lose two more digits than the right derivation: 1e-10 is still no accident. 5 % would be one."""


def explain_pass(
    target: Target, seen: Sequence[Seen], *, cell: Cell | None = None, seconds: float = SECONDS
) -> list[str]:
    """The sentence of the simplest mistake that reproduces every array in every case; says so where there is none.

    It is found on the smallest case that fails and held to all others of the ordinary and the long regime. What it
    cannot see: two mistakes at once, one in the arithmetic of a kernel, and one that shows in no returned array.
    """
    until = time.monotonic() + seconds
    cell = cell or cell_of(target)
    tame = [s for s in seen if s.drawn.regime in TAME]
    if of_arrays := explain_arrays(target, seen, tame, common_factors=False):
        return [sentence + _translated(target, sentence) for sentence in of_arrays]
    usable = [s for s in tame if all(map(s.fits, s.answered.returned))]
    failing = sorted((s for s in usable if s.wrong(target)), key=lambda s: (s.drawn.sizes.T < 3, s.drawn.sizes))
    if not failing or len(usable) < 2:  # nothing to explain, or nothing to hold an explanation to
        return []
    replays = {id(s): Replay.of(cell, s.drawn) for s in usable}
    first = failing[0]
    others = [s for s in usable if s is not first]
    if all(gives(target, s, _right(target, s)) for s in usable):
        return [TOO_SMALL]
    if target.truncation and all(gives(target, s, replays[id(s)].gradients()) for s in usable):
        return [of_truncation(target, None)]
    for k in _truncations(target, first):
        if all(gives(target, s, truncated(cell, s.drawn, k)) for s in (first, *others)):
            return [of_truncation(target, k)]
    for words, meant in _other_losses(target):
        if all(gives(target, s, Replay.of(cell, meant(s.drawn)).grads) for s in usable):
            return [f"These are the gradients of {words} was declared."]
    if target.truncation:
        return [NOTHING_FITS]
    of_the_walk = mistakes_of_a_mask(cell, target.loss) if target.ragged else mistakes_of_the_loop(cell)
    for sentence, gradients in () if target.layout.step else of_the_walk:
        if all(gives(target, s, gradients(s.drawn)) for s in (first, *others)):
            return [sentence]
    ratios = _ratios(target, min(failing, key=lambda s: s.drawn.sizes))  # T = 1 shows a factor best
    for mistake in _candidates(target, first, replays[id(first)], ratios):
        if time.monotonic() > until:
            return [f"No mistake that was tried in {seconds:g} seconds gives these numbers; not all were tried."]
        if gives(target, first, replays[id(first)].gradients(mistake)) and all(
            gives(target, s, replays[id(s)].gradients(mistake)) for s in others
        ):
            return [mistake.sentence + _translated(target, mistake.sentence)]
    of_several = explain_arrays(target, seen, tame)
    return [sentence + _translated(target, sentence) for sentence in of_several] or [NOTHING_FITS]


def _other_losses(target: Target) -> Iterator[tuple[str, Callable[[Drawn], Drawn]]]:
    """The losses of the same readout that may have been meant: with other steps, or another loss of the same y."""
    if not target.has_readout:
        return
    for loss in WITH_READOUT:
        if loss != target.loss:

            def counted(drawn: Drawn, loss: str = loss) -> Drawn:
                return replace(drawn, weights=weights_of(loss, drawn.lengths, drawn.sizes.T))

            yield f"the loss {loss!r}, rightly; {target.loss!r}", counted
    of_ids = losses.get(target.step_loss).targets.ids
    for step_loss in losses.names():
        if step_loss != target.step_loss and losses.get(step_loss).targets.ids == of_ids:
            words = f"the loss of a step {step_loss!r}, rightly; {target.step_loss!r}"
            yield words, partial(replace, step_loss=step_loss)


def of_truncation(target: Target, k: int | None) -> str:
    """The sentence on code that is BPTT(k), or whole, and was declared to be something else."""
    if k is None:
        return f"Nothing is truncated: these are the whole gradients (truncation={target.truncation} was declared)."
    declared = f"truncation={target.truncation} was" if target.truncation else f"truncation={k} is to be"
    steps = "its own step" if k == 1 else f"{k} steps"
    return f"This is truncated BPTT: each step's loss goes back through {steps} only ({declared} declared)."


def _candidates(
    target: Target, first: Seen, replay: Replay, ratios: Mapping[str, float]
) -> Iterator[Mistake]:
    theirs = {target.layout.ours(n): target.layout.to_ours(n, a) for n, a in first.answered.returned.items()}
    yield from mistakes(replay, ratios, target.layout.unpacked(theirs))


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


def _right(target: Target, s: Seen) -> dict[str, Array]:
    return {target.layout.ours(name): found.value for name, found in s.truth.items()}


def gives(target: Target, s: Seen, gradients: Mapping[str, Array] | Tape) -> bool:
    """Whether these gradients are the user's, to rounding, block by block."""
    packed = target.layout.packed(gradients)
    for name, returned in s.answered.returned.items():
        replayed = packed[target.layout.ours(name)]
        ours = target.layout.to_ours(name, returned)
        if ours.shape != replayed.shape or not np.isfinite(replayed).all():
            return False
        found = blocks(ours, Estimate(replayed, np.zeros_like(replayed)), block_axes(target, name), target.dtype)
        if not (found.error <= LOOSER[target.dtype] * found.budget).all():
            return False
    return True


def _translated(target: Target, sentence: str) -> str:
    """What our letters are in the user's code."""
    written = {"h0": "h(0)", "c0": "c(0)"}
    renamed = {written.get(our, our): your for your, our in target.layout.names.items() if our != your}
    words = ", ".join(f"{our} is your {your}" for our, your in renamed.items() if _names(sentence, our))
    return f" ({words})" if words else ""


def _names(sentence: str, our: str) -> bool:
    """Whether a letter stands in a sentence by itself: the c of ∇c, and not that of "clipped"."""
    return re.search(rf"(?<![A-Za-z]){re.escape(our)}(?![A-Za-z])", sentence) is not None
