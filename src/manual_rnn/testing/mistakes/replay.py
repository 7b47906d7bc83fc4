"""The right derivation, replayed with one mistake in it: what a pass that exposes only its results is explained by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from manual_rnn.bptt import go_back, unroll
from manual_rnn.cell import Array, Cell
from manual_rnn.gradients import forward_and_backward
from manual_rnn.tape import Tape
from manual_rnn.testing.mistakes.planting import Mistake, PlantedTape
from manual_rnn.testing.mistakes.terms import Quantities
from manual_rnn.testing.passes.regimes import Drawn

NO_MISTAKE = Mistake("", {})


class RoomyTape(Tape):
    """Has room for every node from the start: a mistake may read what is not computed yet, and finds zeros."""

    def __init__(self, like: Tape) -> None:
        super().__init__(like.T)
        self._arrays = {name: np.zeros_like(like[name]) for name in like}

    def reserve_state(self, name: str, initial: Array, dtype: npt.DTypeLike, **options: Any) -> None:
        super().reserve_state(name, initial, dtype, **options)
        self._arrays[name][:] = 0


@dataclass(frozen=True)
class Replay:
    """One case, ready to be run with any mistake."""

    cell: Cell
    drawn: Drawn
    nodes: Tape
    grads: Tape

    @classmethod
    def of(cls, cell: Cell, drawn: Drawn) -> Replay:
        """Runs the case rightly once."""
        T = drawn.sizes.T
        nodes, grads = Tape(T), Tape(T)
        _run(cell, drawn, nodes, grads)
        return cls(cell, drawn, nodes, grads)

    @property
    def known(self) -> Quantities:
        """The quantities of the right run."""
        return Quantities(self.cell, self.drawn.case, self.nodes, self.grads, self.drawn.upstream)

    def gradients(self, mistake: Mistake = NO_MISTAKE) -> Mapping[str, Array] | Tape:
        """The gradients by our names that code with this mistake would give."""
        nodes, grads = RoomyTape(self.nodes), RoomyTape(self.grads)
        known = Quantities(self.cell, self.drawn.case, nodes, grads, self.drawn.upstream)
        with np.errstate(all="ignore"):
            _run(
                self.cell, self.drawn,
                PlantedTape(nodes, "", mistake, known), PlantedTape(grads, "grad_", mistake, known),
            )  # fmt: skip
        return grads


def _run(cell: Cell, d: Drawn, tape: Tape, grads: Tape) -> None:
    x = d.case.for_oracle()["x"]
    if d.upstream is None:
        given = (cell, d.params, x, d.y, d.weights, d.initial)
        forward_and_backward(*given, inputs=True, tape=tape, grads=grads, loss=d.step_loss)
        return
    unroll(cell, d.params, x, d.initial, tape)
    go_back(cell, d.params, x, tape, d.upstream, grads, inputs=True)
