r"""How the gradient of the loss fares on its way back: ‖∂L/∂h(t)‖ by time step t and by lag T − t.

.. math::
    \log \lVert \nabla h(t) \rVert = \log m + \tfrac12 \log \sum_i (\nabla h_i(t) / m)^2, \qquad
    m = \max_i |\nabla h_i(t)|

so that no square underflows or overflows: a norm of 1e-200 has a logarithm like any other.

The loss of the last step alone (``reduction="last"``) shows the slope by lag. A sum over all steps masks it:
every step adds a gradient of its own, and the recent ones drown what came from afar.

What it does not see: the norm says how much arrives, not from which loss nor in which direction; and what has
underflowed on the way is gone before any logarithm (see :attr:`GradientNorms.underflowed`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from manual_rnn.bptt import Parameters
from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.gradients import Result, loss_and_gradients


@dataclass(frozen=True, kw_only=True)
class GradientNorms:
    """The norms of the total gradient of one state, at every step, for every sequence of the batch."""

    state: str
    """Which state: "h", or another of a cell that has several."""
    step: npt.NDArray[np.int_]
    """t = 0 … T, shape (T + 1,); step 0 is the initial state."""
    lag: npt.NDArray[np.int_]
    """T − t = T … 0, shape (T + 1,): how many steps before the last."""
    log_norm: Array
    """log ‖∂L/∂h(t)‖, natural, shape (T + 1, B): by step, then sequence; -inf where the gradient is zero."""
    smallest: float
    """log of the format's smallest normal number: below it digits are lost, then everything."""

    @property
    def by_lag(self) -> Array:
        """The same norms in the order of the lag: ``by_lag[k]`` is log ‖∂L/∂h(T − k)‖, shape (T + 1, B)."""
        return self.log_norm[::-1]

    @property
    def underflowed(self) -> npt.NDArray[np.bool_]:
        """Where the norm is zero or below the smallest normal number, shape (T + 1, B).

        A zero is either a gradient that has underflowed or one that is zero in truth (no later loss, dead
        units); the number does not tell. Gradients are linear in the weights of the losses: to look further
        down, hand in ``weights`` times a power of two and take its log off again.
        """
        below: npt.NDArray[np.bool_] = self.log_norm < self.smallest
        return below

    def __str__(self) -> str:
        lost = int(self.underflowed.sum())
        finite = self.log_norm[np.isfinite(self.log_norm)] / np.log(10)
        span = f"1e{finite.min():.1f} to 1e{finite.max():.1f}" if finite.size else "none above zero"
        what = f"‖∂L/∂{self.state}(t)‖, t = 0 … {self.step[-1]}, {self.log_norm.shape[1]} sequence(s)"
        return f"{what}: {span}; {lost} of {self.log_norm.size} have underflowed or are zero."


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
) -> GradientNorms:
    """Runs the network forward and back and takes the norm of a state's gradient at each step.

    The arguments are those of :func:`manual_rnn.loss_and_gradients`; ``state`` is the name of one of the
    cell's states, the first by default. Raises ValueError as that function does, and for a state that the
    cell has not.
    """
    result = loss_and_gradients(
        cell, params, x, y, loss=loss, initial=initial, reduction=reduction, weights=weights
    )
    name = state_name(cell, state)
    gradients = state_gradients(cell, result, name)
    T = len(gradients) - 1
    return GradientNorms(
        state=name,
        step=np.arange(T + 1),
        lag=np.arange(T, -1, -1),
        log_norm=log_norm(gradients),
        smallest=float(np.log(np.finfo(gradients.dtype).smallest_normal)),
    )


def state_name(cell: Cell, state: str | None) -> str:
    """The name itself, or the cell's first state for None. ValueError if the cell has none such."""
    if state is not None and state not in cell.states:
        raise ValueError(f"The cell {cell.name!r} has no state {state!r}; it has {', '.join(cell.states)}.")
    return state or cell.states[0]


def state_gradients(cell: Cell, result: Result, state: str) -> Array:
    """∂L/∂h(t) for t = 0 … T, shape (T + 1, B, n_hidden)."""
    return np.concatenate([result.gradients[f"{state}0"][None], result.node_gradients[cell.full(state)]])


def log_norm(vectors: Array) -> Array:
    """The log of the Euclidean norm of each vector (..., n), shape (...,): -inf for zero, nan if infinite."""
    size = np.abs(vectors)
    largest = size.max(axis=-1)
    safe = np.where(largest > 0, largest, 1)
    with np.errstate(divide="ignore", invalid="ignore", under="ignore"):
        squares = ((size / safe[..., None]) ** 2).sum(axis=-1)
        logs: Array = np.log(safe) + np.log(squares) / 2
    return logs
