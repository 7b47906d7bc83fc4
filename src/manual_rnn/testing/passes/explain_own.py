"""Where the truth is your own forward: which mistake gives your gradients.

A forward that gives the gradients of a built-in cell, in every case, is that cell: then its derivation is replayed. Of
any other no derivation is known; but it can be run on windows, and whole arrays can be compared.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from manual_rnn import cells
from manual_rnn.cell import Cell
from manual_rnn.network import parameter_shapes
from manual_rnn.testing.mistakes.replay import Replay
from manual_rnn.testing.passes.blocks import blocks
from manual_rnn.testing.passes.calling import UserFailure
from manual_rnn.testing.passes.explain_arrays import explain_arrays
from manual_rnn.testing.passes.explain_pass import SECONDS, TAME, explain_pass, gives, of_truncation
from manual_rnn.testing.passes.seen import Seen, block_axes
from manual_rnn.testing.passes.target import ForwardOracle, Target
from manual_rnn.testing.passes.truth import truth_of

NO_DERIVATION = (
    "No mistake is found that shows without the derivation, which is not known of your own forward; where it is that "
    "of a built-in cell, against=autodiff(<its name>) knows it."
)


def explain_own(target: Target, seen: Sequence[Seen]) -> list[str]:
    """The sentence of the mistake that gives a user's gradients; says so where there is none."""
    tame = [s for s in seen if s.drawn.regime in TAME]
    if cell := the_cell(target, tame):
        return explain_pass(target, seen, cell=cell)
    found = explain_own_truncation(target, seen) or explain_arrays(target, seen, tame)
    return found or ([NO_DERIVATION] if any(s.wrong(target) for s in seen) else [])


def the_cell(target: Target, seen: Sequence[Seen]) -> Cell | None:
    """The built-in cell that the user's forward is, by its gradients in every case; None where there is none."""
    if not seen or target.layout.shapes or len(target.layout.step) > 1 or target.truncation or target.ragged:
        return None
    known = [cells.get(name) for name in cells.names()]
    return next((cell for cell in known if all(_is_cell(target, cell, s) for s in seen)), None)


def _is_cell(target: Target, cell: Cell, s: Seen) -> bool:
    shapes = parameter_shapes(cell, n_in=s.drawn.sizes.n_in, n_hidden=s.drawn.sizes.n_hidden, n_out=s.drawn.sizes.n_out)
    if len(cell.states) > 1 or any(shapes.get(n) != array.shape for n, array in s.drawn.params.items()):
        return False
    gradients = Replay.of(cell, s.drawn).grads
    for name, truth in s.truth.items():
        compared = blocks(gradients[target.layout.ours(name)], truth, block_axes(target, name), "float64")
        if compared.wrong.any() or not compared.decided.any():
            return False
    return True


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
