"""The verdict on each gradient of a whole backward pass, over all cases, and where it first goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.passes.backward_report import Check
from manual_rnn.testing.passes.blocks import Blocks
from manual_rnn.testing.passes.seen import Seen
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.problem import Spec
from manual_rnn.testing.report import Worst


def verdict(target: Target, name: str, seen: Sequence[Seen]) -> Check:
    """The verdict on one gradient."""
    label = f"grad_{name}"
    have = [s for s in seen if name in s.answered.returned]
    if not have:
        ours = target.layout.ours(name)
        if ours in ("x", "h0", "c0"):
            return Check(label, "not returned", "backward does not return it, so it was not checked")
        return Check(label, "wrong", "backward does not return it")
    misfit = next((s for s in have if not s.fits(name)), None)
    if misfit:
        shape, wanted = misfit.answered.returned[name].shape, misfit.answered.given[name].shape
        return Check(label, "wrong", f"has the shape {shape}, expected {wanted}, in the {misfit.drawn}")
    all_blocks = [s.blocks(target, name) for s in have]
    decided = sum(int(b.decided.sum()) for b in all_blocks)
    counted = partial(
        Check,
        decided=decided,
        ill_conditioned=sum(int(b.ill_conditioned.sum()) for b in all_blocks),
        undecided=sum(int(b.undecided.sum()) for b in all_blocks),
    )
    largest = max((float(b.error[b.decided].max(initial=0)) for b in all_blocks), default=0.0)
    worst = worst_of(target, name, list(zip(have, all_blocks, strict=True))) if decided else None
    wrong = [(s, b) for s, b in zip(have, all_blocks, strict=True) if b.wrong.any()]
    if wrong:
        s, b = min(wrong, key=lambda pair: pair[0].drawn.sizes)
        return counted(label, "wrong", _how_wrong(target, name, s, b.error, b.wrong), largest, worst=worst)
    if not decided:
        return counted(label, "undecided", "no case could decide it: rounding may change it by as much")
    return counted(label, "right", f"to {largest:.0e} relative in {decided} blocks", largest, worst=worst)


def worst_of(target: Target, name: str, compared: Sequence[tuple[Seen, Blocks]]) -> Worst:
    """Where the largest error of the decided blocks stands: step, sequence, and the index within your array."""

    def error(b: Blocks) -> Array:
        return np.where(b.decided, np.nan_to_num(b.error, nan=np.inf), -1.0)

    s, b = max(compared, key=lambda pair: float(error(pair[1]).max()))
    where = np.unravel_index(int(np.argmax(error(b))), b.error.shape)
    ours = target.layout.to_ours(name, s.answered.returned[name])
    with np.errstate(all="ignore"):
        off = np.nan_to_num(np.abs(ours - s.truth[name].value), nan=np.inf)[where]
    index = np.unravel_index(int(np.argmax(off)), off.shape)
    if not where:  # a parameter: where its user finds it
        mark = np.zeros(ours.shape)
        mark[index] = 1
        turned = target.layout.turn(target.layout.ours(name), mark)
        index = np.unravel_index(int(np.argmax(turned)), turned.shape)
    d = s.drawn
    return Worst.at((*where, *index), len(where), Spec(d.regime, d.sizes, target.dtype, d.seed, 0))


def _how_wrong(target: Target, name: str, s: Seen, error: np.ndarray, wrong: np.ndarray) -> str:
    where = np.unravel_index(int(np.argmax(np.where(wrong, np.nan_to_num(error, nan=np.inf), -1))), error.shape)
    place = ""
    if len(where) == 2 and not target.layout.step:
        rows = [int(t) for t in np.flatnonzero(wrong.any(axis=1))]
        place = f" at t={int(where[0])} (wrong at t = {_rows(rows)} of 0 … {len(error) - 1})"
    largest = float(error[where])
    ours = s.answered.returned[name]
    if not np.isfinite(ours).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(ours))[0])
        return f"is {ours[index]} at {index} in the {s.drawn}"
    return f"off by {amount(largest)}{place} in the {s.drawn}"


def off_by(error: float) -> str:
    """The same as the predicate of a sentence."""
    return f"off by {amount(error)}" if error < np.inf else "is not finite"


def amount(error: float) -> str:
    """An error relative to the array, in words."""
    return f"{100 * error:.0f} %" if 0.01 <= error < 10 else f"{error:.1e} of itself"


def _rows(rows: Sequence[int]) -> str:
    if len(rows) > 2 and rows == list(range(rows[0], rows[-1] + 1)):
        return f"{rows[0]} … {rows[-1]}"
    return ", ".join(map(str, rows[:8])) + (" …" if len(rows) > 8 else "")


def first_divergence(target: Target, s: Seen) -> str:
    """Where, going back from the last step, the first number is off, in one case."""
    wrong = s.wrong(target)
    if not wrong:
        return ""
    rank = {"c": 0, "V": 1, "x": 2, "b": 3, "W": 4, "U": 5, "h0": 9}
    ordered = sorted(wrong, key=lambda n: rank.get(target.layout.ours(n), 6))
    first = ordered[0]
    where, note = "", ""
    if target.layout.ours(first) == "x" and s.fits(first):
        rows = np.flatnonzero(s.blocks(target, first).wrong.any(axis=1))
        last = int(rows[-1])
        where = "" if target.layout.step else f" at t = {last}"
        T = s.drawn.sizes.T
        note = f"; the steps after it, {_rows(list(range(last + 1, T)))}, are right" if last < T - 1 else ""
    right = [n for n in s.truth if n in s.answered.returned and n not in wrong]
    listed = f" Right: {', '.join(right)}." if right else " No gradient is right."
    return (
        f"First divergence on the way back: grad_{first}{where}{note}, in the {s.drawn}. "
        f"Wrong: {', '.join(ordered)}.{listed}"
    )
