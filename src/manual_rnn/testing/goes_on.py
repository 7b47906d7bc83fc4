"""Whether a pass of one's own goes on with what ``tap`` hands back: where it does not, no equation is judged alone.

Such a pass records its nodes and computes on with its own. Fed with the reference's values it takes no notice, so its
rounding piles up from step to step, and right code is called wrong in every equation (measured: by 1e15 units in
chaotic cases, and by up to 14 budgets end to end, as no disturbance reaches it either).

So it is run once with taps that hand back half of every value. What is right without them and the same with them has
taken no notice. A mistake, a term that is missing for instance, is not taken for it: without taps it is not right.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np

from manual_rnn.cell import Cell
from manual_rnn.gradients import forward_and_backward
from manual_rnn.tape import Tape
from manual_rnn.testing.families import build
from manual_rnn.testing.local import ForcedTape, Manual, run
from manual_rnn.testing.problem import Case, Sizes, Spec
from manual_rnn.testing.scales import previous_states

SPEC = Spec("ordinary", Sizes(3, 2, 3, 4, 3), "float64", seed=0, severity=50)


def check_that_it_goes_on(cell: Cell, manual: Manual, loss: str = "softmax") -> None:
    """Raises ValueError where the pass goes on with its own values; one that fails is left to the judge."""
    if manual is forward_and_backward:
        return
    deaf: list[str] = []
    with np.errstate(all="ignore"), suppress(Exception):
        deaf = _unmoved(cell, manual, loss)
    if deaf:
        raise ValueError(
            f"The pass computes {', '.join(deaf)} from values of its own, not from those that tap hands back, so no "
            "equation can be judged alone. Let it go on with what tap returns, or hand it to check_backward, which "
            "judges whole passes."
        )


def _unmoved(cell: Cell, manual: Manual, loss: str) -> list[str]:
    """The equations that are right, and the same whatever the nodes that they are made of are said to be."""
    case = build(cell, replace(SPEC, loss=loss))
    T = SPEC.sizes.T
    right, own = (_on(case, cell, each, Tape(T), Tape(T)) for each in (forward_and_backward, manual))
    nodes, grads = ({name: 0.5 * tape[name] for name in tape} for tape in own)
    before = previous_states(cell, case, nodes)
    forced = ForcedTape(T, nodes, before), ForcedTape(T, grads, before)
    _on(case, cell, manual, *forced)
    found: list[str] = []
    for i, names in enumerate((_of_nodes(cell), _of_gradients(cell))):
        for name, rows in names.items():
            truth, plain, moved = (np.asarray(array[name])[rows] for array in (right[i], own[i], forced[i].computed))
            if truth.any() and np.allclose(plain, truth, rtol=1e-6, atol=0) and np.array_equal(plain, moved):
                found.append(("", "grad_")[i] + name)
    return found


def _on(case: Case, cell: Cell, manual: Manual, tape: Tape, grads: Tape) -> tuple[Tape, Tape]:
    run(manual, cell, case, tape, grads)
    return tape, grads


def _of_nodes(cell: Cell) -> dict[str, slice]:
    """The nodes that are made of others, and at which steps: the maps of the states before, the logits of h."""
    carried = [m.node for m in cell.maps if m.W and not m.now]
    return {cell.full(name): slice(1, None) for name in carried} | {"o": slice(None)}


def _of_gradients(cell: Cell) -> dict[str, slice]:
    """Likewise: ∇h of what comes from the next step, those of the parameters of all steps."""
    states = {cell.full(name): slice(-1) for name in cell.states}
    return states | {m.W: slice(None) for m in cell.maps if m.W} | {"V": slice(None)}

