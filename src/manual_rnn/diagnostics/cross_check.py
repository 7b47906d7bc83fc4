"""Whether the gradients of a state are right at every step: manual against an oracle, as :mod:`.comparison` has it.

What it does not see: which equation is wrong. That is the judge's task, in ``manual_rnn.testing``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from manual_rnn import losses
from manual_rnn.bptt import Parameters
from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.comparison import CrossCheck, Oracle, ask, compare, problem
from manual_rnn.diagnostics.measurable import whole_pass
from manual_rnn.diagnostics.rounding import MOVES, Moving, move, move_all, move_kept
from manual_rnn.diagnostics.states import state_gradients, state_name
from manual_rnn.gradients import forward_and_backward
from manual_rnn.loss import weights_of_steps
from manual_rnn.network import zero_state
from manual_rnn.tape import Tape


@of_one_cell
def cross_check(
    cell: Cell,
    params: Parameters,
    x: Array,
    y: Array,
    *,
    against: Oracle,
    loss: str = "softmax",
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    state: str | None = None,
    seed: int = 0,
) -> CrossCheck:
    """Compares ∂L/∂h(t) at t = 0 … T, for each sequence, with the oracle's: by ``step`` and ``sequence``.

    The other arguments are those of gradient_norms. ``seed`` draws the directions in which the arguments are moved by
    an ulp. Raises ValueError as gradient_norms does.
    """
    name = state_name(cell, state)
    result = whole_pass(cell, params, x, y, loss=loss, initial=initial, reduction=reduction, weights=weights)
    ours = state_gradients(cell, result, name)
    T, B = x.shape[:2]
    initial = zero_state(cell, params, B) if initial is None else initial
    weights = weights_of_steps(weights, reduction, T, B, np.result_type(*params.values()))
    _, grads = ask(against, [problem(cell, params, x, initial, y=y, weights=weights, loss=loss)])[0]
    theirs = np.concatenate([grads[f"{name}0"][None], grads[cell.full(name)]])
    rng = np.random.default_rng(seed)
    moved = []
    for _ in range(MOVES):
        tape = moved_gradients(cell, params, x, y, weights, loss, initial, rng)
        moved.append(np.concatenate([tape[f"{name}0"][None], tape[cell.full(name)]]))
    return compare(ours, theirs, moved, {"step": range(T + 1), "sequence": range(B)})


def moved_gradients(
    cell: Cell,
    params: Parameters,
    x: Array,
    y: Array,
    weights: Array,
    loss: str,
    initial: Mapping[str, Array],
    rng: np.random.Generator,
) -> Tape:
    """All gradients of a pass of which every argument and every node has been moved."""
    params, initial = move_all(params, rng), move_all(initial, rng)
    tape, x, the_loss = Moving(len(y), rng), move(x, rng), losses.get(loss)

    def of_loss() -> Array:
        """∇o from what the loss has kept, moved as well."""
        _, kept = the_loss.forward(tape["o"], y, weights)
        return the_loss.backward(move_kept(kept, rng), y, weights)

    grads = _Gradients(len(y), rng, of_loss)
    with np.errstate(over="ignore", invalid="ignore"):
        forward_and_backward(cell, params, x, y, weights, initial, inputs=False, tape=tape, grads=grads, loss=loss)
    return grads


class _Gradients(Moving):
    """Those of a pass, of which ∇o is made anew."""

    def __init__(self, T: int, rng: np.random.Generator, of_loss: Callable[[], Array]) -> None:
        super().__init__(T, rng)
        self._of_loss = of_loss

    def tap_all(self, name: str, values: Array) -> Array:
        return super().tap_all(name, self._of_loss() if name == "o" else values)
