"""How many cases of each regime were judged, and what they could not decide."""

from __future__ import annotations

from collections.abc import Sequence

from manual_rnn.testing.passes.seen import Seen
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.report import FamilyCount


def families(target: Target, seen: Sequence[Seen]) -> dict[str, FamilyCount]:
    """By regime. A case is ill-conditioned where rounding may change half of the digits of some block of a gradient;
    undecided are the gradients that lay wholly below the format's limit in one case, counted over the cases."""
    found: dict[str, FamilyCount] = {}
    for s in seen:
        names = [n for n in s.truth if n in s.answered.returned and s.fits(n)]
        compared = [s.blocks(target, name) for name in names]
        ill = any(bool(blocks.ill_conditioned.any()) for blocks in compared)
        undecided = sum(bool(blocks.undecided.all()) for blocks in compared)
        found[s.drawn.regime] = found.get(s.drawn.regime, FamilyCount()) + FamilyCount(1, int(ill), undecided)
    return found
