r"""From the input up through the layers of a network, and back down: what joins one layer to the next.

.. math::
    x_{l+1}(t) &= m_{l+1}(t) \circ [\overrightarrow h_l(t), \overleftarrow h_l(t)]   && \text{(F5)} \\
    \nabla [\overrightarrow h_l(t), \overleftarrow h_l(t)]
        &= \sum_{\text{directions}} m_{l+1}(t) \circ \nabla x_{l+1}(t) + \dots        && \text{(B4), from above}

with one state where a layer has one direction, and the mask m of the layer's dropout, all ones where none is given.
A learned initial state is one row for all sequences and all steps that start anew (:mod:`manual_rnn.anew`):

.. math:: \nabla h_\text{fresh} = \sum_{\text{beginnings}} \nabla \text{before}(t) \qquad\text{(B11)}
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from manual_rnn.anew import Anew
from manual_rnn.bptt import go_back, unroll
from manual_rnn.cell import Array, Cell
from manual_rnn.maps import Maps
from manual_rnn.network import Network, side_by_side
from manual_rnn.tape import Tape


def up(
    network: Network,
    params: Mapping[str, Array],
    x: Array,
    initial: Mapping[str, Array],
    tape: Tape,
    *,
    begins: Array | None = None,
    masks: Mapping[str, Array] = MappingProxyType({}),
    maps: Mapping[str, Maps] = MappingProxyType({}),
) -> tuple[Array, dict[str, Array]]:
    """Runs all layers; returns what the readout sees, (T, B, n), and the states after each cell's last step.

    ``maps``, by the cell's prefix: see :func:`manual_rnn.bptt.unroll`.
    """
    shown = x
    states: dict[str, Array] = {}
    for k, layer in enumerate(network.layers):
        for cell in layer:
            rows = tape.tap_all(f"{cell.prefix}x", _masked(cell, shown, masks)) if k else shown  # (F5)
            of_cell = network.states_of(cell, initial)
            anew = Anew.of(network, cell, params, begins)
            last = unroll(cell, params, rows, of_cell, tape, anew=anew, maps=maps.get(cell.prefix))
            states |= {f"{cell.prefix}{name}": state for name, state in last.items()}
        shown = what_it_shows(layer, tape)
    return shown, states


def down(
    network: Network,
    params: Mapping[str, Array],
    x: Array,
    tape: Tape,
    from_above: Array,
    grads: Tape,
    *,
    inputs: bool,
    begins: Array | None,
    masks: Mapping[str, Array],
) -> None:
    """Goes back down through all layers; ``from_above`` (T, B, n) is what the readout hands to the last."""
    for k in reversed(range(len(network.layers))):
        layer, below = network.layers[k], []
        for cell, part in zip(layer, np.split(from_above, len(layer), axis=-1), strict=True):
            rows = tape[f"{cell.prefix}x"] if k else x
            anew = Anew.of(network, cell, params, begins)
            fresh = go_back(cell, params, rows, tape, part, grads, inputs=inputs or k > 0, anew=anew)
            for name in cell.states if network.learned_initial else ():
                total = fresh[name].sum(axis=0) if anew else np.zeros_like(part[0, 0])
                grads.tap_all(network.learned[f"{cell.prefix}{name}"], total)  # (B11)
            if inputs or k:
                below.append(_masked(cell, grads[f"{cell.prefix}x"], masks))
        from_above = sum(below[1:], start=below[0]) if below else from_above
    if inputs and all(cell.prefix for cell in network.layers[0]):
        grads.tap_all("x", from_above)  # (B9) of all that see the network's input


def what_it_shows(layer: tuple[Cell, ...], tape: Tape) -> Array:
    """What the layer above sees, or the readout: the first states of the layer's cells, (T, B, n)."""
    return side_by_side(tape[cell.full(cell.states[0])] for cell in layer)


def _masked(cell: Cell, rows: Array, masks: Mapping[str, Array]) -> Array:
    mask = masks.get(f"{cell.prefix}x")
    return rows if mask is None else mask * rows
