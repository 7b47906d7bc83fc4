r"""What a network is: layers of cells one above the other, each in one direction of time or in both, and a readout.

A layer's input at step t is x(t), or what the layer below shows at t: its first state, or where it goes in both
directions the two of them end to end, $[\overrightarrow h(t), \overleftarrow h(t)]$. The readout sees the last layer
in the same way.

A single cell is the network of one layer, and its names are the cell's own. In any other, all names of the cell in
layer 2 begin with ``layer2.`` and those of the cell that goes back in time with ``layer2_reverse.``: the parameter
``layer2.W``, the node ``layer2.h``, the initial state ``layer2.h`` and its gradient ``layer2.h0``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from manual_rnn.cell import Array, Cell, of_input, shapes_of_cell

INITIAL = "initial_"
"""What the name of a learned initial state begins with, after its cell's prefix: ``initial_h``, (n_hidden,)."""


@dataclass(frozen=True)
class Network:
    """Layers of cells; :func:`stack` and :meth:`of` make one, with every cell placed."""

    layers: tuple[tuple[Cell, ...], ...]
    """By layer its cell, or two: one that goes forward in time and one that goes back. All of one n_hidden."""
    learned_initial: bool = False
    """Whether the initial states are parameters, one row for all sequences."""

    @classmethod
    def of(cls, model: Cell | Network) -> Network:
        """A network as it is; a cell as the network of one layer."""
        return model if isinstance(model, Network) else cls(((model,),))

    @property
    def name(self) -> str:
        """What reports call it: ``2 layers of lstm, both directions``."""
        names = " and ".join(dict.fromkeys(cell.name for cell in self.cells))
        parts = [names if len(self.layers) == 1 else f"{len(self.layers)} layers of {names}"]
        parts += ["both directions"] if any(len(layer) > 1 for layer in self.layers) else []
        parts += ["learned initial state"] if self.learned_initial else []
        return ", ".join(parts)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of all layers, the lowest first."""
        return tuple(cell for layer in self.layers for cell in layer)

    @property
    def inputs(self) -> list[str]:
        """The inputs of the cells above the first layer, by their names on the tape: what a mask may be for."""
        return [f"{cell.prefix}x" for layer in self.layers[1:] for cell in layer]

    def states_of(self, cell: Cell, states: Mapping[str, Array]) -> dict[str, Array]:
        """A cell's states, under its own names, of those of a network."""
        return {name: states[f"{cell.prefix}{name}"] for name in cell.states}

    @property
    def states(self) -> tuple[str, ...]:
        """The names of all states that are carried: ``h``, or ``layer1.h`` and so on."""
        return tuple(f"{cell.prefix}{name}" for cell in self.cells for name in cell.states)

    @property
    def learned(self) -> dict[str, str]:
        """By state the parameter that it starts from, where initial states are learned."""
        if not self.learned_initial:
            return {}
        return {f"{cell.prefix}{name}": f"{cell.prefix}{INITIAL}{name}" for cell in self.cells for name in cell.states}


def stack(cell: Cell, *, layers: int = 1, bidirectional: bool = False, learned_initial: bool = False) -> Network:
    """Layers of one cell, in one direction of time or in both.

    Raises:
        ValueError: ``cell`` is no cell, or a network already; ``layers`` is no whole number of at least one; one of the
            others is neither True nor False.
    """
    if isinstance(cell, Network):
        raise ValueError(
            f"cell is a network of {cell.name} already; expected one Cell. Say layers=, bidirectional= and "
            "learned_initial= in one call of stack."
        )
    if not isinstance(cell, Cell):
        got = f"cells.get({cell!r})" if isinstance(cell, str) else "cells.get('gru')"
        raise ValueError(f"cell is {cell!r}; expected a Cell, such as {got}.")
    if isinstance(layers, bool) or not isinstance(layers, int | np.integer) or layers < 1:
        raise ValueError(f"layers is {layers!r}; expected a whole number of at least 1.")
    for name, value in {"bidirectional": bidirectional, "learned_initial": learned_initial}.items():
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name} is {value!r}; expected True or False.")
    if layers == 1 and not bidirectional:
        return Network(((cell,),), learned_initial)
    return Network(tuple(_directions(cell, k, both=bidirectional) for k in range(1, layers + 1)), learned_initial)


def _directions(cell: Cell, layer: int, *, both: bool) -> tuple[Cell, ...]:
    forward = cell.placed(f"layer{layer}.")
    return (forward, cell.placed(f"layer{layer}_reverse.", reverse=True)) if both else (forward,)


def parameter_shapes(
    model: Cell | Network, *, n_in: int, n_hidden: int, n_out: int
) -> dict[str, tuple[int, ...]]:
    """The name and shape of each parameter of a network and its readout."""
    network = Network.of(model)
    shapes: dict[str, tuple[int, ...]] = {}
    below = n_in
    for layer in network.layers:
        for cell in layer:
            shapes |= shapes_of_cell(cell, n_in=below, n_hidden=n_hidden)
        below = n_hidden * len(layer)
    shapes |= dict.fromkeys(network.learned.values(), (n_hidden,))
    return shapes | {"V": (n_out, below), "c": (n_out,)}


def widths(model: Cell | Network, params: Mapping[str, Array]) -> tuple[int, int, int]:
    """(n_in, n_hidden, n_out) of parameters that fit together."""
    n_hidden, n_in = params[of_input(Network.of(model).cells[0])].shape
    return n_in, n_hidden, len(params["V"])


def zero_state(model: Cell | Network, params: Mapping[str, Array], B: int) -> dict[str, Array]:
    """Initial states of zeros, (B, n_hidden) each, in the dtype of the parameters."""
    network = Network.of(model)
    _, n_hidden, _ = widths(network, params)
    return {name: np.zeros((B, n_hidden), params["V"].dtype) for name in network.states}


def fresh_states(model: Cell | Network, params: Mapping[str, Array]) -> dict[str, Array]:
    """What a sequence starts from by default, (n_hidden,) each: the learned states, or zeros."""
    network = Network.of(model)
    _, n_hidden, _ = widths(network, params)
    if network.learned_initial:
        return {name: params[parameter] for name, parameter in network.learned.items()}
    return {name: np.zeros(n_hidden, params["V"].dtype) for name in network.states}


def start_states(model: Cell | Network, params: Mapping[str, Array], B: int) -> dict[str, Array]:
    """The same for B sequences, (B, n_hidden) each: what a text is read from."""
    return {name: np.tile(row, (B, 1)) for name, row in fresh_states(model, params).items()}


def side_by_side(rows: Iterable[Array]) -> Array:
    """What a layer shows to the one above: the states of its directions end to end, (T, B, n)."""
    rows = list(rows)
    return rows[0] if len(rows) == 1 else np.concatenate(rows, axis=-1)
