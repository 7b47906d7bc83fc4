"""What a step hands to the state that it has started from, and which mistakes send it elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.network import INITIAL, Network
from manual_rnn.testing.mistakes.equations import initial, past_the_maps
from manual_rnn.testing.mistakes.formula import Formula, Value
from manual_rnn.testing.mistakes.joints.known import Joint, following, preceding
from manual_rnn.testing.mistakes.joints.variants import SCALED, Part, Variant, formulas_of, place_of


@dataclass(frozen=True)
class _Going:
    """Where what the steps hand back goes, all in the order of the steps: on to the step before, (T, B, n_hidden); to
    the initial state, (B, n_hidden); to the fresh state, (n_hidden,)."""

    on: Array
    to_initial: Array
    to_fresh: Array


def _going(handed: Array, starts: Array, *, the_other_way: bool = False) -> _Going:
    kept = np.where(starts, 0, handed)
    fresh = np.where(starts, handed, 0).sum(axis=(0, 1))
    if the_other_way:
        return _Going(preceding(kept), kept[-1], fresh)
    return _Going(following(kept), kept[0], fresh)


def _right_way(known: Joint, cell: Cell, state: str) -> _Going:
    return _going(known.handed_back(cell, state), known.starts(cell))


def _otherwise(network: Network, cell: Cell, state: str) -> Iterator[tuple[str, Callable[[Joint], _Going]]]:
    """Mistakes in which of the steps start anew, and in the way that what they hand back goes."""

    def with_starts(changed: Callable[[Joint], Array]) -> Callable[[Joint], _Going]:
        return lambda known: _going(known.handed_back(cell, state), changed(known))

    for words, changed in other_starts(cell):
        yield f"{words} on the way back", with_starts(changed)
    yield "what is carried back goes the wrong way in time", lambda known: _going(
        known.handed_back(cell, state), known.starts(cell), the_other_way=True
    )
    turned = "what is carried back goes the wrong way in time, from the boundaries of the other direction"
    yield turned, lambda known: _going(
        known.handed_back(cell, state), known.starts_of_the_other_way(cell), the_other_way=True
    )
    for other in network.cells:
        if other != cell and state in other.states:
            said = f"what is carried back is that of {place_of(other)}"
            yield said, lambda known, other=other: _right_way(known, other, state)  # type: ignore[misc]


def other_starts(cell: Cell) -> Iterator[Variant]:
    """What may stand for the steps that start anew, (T, B, 1), in the order of the steps."""

    def changed(how: Callable[[Array], Array]) -> Part:
        return lambda known: how(known.starts(cell))

    yield "no reset is honoured", changed(np.zeros_like)
    yield "a reset of one sequence is one of all sequences", changed(
        lambda starts: np.broadcast_to(starts.any(axis=1, keepdims=True), starts.shape)
    )
    yield "the boundaries are those of the other direction of time", lambda known: known.starts_of_the_other_way(cell)
    yield "resets are honoured a step late", changed(preceding)
    yield "resets are honoured a step early", changed(following)
    yield "resets are honoured at the first step only", changed(
        lambda starts: np.concatenate([starts[:1], np.zeros_like(starts[1:])])
    )
    yield "resets are honoured at all steps but the first", changed(
        lambda starts: np.concatenate([np.zeros_like(starts[:1]), starts[1:]])
    )
    yield "every step starts anew", changed(np.ones_like)


def of_what_is_carried(network: Network, cell: Cell, state: str, equation: str, T: int) -> Iterator[Formula]:
    """Formulas for a state's gradient at every step; T is that of a case, beyond which none is cut off."""

    def right(known: Joint) -> Array:
        return _right_way(known, cell, state).on

    def turned(known: Joint, difference: Array) -> Array:
        return known.turned(cell, difference)

    def cut(k: int) -> Part:
        return lambda known: np.where(np.arange(known.T)[:, None, None] >= known.T - k, right(known), 0)

    variants: list[Variant] = [
        (f"all that comes from the next step {words}", lambda known, f=f: f * right(known))  # type: ignore[misc]
        for words, f in SCALED.items()
    ]
    wrong = _otherwise(network, cell, state)
    variants += [(words, lambda known, go=go: go(known).on) for words, go in wrong]  # type: ignore[misc]
    variants += [
        (f"what comes from the next step is cut off {k} steps before the end: it goes back no further", cut(k))
        for k in range(2, T)
    ]
    yield from formulas_of(f"∇{state}(t)", equation, variants, right, turned)


