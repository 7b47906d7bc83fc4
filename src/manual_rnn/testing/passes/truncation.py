r"""Truncated backpropagation through time, BPTT(k): the loss of each step goes back through k steps and no further.

The loss of step t reaches the pre-activations of the steps t, t−1, …, t−k+1: the state before them is taken for a
constant (Williams and Peng 1990). Gradients are linear in what comes from above, so this is the sum over t of the
right derivation with the loss of step t alone and the carry cut k steps below it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn.bptt import go_back
from manual_rnn.cell import Array, Cell
from manual_rnn.tape import Tape
from manual_rnn.testing.mistakes.replay import Replay
from manual_rnn.testing.passes.layout import CONSTANT
from manual_rnn.testing.passes.regimes import Drawn


class CutTape(Tape):
    """Takes the gradient of a state for zero from one row on downwards."""

    def __init__(self, T: int, states: tuple[str, ...], last_zero: int) -> None:
        super().__init__(T)
        self._states, self._last_zero = states, last_zero

    def tap(self, name: str, value: Array) -> Array:
        cut = name in self._states and self.t <= self._last_zero
        return super().tap(name, np.zeros_like(value) if cut else value)


def truncated(cell: Cell, drawn: Drawn, k: int) -> Mapping[str, Array]:
    """The gradients of BPTT(k) by our names; those of the readout are not touched by it. k is at least one."""
    replay = Replay.of(cell, drawn)
    x = drawn.case.for_oracle()["x"]
    upstream = replay.grads["o"] @ drawn.params["V"] if drawn.upstream is None else drawn.upstream
    total: dict[str, Array] = {n: replay.grads[n] for n in ("V", "c") if drawn.upstream is None}
    names = [n for n in drawn.arrays if n not in ("V", "c", *CONSTANT)]
    with np.errstate(all="ignore"):
        for t in range(drawn.sizes.T):
            alone = np.zeros_like(upstream)
            alone[t] = upstream[t]
            grads = CutTape(drawn.sizes.T, tuple(cell.full(name) for name in cell.states), t - k)
            go_back(cell, drawn.params, x, replay.nodes, alone, grads, inputs=True)
            for name in names:
                total[name] = total[name] + grads[name] if name in total else grads[name]
    return total
