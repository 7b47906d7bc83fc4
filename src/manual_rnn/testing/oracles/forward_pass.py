"""The loss as a function of everything that it is differentiated by: what both independent oracles evaluate.

Only the forward equations run here, F1 to F6, so an error in a backward equation cannot reach the oracles.
One in a forward equation does: they differentiate whatever function the forward pass computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from manual_rnn import affine, layers, losses, readout
from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network
from manual_rnn.tape import Tape
from manual_rnn.testing.problem import Case

Losses = Callable[[Mapping[str, Array]], Array]
"""``losses_at`` for one model and case."""


def variables(case: Case) -> dict[str, Array]:
    """The arrays that have a gradient, by its name: the parameters, "h0", and "x" where it is dense."""
    found = {**case.params, **{f"{name}0": array for name, array in case.initial.items()}}
    return found if affine.is_tokens(case.x) else found | {"x": case.x}


def losses_at(model: Cell | Network, case: Case, at: Mapping[str, Array]) -> Array:
    """The weighted losses (T, B) of a case with the variables ``at`` in place of its own, in their dtype."""
    params = {name: at[name] for name in case.params}
    initial = {name: at[f"{name}0"] for name in case.initial}
    x, tape = at.get("x", case.x), Tape(len(case.x))
    network = Network.of(model)
    shown, _ = layers.up(network, params, x, initial, tape, begins=case.begins, masks=case.masks)
    o = readout.forward(params["V"], params["c"], shown)
    return losses.get(case.spec.loss).forward(o, case.y, case.weights)[0]
