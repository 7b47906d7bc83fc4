"""Mistakes of the loop over time: steps that are not gone back through, and a way back that goes forward.

Such a loop is the right one on other rows. Without its first step it is that of the rows from the second on, and what
it hands over at its end is taken for the gradient of the initial state; from the first step to the last it is that of
the rows in the reverse order, as no sum over time minds the order of its terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from manual_rnn import affine
from manual_rnn.bptt import go_back
from manual_rnn.cell import Array, Cell
from manual_rnn.tape import Tape
from manual_rnn.testing.mistakes.replay import Replay
from manual_rnn.testing.passes.regimes import Drawn

Gradients = Callable[[Drawn], Mapping[str, Array]]
Rows = Callable[[int], npt.NDArray[np.int_]]
"""From T the rows that are gone back through, the last of them first."""

_LEFT_OUT: dict[str, Rows] = {
    "The loop on the way back leaves out the first step": lambda T: np.arange(1, T),
    "The loop on the way back leaves out the last step": lambda T: np.arange(T - 1),
}


def mistakes_of_the_loop(cell: Cell) -> Iterator[tuple[str, Gradients]]:
    """Sentences, and what each gives in a case, by our names."""
    for what, rows in _LEFT_OUT.items():
        for of_readout, where in ((False, ""), (True, ", and the readout's gradients with it")):
            yield f"{what}{where}.", partial(_along, cell, rows, of_readout)
    forward = "The loop on the way back goes forward in time: from the first step to the last, its carry with it."
    yield forward, partial(_along, cell, lambda T: np.arange(T)[::-1], False)


class _OfRows(Tape):
    """Some rows of a tape, in any order, as a tape."""

    def __init__(self, tape: Tape, states: tuple[str, ...], rows: npt.NDArray[np.int_]) -> None:
        super().__init__(len(rows))
        self._arrays = {name: tape[name][rows] if tape[name].ndim == 3 else tape[name] for name in tape}
        self._previous = {name: tape.previous(name)[rows] for name in states}


def _along(cell: Cell, rows: Rows, of_readout: bool, drawn: Drawn) -> dict[str, Array]:
    """The gradients of code whose loop takes these rows; ``of_readout``: ∇V and ∇c are summed in it too."""
    replay, taken = Replay.of(cell, drawn), rows(drawn.sizes.T)
    states = tuple(cell.full(name) for name in cell.states)
    found = {name: np.zeros_like(replay.grads[name]) for name in replay.grads}
    x, upstream = drawn.case.for_oracle()["x"], drawn.upstream
    if upstream is None:
        grad_o = replay.grads["o"]
        upstream = grad_o @ drawn.params["V"]
        summed = grad_o[taken] if of_readout else grad_o
        h = replay.nodes[states[0]][taken] if of_readout else replay.nodes[states[0]]
        found |= {"c": affine.bias_gradient(summed), "V": affine.weight_gradient(summed, h, h.shape[-1])}
    if not len(taken):
        return found
    grads = Tape(len(taken))
    nodes = _OfRows(replay.nodes, states, taken)
    go_back(cell, drawn.params, x[taken], nodes, upstream[taken], grads, inputs=True)
    found |= {name: grads[name] for name in (*drawn.params, *(f"{n}0" for n in cell.states)) if name in set(grads)}
    found["x"][taken] = grads["x"]
    return found
