r"""What a gate keeps: its mean, what is left of a memory after so many steps, and by which way a gradient comes.

A state that a gate keeps goes on as f(t) ∘ c(t−1) + …, so the gradient comes back along it as

.. math:: \nabla c(t) = \underbrace{\nabla c(t+1) \circ f(t+1)}_{\text{along the state itself}} +
          \underbrace{\dots}_{\text{through what the step makes of it}}

and after k steps the first way alone keeps $\prod_j f(t+j)$.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.comparison import Oracle, checked
from manual_rnn.diagnostics.cross_check import cross_check
from manual_rnn.diagnostics.labelled import xr
from manual_rnn.diagnostics.measurable import check_gradients, check_loss, whole_pass
from manual_rnn.diagnostics.one_step import Steps
from manual_rnn.diagnostics.saturation import squashed
from manual_rnn.diagnostics.states import log_norm, state_gradients, state_name
from manual_rnn.diagnostics.trajectory import Trajectory
from manual_rnn.loss import weights_of_steps
from manual_rnn.tape import Tape


@of_one_cell
def gate_memory(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    *,
    initial: Mapping[str, Array] | None = None,
    against: Oracle | None = None,
) -> xr.Dataset:
    """The gate that keeps the cell's state: the forget gate of an LSTM, the update gate of a GRU.

    Returns ``mean`` by ``step`` t = 1 … T over units and sequences, and by ``lag`` k = 0 … T

    - ``log_kept``: the mean over units and sequences of log ∏ of the last k gates, natural: a typical unit's;
    - ``log_of_mean_kept``: log of the mean of that product: what those that remember longest decide.

    ``against`` is the oracle of a cross-check (:mod:`.comparison`): the gate and the states at up to 64 steps, from the
    run's own states. It does not see how the gates are multiplied up.

    Raises ValueError where the cell has no such gate or an argument does not fit, Unmeasurable where a state is not
    finite, Disagreement.
    """
    run = Trajectory.of(cell, params, x, initial)
    name = _keeping(run)
    gate = run.tape[cell.full(name)]
    with np.errstate(divide="ignore"):
        sums = np.concatenate([np.zeros_like(gate[:1]), np.log(gate[::-1]).cumsum(axis=0)])
    largest = np.maximum(sums.max(axis=(1, 2), keepdims=True), np.finfo(sums.dtype).min)  # of shut gates −∞
    with np.errstate(divide="ignore", under="ignore"):
        of_mean = np.log(np.exp(sums - largest).mean(axis=(1, 2))) + largest[:, 0, 0]
    memory = xr.Dataset(
        {
            "mean": ("step", gate.mean(axis=(1, 2))),
            "log_kept": ("lag", sums.mean(axis=(1, 2)), {"units": "nats"}),
            "log_of_mean_kept": ("lag", of_mean, {"units": "nats"}),
        },
        coords={"step": np.arange(1, run.T + 1), "lag": np.arange(run.T + 1)},
        attrs={"diagnostic": "gate_memory", "gate": name},
    )
    if against is None:
        return memory
    steps = Steps(run, params, against)
    nodes, _ = steps.of_oracle()
    return checked(memory, {"gate and states": steps.nodes([name, *cell.states], nodes)})


@of_one_cell
def gradient_ways(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    *,
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    loss: str = "softmax",
    state: str | None = None,
    against: Oracle | None = None,
) -> xr.Dataset:
    """The total gradient of a state, and its two parts: along the state itself, and every other way.

    ``state`` is the last of the cell's by default, c of an LSTM; the other arguments are those of
    :func:`manual_rnn.loss_and_gradients`.

    Returns ``log_total``, ``log_along`` and ``log_other``, natural logarithms of norms by ``step`` t = 1 … T and
    ``sequence``, -inf for zero. Where a cell hands its state on through its maps alone, as the vanilla network does,
    nothing goes along the state itself.

    ``against`` is the oracle of a cross-check, :func:`.cross_check`: the total gradient. It does not see how it parts.

    Raises ValueError as that function does, Unmeasurable where a state or a gradient is not finite or every weight is
    zero, Disagreement.
    """
    name = state_name(cell, state or cell.states[-1])
    problem: dict[str, Any] = {"initial": initial, "reduction": reduction, "weights": weights, "loss": loss}
    result = whole_pass(cell, params, x, y, **problem)
    check_loss(weights_of_steps(weights, reduction, len(x), x.shape[1], np.float64))
    run = Trajectory.of(cell, params, x, initial)
    check_gradients(name, state_gradients(cell, result, name))
    total = result.node_gradients[cell.full(name)]
    along = np.zeros_like(total)
    for t in range(1, run.T):
        along[t - 1] = _direct(run, result.node_gradients, t, name)
    parts = {"log_total": total, "log_along": along, "log_other": total - along}
    ways = xr.Dataset(
        {key: (("step", "sequence"), log_norm(array), {"units": "nats"}) for key, array in parts.items()},
        coords={"step": np.arange(1, run.T + 1)},
        attrs={"diagnostic": "gradient_ways", "state": name},
    )
    if against is None:
        return ways
    return checked(ways, {f"∂L/∂{name}(t)": cross_check(cell, params, x, y, against=against, state=name, **problem)})


def _direct(run: Trajectory, grads: Tape, t: int, state: str) -> Array:
    """What the step of row t hands back to a state past its maps."""
    cell = run.cell
    node = Nodes(**{own: run.tape[name][t] for name, own in run.by_step})
    prev = Nodes(**{name: run.tape.previous(cell.full(name))[t] for name in cell.states})
    grad = Nodes(**{own: grads[name][t] for name, own in run.by_step})
    given = cell.backward(node, prev, grad, lambda name, _: grads[cell.full(name)][t])
    found = given.get(f"{state}_prev")
    return np.zeros_like(getattr(prev, state)) if found is None else found


def _keeping(run: Trajectory) -> str:
    """The node of the gate that keeps the state, by the map that its bias is in."""
    cell = run.cell
    node = next((m.node for m in cell.maps if m.b and m.b == cell.keep), None)
    gate = next((one.name for one in squashed(cell) if one.of == node), None) if node else None
    if gate is None:
        raise ValueError(
            f"The cell {cell.name!r} declares no gate that keeps its state; in a cell of your own that has one, give "
            "the name of its bias as keep=."
        )
    if run.cell.full(gate) not in run.tape:
        raise ValueError(
            f"The gate that keeps the state of the cell {cell.name!r} is a part of an equation, {gate}; "
            "give it a name of its own in forward, tap(\"f\", …), and it can be followed."
        )
    return gate
