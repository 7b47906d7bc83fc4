"""Where the truth is your own forward, no derivation can be replayed; but the forward can be run on windows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from manual_rnn.testing.passes.calling import UserFailure
from manual_rnn.testing.passes.explain_pass import SECONDS, gives, of_truncation
from manual_rnn.testing.passes.seen import Seen
from manual_rnn.testing.passes.target import ForwardOracle, Target
from manual_rnn.testing.passes.truth import truth_of


def explain_own_truncation(target: Target, seen: Sequence[Seen], *, seconds: float = SECONDS) -> list[str]:
    """The sentence on the truncation that gives a user's gradients in every case; nothing where none does.

    What it cannot see: any other mistake; and a truncation where forward cannot be run on windows.
    """
    until = time.monotonic() + seconds
    tame = [s for s in seen if s.drawn.regime in ("ordinary", "given") and all(map(s.fits, s.answered.returned))]
    failing = sorted((s for s in tame if s.wrong(target)), key=lambda s: (s.drawn.sizes.T < 3, s.drawn.sizes))
    if not failing or target.layout.step or not isinstance(target.against, ForwardOracle):
        return []
    first, others = failing[0], [s for s in tame if s is not failing[0]]
    tried = [None, *range(1, 31)] if target.truncation else list(range(1, min(first.drawn.sizes.T, 31)))
    for k in tried:
        if time.monotonic() > until:
            break
        if k != target.truncation and others and _is(target, k, first) and all(_is(target, k, s) for s in others):
            return [of_truncation(target, k)]
    return []


def _is(target: Target, k: int | None, s: Seen) -> bool:
    """Whether the gradients of one case are those of BPTT(k), or of no truncation."""
    try:
        right = truth_of(replace(target, truncation=k), s.drawn, None)
    except (ValueError, UserFailure):  # no windows can be made of this forward
        return False
    return gives(target, s, {target.layout.ours(name): found.value for name, found in right.items()})
