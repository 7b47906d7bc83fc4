"""What may stand for what a layer shows, and for the mask that it is multiplied with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from manual_rnn import affine
from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network, side_by_side
from manual_rnn.testing.mistakes.formula import IN_TIME, Formula
from manual_rnn.testing.mistakes.joints.known import Joint, shown_by
from manual_rnn.testing.mistakes.joints.variants import Part, Variant, formulas_of

OTHER_MASKS: dict[str, Callable[[Array], Array]] = {
    "is not applied": np.ones_like,
    "is applied twice": lambda m: m * m,
    "is of zeros and ones, not scaled by 1/(1 − rate)": lambda m: (m != 0).astype(m.dtype),
    "is that of the first step at every step": lambda m: np.broadcast_to(m[:1], m.shape),
    **{f"is {words}": moved for words, moved in IN_TIME.items()},
}


def of_readout(network: Network, equation: str, top: int) -> Iterator[Formula]:
    def to_o(known: Joint, difference: Array) -> Array:
        return difference @ known.case.params["V"].T

    def to_V(known: Joint, difference: Array) -> Array:
        return affine.weight_gradient(np.asarray(known.grads["o"]), difference, difference.shape[-1])

    name, into = ("o", to_o) if equation == "o" else ("∇V", to_V)
    yield from formulas_of(name, equation, _shown_otherwise(network, top), lambda known: shown_by(known, top), into)
    if equation == "o":
        without: Variant = ("the term c is missing", lambda known: known.nodes["o"] - known.case.params["c"])
        yield from formulas_of(name, equation, [without])


def of_input(network: Network, k: int, cell: Cell, *, masked: bool) -> Iterator[Formula]:
    def unmasked(known: Joint) -> Array:
        return shown_by(known, k - 1)

    equation = f"{cell.prefix}x"
    if masked:
        masks = other_masks(network, cell)
        otherwise = ((f"the mask {words}", _masked_by(mask, unmasked)) for words, mask in masks)
        yield from formulas_of("x(t)", equation, otherwise)
    shown = ((words, _times_mask(cell, part)) for words, part in _shown_otherwise(network, k - 1))
    yield from formulas_of("x(t)", equation, shown)


def _masked_by(mask: Part, rows: Part) -> Part:
    return lambda known: mask(known) * rows(known)


def _times_mask(cell: Cell, rows: Part) -> Part:
    return lambda known: known.mask(cell) * rows(known)


def _shown_otherwise(network: Network, k: int) -> Iterator[Variant]:
    """What may stand for what layer k shows."""
    layer = network.layers[k]
    names = [f"{cell.full(cell.states[0])}(t)" for cell in layer]
    whole = f"[{', '.join(names)}]" if len(names) > 1 else names[0]
    if len(layer) > 1:
        exchanged = f"the halves are exchanged: [{', '.join(names[::-1])}] stands where the derivation has {whole}"
        yield exchanged, lambda known: side_by_side(known.shows(k)[::-1])
    for i, name in enumerate(names):
        yield f"{name} is missing", _with_half(k, i, np.zeros_like)
        for words, moved in IN_TIME.items():
            yield f"{name} is {words}", _with_half(k, i, moved)
        for j, other in enumerate(names):
            if i != j:
                yield f"{other} stands in the place of {name} too", _with_other_half(k, i, j)
    for words, moved in IN_TIME.items() if len(layer) > 1 else ():
        yield f"{whole} is {words}", lambda known, moved=moved: moved(shown_by(known, k))  # type: ignore[misc]
    for j, other_layer in enumerate(network.layers):
        if j != k and len(other_layer) == len(layer):
            said = ", ".join(f"{cell.full(cell.states[0])}(t)" for cell in other_layer)
            said = f"[{said}]" if len(layer) > 1 else said
            instead_of = f"{said} stands where the derivation has {whole}"
            yield instead_of, lambda known, j=j: shown_by(known, j)  # type: ignore[misc]


def _with_half(k: int, i: int, changed: Callable[[Array], Array]) -> Part:
    return lambda known: side_by_side(changed(rows) if i == j else rows for j, rows in enumerate(known.shows(k)))


def _with_other_half(k: int, i: int, j: int) -> Part:
    def both(known: Joint) -> Array:
        shows = known.shows(k)
        shows[i] = shows[j]
        return side_by_side(shows)

    return both


def other_masks(network: Network, cell: Cell) -> Iterator[Variant]:
    """What may stand for the mask of a cell's input."""
    for words, changed in OTHER_MASKS.items():
        yield words, lambda known, changed=changed: changed(known.mask(cell))  # type: ignore[misc]
    for layer in network.layers[1:]:
        for other in layer:
            if other != cell:
                yield f"is that of {other.prefix}x", lambda known, other=other: known.mask(other)  # type: ignore[misc]