def as_the_code_has_it(cell: Cell, state: str, equation: str, seen: Sequence[Joint]) -> list[Formula]:
    """A state's equations with what the cell's own code hands back, where that is wrong: nothing else is to be said.

    None where it is right, which shows in what comes to the initial state, and to a first state.
    """
    if all(_is_right(known, cell, state) for known in seen):
        return []
    own = cell.alone()
    said = past_the_maps(initial(own)[f"grad_{state}0"], state)
    start, fresh = f"grad_{cell.initial_name(state)}", f"grad_{cell.prefix}{INITIAL}{state}"
    if equation == start:
        words, part = f"∇{state}(0)", lambda known: _right_way(known, cell, state).to_initial
        said = said.replace("(t+1)", "(1)")
    elif equation == fresh:
        words, part = f"∇{INITIAL}{state}", lambda known: _right_way(known, cell, state).to_fresh
    elif state == cell.states[0]:
        words, part = f"∇{state}(t)", lambda known: _of_first(known, cell)
    else:  # what its own code adds to it is in the view of the cell
        return []
    return [Formula(f"{words}: {said}.", cast(Value, part))]


def _is_right(known: Joint, cell: Cell, state: str) -> bool:
    pairs = [(_right_way(known, cell, state).to_initial, known.grads[cell.initial_name(state)])]
    pairs += [(_of_first(known, cell), known.grads[cell.full(state)])] if state == cell.states[0] else []
    return all(bool((np.abs(ours - right) <= 1e-10 * np.abs(right).max()).all()) for ours, right in pairs)


def _of_first(known: Joint, cell: Cell) -> Array:
    """The gradient of a cell's first state, (T, B, n_hidden), by what the cell's own code hands back."""
    return known.from_above(cell) + known.turned(cell, _right_way(known, cell, cell.states[0]).on)


def of_initial(network: Network, cell: Cell, state: str, equation: str) -> Iterator[Formula]:
    """Formulas for the gradient of an initial state."""
    wrong = _otherwise(network, cell, state)
    variants: list[Variant] = [(words, lambda known, go=go: go(known).to_initial) for words, go in wrong]  # type: ignore[misc]
    yield from formulas_of(f"∇{state}(0)", equation, variants)


def of_fresh(network: Network, cell: Cell, state: str, equation: str) -> Iterator[Formula]:
    """Formulas for the gradient of the state that sequences begin with."""

    def handed(known: Joint) -> Array:
        return np.where(known.starts(cell), known.handed_back(cell, state), 0)

    variants: list[Variant] = [
        ("only the first sequence of the batch is in the sum", lambda known: handed(known)[:, 0].sum(axis=0)),
        ("only the last sequence of the batch is in the sum", lambda known: handed(known)[:, -1].sum(axis=0)),
        ("only the beginnings at the first step are in the sum", lambda known: handed(known)[0].sum(axis=0)),
        ("the beginnings at the first step are left out of the sum", lambda known: handed(known)[1:].sum(axis=(0, 1))),
        ("only the last beginning of each sequence is in the sum", lambda known: _last_beginnings(known, cell, state)),
        ("it is averaged over the beginnings", lambda known: handed(known).sum(axis=(0, 1)) / known.starts(cell).sum()),
    ]
    wrong = _otherwise(network, cell, state)
    variants += [(words, lambda known, go=go: go(known).to_fresh) for words, go in wrong]  # type: ignore[misc]
    yield from formulas_of(f"∇{INITIAL}{state}", equation, variants)


def _last_beginnings(known: Joint, cell: Cell, state: str) -> Array:
    starts = known.starts(cell)
    last = starts & ~following(starts[::-1].cumsum(axis=0)[::-1] > 0)
    return np.asarray(np.where(last, known.handed_back(cell, state), 0).sum(axis=(0, 1)))
