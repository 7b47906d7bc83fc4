r"""Steps that start anew: where one sequence ends in the middle of an array and the next one begins.

What a step starts from is h(t−1), or where a sequence begins a fresh state, zeros or a learned one:

.. math:: \text{before}(t) = \begin{cases} h_\text{fresh} & \text{where a sequence begins at } t \\
          h(t-1) & \text{elsewhere} \end{cases} \qquad\text{(F6)}

and so what step t hands back goes to the one or to the other; the fresh state gets the sum over all beginnings (B11).

A cell that goes back in time meets the boundary from the other side: it starts anew at the step *before* one that
begins a sequence. So boundaries are counted between the steps, T + 1 of them: row t of ``begins`` is the one in front
of step t, and row T the one behind the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network, fresh_states


@dataclass(frozen=True)
class Anew:
    """Which steps of which sequences a cell starts from a fresh state, and from what."""

    starts: Array
    """(T, B), of bool."""
    fresh: Mapping[str, Array]
    """By the cell's own name of each state, (n_hidden,), for all sequences the same."""

    @classmethod
    def of(cls, network: Network, cell: Cell, params: Mapping[str, Array], begins: Array | None) -> Anew | None:
        """What the boundaries (T + 1, B) are for a cell of a network; None where there are none."""
        if begins is None:
            return None
        return cls(starts_of(cell, begins), network.states_of(cell, fresh_states(network, params)))


def starts_of(cell: Cell, begins: Array) -> Array:
    """The steps (T, B) that a cell starts anew, of bool, from the boundaries (T + 1, B)."""
    return begins[1:] if cell.reverse else begins[:-1]
