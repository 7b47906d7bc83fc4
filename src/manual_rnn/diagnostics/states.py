"""Names of states, their gradients out of a pass, and the logarithm of a norm."""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.gradients import Result


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
