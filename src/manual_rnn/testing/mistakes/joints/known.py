"""What joins the cells of a network, and its steps where sequences begin, as its equations have it at right values.

Of each such equation there is here the part that may be mistaken: what a layer shows, what comes down to a cell from
above, what its steps hand back in time, and which of them start anew.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from manual_rnn.anew import Anew, starts_of
from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network, side_by_side
from manual_rnn.testing.mistakes.equations import initial
from manual_rnn.testing.mistakes.of_cell import of_cell
from manual_rnn.testing.mistakes.terms import Quantities, Quantity
from manual_rnn.testing.problem import Answer, Case
from manual_rnn.testing.scales import previous_states


class Joint(Quantities):
    """A case of a network and its truth, under the network's own names.

    What a cell hands on in time is in the order in which the cell goes through the steps; :meth:`turned` is the way to
    that order and back.
    """

    def __init__(self, network: Network, case: Case, answer: Answer) -> None:
        super().__init__(network.cells[0], case, *answer)
        self.network, self.answer = network, answer
        self._handed: dict[str, dict[str, Array]] = {}

    @staticmethod
    def turned(cell: Cell, rows: Array) -> Array:
        return rows[::-1] if cell.reverse else rows

    @cached_property
    def before(self) -> dict[str, Array]:
        """What each step starts from, (T, B, n_hidden), by the state's name on the tape; not turned."""
        return previous_states(self.network, self.case, self.answer[0])

    def shows(self, layer: int) -> list[Array]:
        """What the cells of a layer show to the one above, (T, B, n_hidden) each."""
        return [np.asarray(self.nodes[cell.full(cell.states[0])]) for cell in self.network.layers[layer]]

    def mask(self, cell: Cell) -> Array:
        """Of a cell's input, (T, B, n); ones where none is given."""
        name = f"{cell.prefix}x"
        return np.asarray(self.case.masks[name]) if name in self.case.masks else np.ones_like(self.nodes[name])

    def handed_down(self, cell: Cell, *, to: Cell, mask: Array | None = None) -> Array:
        """What a cell of a layer above hands to one below, (T, B, n_hidden): its part of m ∘ ∇x; not turned."""
        mask = self.mask(cell) if mask is None else mask
        return self.part(mask * self.grads[f"{cell.prefix}x"], to)

    def from_readout(self, to: Cell) -> Array:
        """Vᵀ ∇o(t), as it comes to a cell of the last layer, (T, B, n_hidden); not turned."""
        return self.part(np.asarray(self.grads["o"]) @ self.case.params["V"], to)

    def part(self, rows: Array, of: Cell) -> Array:
        """A cell's part of what comes to its layer."""
        layer = next(layer for layer in self.network.layers if of in layer)
        return np.split(rows, len(layer), axis=-1)[layer.index(of)]

    def from_above(self, cell: Cell) -> Array:
        """All that comes to a cell's first state from the readout, or from the layer above; not turned."""
        if cell in self.network.layers[-1]:
            return self.from_readout(cell)
        return np.asarray(sum(self.handed_down(above, to=cell) for above in self.layer_above(cell)))

    def layer_above(self, cell: Cell) -> tuple[Cell, ...]:
        """The cells that see what a cell shows; none of the last layer's."""
        k = next(k for k, layer in enumerate(self.network.layers) if cell in layer)
        return self.network.layers[k + 1] if k + 1 < len(self.network.layers) else ()

    def handed_back(self, cell: Cell, state: str) -> Array:
        """What each step hands to the state that it starts from, as the cell's own code has it, (T, B, n_hidden)."""
        if cell.prefix not in self._handed:
            known = _StartingAnew(self, cell)
            none = np.zeros((self.case.spec.sizes.B, self.case.spec.sizes.n_hidden), self.x.dtype)
            self._handed[cell.prefix] = {
                name: np.stack([sum((term.row(known, t - 1) for term in terms), none) for t in range(self.T)])
                for name, terms in zip(cell.states, initial(cell.alone()).values(), strict=True)
            }
        return self._handed[cell.prefix][state]

    def starts(self, cell: Cell) -> Array:
        """The steps that start anew, (T, B, 1) of bool."""
        if self.case.begins is None:
            return np.zeros((self.T, self.case.spec.sizes.B, 1), bool)
        return self.turned(cell, starts_of(cell, self.case.begins))[..., None]

    def starts_of_the_other_way(self, cell: Cell) -> Array:
        """The same if the boundaries were taken for those of a cell that goes the other way."""
        if self.case.begins is None:
            return self.starts(cell)
        return self.turned(cell, self.case.begins[:-1] if cell.reverse else self.case.begins[1:])[..., None]

    def fresh(self, cell: Cell, state: str) -> Array:
        """What a step starts from that starts anew, (n_hidden,)."""
        no_begins = np.zeros((self.T + 1, self.case.spec.sizes.B), bool)
        anew = Anew.of(self.network, cell, self.case.params, no_begins)
        assert anew is not None
        return np.asarray(anew.fresh[state])


class _StartingAnew(Quantities):
    """A cell's own view, in which the state before is what the step has started from."""

    def __init__(self, joint: Joint, cell: Cell) -> None:
        alone, (case, answer) = cell.alone(), of_cell(joint.network, cell, joint.case, joint.answer)
        super().__init__(alone, case, *answer)
        self._before = {alone.full(name): joint.turned(cell, joint.before[cell.full(name)]) for name in cell.states}

    def at(self, quantity: Quantity, t: int) -> Array:
        if quantity.offset == -1 and not quantity.gradient and quantity.name in self._before and 0 <= t < self.T:
            return np.asarray(self._before[quantity.name][t])
        return super().at(quantity, t)


def following(rows: Array, last: Array | None = None) -> Array:
    """Row t + 1 at row t, and at the last one zeros, or what is given."""
    return np.concatenate([rows[1:], np.zeros_like(rows[:1]) if last is None else last[None]])


def preceding(rows: Array, first: Array | None = None) -> Array:
    """Row t − 1 at row t, and at the first one zeros, or what is given."""
    return np.concatenate([np.zeros_like(rows[:1]) if first is None else first[None], rows[:-1]])


def shown_by(known: Joint, layer: int) -> Array:
    """What a layer shows, end to end, (T, B, n)."""
    return side_by_side(known.shows(layer))
