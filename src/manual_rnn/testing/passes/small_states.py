r"""Cases that are wrong because the forward pass loses small numbers, not because a derivation is wrong.

A gradient can explode only from states so small that tanh does not bend: 1e-100 in float64. Right code may have none
of their digits: 2σ(2a) − 1 is tanh to 1e-16, absolutely, and zero for every a below that. No backward pass can make
up for it, so such cases are set aside, and it is said.

They are told from mistakes by three things together. All that is wrong is in the exploding cases, the others having
decided every gradient. And it stays wrong when the gradient from above is made as much smaller as the states are: of
a gradient that is clipped, or that overflows, the small one would be right.

What is not seen then: a mistake that shows in these cases alone, at any size of the gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from manual_rnn.testing.passes.calling import UserFailure
from manual_rnn.testing.passes.regimes import Drawn, decades_of, loudness
from manual_rnn.testing.passes.seen import Seen, look
from manual_rnn.testing.passes.target import Target

NOTE = (
    "In the exploding cases the states are as small as {size:.0e}, and the forward pass loses their digits, as tanh "
    "does that is written 2σ(2a) − 1. No backward pass could be right there: these cases were set aside."
)


def set_aside(target: Target, seen: Sequence[Seen], time_limit: float | None) -> tuple[list[Seen], list[str]]:
    """The cases without those in which the forward pass loses small states, and the sentence that says so."""
    exploding = [s for s in seen if s.drawn.regime == "exploding"]
    others = [s for s in seen if s.drawn.regime != "exploding"]
    failing = [s for s in exploding if s.wrong(target)]
    if not failing or any(s.wrong(target) for s in others) or not _decide_all(target, others):
        return list(seen), []
    if not all(_wrong_by_the_states(target, s, time_limit) for s in failing):
        return list(seen), []
    size = max(float(abs(h).max()) for s in failing for h in s.drawn.initial.values())
    return others, [NOTE.format(size=size)]


def _decide_all(target: Target, seen: Sequence[Seen]) -> bool:
    """Whether each gradient that is returned is decided in some case."""
    have = {name: [s for s in seen if name in s.answered.returned] for s in seen for name in s.answered.returned}
    return bool(seen) and all(
        any(s.fits(name) and s.blocks(target, name).decided.any() for s in cases) for name, cases in have.items()
    )


def _wrong_by_the_states(target: Target, s: Seen, time_limit: float | None) -> bool:
    try:
        return set(look(target, _quiet(target, s.drawn), time_limit).wrong(target)) >= set(s.wrong(target))
    except UserFailure:
        return False


def _quiet(target: Target, drawn: Drawn) -> Drawn:
    """The same case with a gradient from above that is as small as its states are."""
    small = 10 ** -decades_of(target, drawn.regime)
    if drawn.upstream is not None and not target.layout.step:
        small /= 10 ** loudness(target, drawn.regime)
    if drawn.upstream is not None:
        return replace(drawn, upstream=drawn.upstream * small)
    return replace(drawn, params={n: a * small if n == "V" else a for n, a in drawn.params.items()})
