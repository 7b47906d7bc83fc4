r"""How the gradient of the loss fares on its way back: ‖∂L/∂h(t)‖ by time step t and by lag T − t.

.. math::
    \log \lVert \nabla h(t) \rVert = \log m + \tfrac12 \log \sum_i (\nabla h_i(t) / m)^2, \qquad
    m = \max_i |\nabla h_i(t)|

so that no square underflows or overflows: a norm of 1e-200 has a logarithm like any other.

The loss of the last step alone (``reduction="last"``) shows the slope by lag. A sum over all steps masks it:
every step adds a gradient of its own, and the recent ones drown what came from afar.

What it does not see: the norm says how much arrives, not from which loss nor in which direction; and what has
underflowed on the way is gone before any logarithm (``underflowed`` says where): ``loss_by_state``, whose gradients are
scaled on their way, goes on below the format's smallest number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manual_rnn.bptt import Parameters
from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.comparison import Oracle, checked
from manual_rnn.diagnostics.cross_check import cross_check
from manual_rnn.diagnostics.labelled import xr
from manual_rnn.diagnostics.measurable import check_gradients, check_loss, check_states, whole_pass
from manual_rnn.diagnostics.states import log_norm, state_gradients, state_name
from manual_rnn.loss import weights_of_steps


@of_one_cell
def gradient_norms(
    cell: Cell,
    params: Parameters,
    x: Array,
    y: Array,
    *,
    loss: str = "softmax",
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    state: str | None = None,
    against: Oracle | None = None,
) -> xr.Dataset:
    """Runs the network forward and back and takes the norm of a state's gradient at each step.

    The arguments are those of :func:`manual_rnn.loss_and_gradients`; ``state`` is the name of one of the
    cell's states, the first by default. ``against`` is the oracle of a cross-check, :func:`.cross_check`: every
    gradient whose norm is here.

    Returns, natural logarithms, -inf where a gradient is zero,

    - ``log_norm`` (step, sequence): log ‖∂L/∂h(t)‖, t = 0 … T; step 0 is the initial state;
    - ``log_direct`` (step, sequence): of the part that comes from the loss of step t itself, Vᵀ ∇o(t); what is left
      has come from later steps. There is none at t = 0, and none for a state that the readout does not see;
    - ``by_lag`` (lag, sequence): ``log_norm`` in the order of the lag k = 0 … T;
    - ``underflowed`` (step, sequence): where the norm is zero or below the format's smallest normal number, e^smallest
      (an attribute). A zero is either a gradient that has underflowed or one that is zero in truth (no later loss, dead
      units); the number does not tell.

    Raises ValueError as that function does, and for a state that the cell has not; Unmeasurable where a state or a
    gradient is not finite, with its step, or every weight is zero; Disagreement.
    """
    name = state_name(cell, state)
    problem: dict[str, Any] = {"loss": loss, "initial": initial, "reduction": reduction, "weights": weights}
    result = whole_pass(cell, params, x, y, **problem)
    check_loss(weights_of_steps(weights, reduction, len(x), x.shape[1], np.float64))
    check_states(cell, result.tape)
    gradients = state_gradients(cell, result, name)
    check_gradients(name, gradients)
    direct = np.zeros_like(gradients)
    if name == cell.states[0]:
        direct[1:] = result.node_gradients["o"] @ params["V"]
    logs, smallest = log_norm(gradients), float(np.log(np.finfo(gradients.dtype).smallest_normal))
    steps, units = np.arange(len(logs)), {"units": "nats"}
    norms = xr.Dataset(
        {
            "log_norm": (("step", "sequence"), logs, {**units, "long_name": f"log ‖∂L/∂{name}(t)‖"}),
            "log_direct": (("step", "sequence"), log_norm(direct), units),
            "by_lag": (("lag", "sequence"), logs[::-1], {**units, "long_name": f"log ‖∂L/∂{name}(T − k)‖"}),
            "underflowed": (("step", "sequence"), logs < smallest),
        },
        coords={"step": steps, "lag": steps},
        attrs={"diagnostic": "gradient_norms", "state": name, "smallest": smallest},
    )
    if against is None:
        return norms
    check = cross_check(cell, params, x, y, against=against, state=name, **problem)
    return checked(norms, {f"∂L/∂{name}(t)": check})
