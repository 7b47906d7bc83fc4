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
from manual_rnn.network import Network
from manual_rnn.tape import Tape
from manual_rnn.testing.families import build
from manual_rnn.testing.local import ForcedTape, Manual, run
from manual_rnn.testing.problem import Case, Sizes, Spec
from manual_rnn.testing.scales import previous_states

SPEC = Spec("ordinary", Sizes(3, 2, 3, 4, 3), "float64", seed=0, severity=50)


def check_that_it_goes_on(model: Cell | Network, manual: Manual, loss: str = "softmax") -> None:
    """Raises ValueError where the pass goes on with its own values; one that fails is left to the judge."""
    if manual is forward_and_backward:
        return
    deaf: list[str] = []
    with np.errstate(all="ignore"), suppress(Exception):
        deaf = _unmoved(model, manual, loss)
    if deaf:
        raise ValueError(
            f"The pass computes {', '.join(deaf)} from values of its own, not from those that tap hands back, so no "
            "equation can be judged alone. Let it go on with what tap returns, or hand it to check_backward, which "
            "judges whole passes."
        )


def _unmoved(model: Cell | Network, manual: Manual, loss: str) -> list[str]:
    """The equations that are right, and the same whatever the nodes that they are made of are said to be."""
    case = build(model, replace(SPEC, loss=loss))
    T = SPEC.sizes.T
    right, own = (_on(case, model, each, Tape(T), Tape(T)) for each in (forward_and_backward, manual))
    nodes, grads = ({name: 0.5 * tape[name] for name in tape} for tape in own)
    before = previous_states(model, case, nodes)
    forced = ForcedTape(T, nodes, before), ForcedTape(T, grads, before)
    _on(case, model, manual, *forced)
    found: list[str] = []
    for i, names in enumerate((_of_nodes(Network.of(model)), _of_gradients(Network.of(model)))):
        for name, rows in names.items():
            truth, plain, moved = (np.asarray(array[name])[rows] for array in (right[i], own[i], forced[i].computed))
            if truth.any() and np.allclose(plain, truth, rtol=1e-6, atol=0) and np.array_equal(plain, moved):
                found.append(("", "grad_")[i] + name)
    return found


def _on(case: Case, model: Cell | Network, manual: Manual, tape: Tape, grads: Tape) -> tuple[Tape, Tape]:
    run(manual, model, case, tape, grads)
    return tape, grads


def _of_nodes(network: Network) -> dict[str, slice]:
    """The nodes that are made of others, and at which steps: the maps of the states before, the logits of h."""
    steps = {False: slice(1, None), True: slice(-1)}
    carried = {cell.full(m.node): steps[cell.reverse] for cell in network.cells for m in cell.maps if m.W and not m.now}
    return carried | {"o": slice(None)}


def _of_gradients(network: Network) -> dict[str, slice]:
    """Likewise: ∇h of what comes from the next step, those of the parameters of all steps."""
    steps = {False: slice(-1), True: slice(1, None)}
    states = {cell.full(name): steps[cell.reverse] for cell in network.cells for name in cell.states}
    return states | {m.W: slice(None) for cell in network.cells for m in cell.maps if m.W} | {"V": slice(None)}
