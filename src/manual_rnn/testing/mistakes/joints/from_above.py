"""What may stand for what comes down to a cell from the layer above it, or from the readout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network
from manual_rnn.testing.mistakes.joints.known import Joint
from manual_rnn.testing.mistakes.joints.shown import OTHER_MASKS, other_masks
from manual_rnn.testing.mistakes.joints.variants import Part, Variant, changed, place_of


def from_above_otherwise(network: Network, cell: Cell, seen: Joint) -> Iterator[Variant]:
    """What may stand for all that comes to a cell's first state from the layer above it, or from the readout."""
    above = seen.layer_above(cell)
    what = "what comes down from the layer above" if above else "what comes from the readout, Vᵀ ∇o(t),"

    def whole(known: Joint) -> Array:
        return known.from_above(cell)

    yield from changed(what, whole)
    places = [f"{place.prefix}x" for place in above]
    for place, name in zip(above, places, strict=True):
        if len(above) > 1:
            yield from changed(f"∇{name}, one of the two that come down,", whole, _handed_by(place, cell))
    layer = next(layer for layer in network.layers if cell in layer)
    if len(layer) > 1:
        other = layer[1 - layer.index(cell)]
        yield f"{what} is that of {place_of(other)}: the halves are exchanged", _of_the_other_half(other)
    if above and seen.case.masks:
        for words, changed_mask in OTHER_MASKS.items():
            every = f"the mask of {what} {words}"
            yield every, lambda known, f=changed_mask: _down(known, above, cell, lambda d: f(known.mask(d)))  # type: ignore[misc]
        for place in above if len(above) > 1 else ():
            for words, mask in other_masks(network, place):
                yield f"the mask of ∇{place.prefix}x {words}", _with_mask(above, cell, place, mask)
        if len(above) > 1:
            one, two = above
            yield "the masks of the two directions above are exchanged", lambda known: _down(
                known, above, cell, lambda d: known.mask(two if d == one else one)
            )
    for other_layer in network.layers[1:]:
        if other_layer != above and len(layer) * seen.case.spec.sizes.n_hidden == seen.mask(other_layer[0]).shape[-1]:
            said = " + ".join(f"∇{place.prefix}x" for place in other_layer)
            instead = f"{said} stands in the place of {what.removesuffix(',')}"
            yield instead, lambda known, o=other_layer: _down(known, o, cell, known.mask)  # type: ignore[misc]
    top = network.layers[-1]
    if above and len(top) == len(layer):
        besides = "Vᵀ ∇o(t) comes to it besides, which is the last layer's alone"
        yield besides, lambda known: whole(known) + known.from_readout(top[layer.index(cell)])
        instead = f"Vᵀ ∇o(t) stands in the place of {what}"
        yield instead, lambda known: known.from_readout(top[layer.index(cell)])


def _handed_by(above: Cell, to: Cell) -> Part:
    return lambda known: known.handed_down(above, to=to)


def _of_the_other_half(other: Cell) -> Part:
    return lambda known: known.from_above(other)


def _down(known: Joint, above: Sequence[Cell], to: Cell, mask: Callable[[Cell], Array]) -> Array:
    return np.asarray(sum(known.handed_down(place, to=to, mask=mask(place)) for place in above))


def _with_mask(above: Sequence[Cell], to: Cell, place: Cell, mask: Part) -> Part:
    return lambda known: _down(known, above, to, lambda d: mask(known) if d == place else known.mask(d))


def sum_of_directions(network: Network) -> Iterator[Variant]:
    """What may stand for ∇x, to which both directions of the first layer come."""
    first = network.layers[0]

    def whole(known: Joint) -> Array:
        return np.asarray(known.grads["x"])

    for cell in first if len(first) > 1 else ():
        yield from changed(f"∇{cell.prefix}x", whole, lambda known, c=cell: np.asarray(known.grads[f"{c.prefix}x"]))  # type: ignore[misc]
