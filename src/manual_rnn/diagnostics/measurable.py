"""What is no number to measure: states and gradients that are not finite, losses that count nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.finite import lost_state
from manual_rnn.gradients import Result, loss_and_gradients
from manual_rnn.tape import Tape


def check_count(what: str, value: int, least: int, unit: str = "number") -> None:
    """Raises ValueError where a count is no whole number, or too small."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{what} is {value!r}; it is a whole {unit}, at least {least}.")


def check_decomposed(dtype: np.dtype[np.generic]) -> None:
    """Raises ValueError for a format of which NumPy decomposes no matrix."""
    if dtype not in (np.float32, np.float64):
        raise ValueError(
            f"The parameters are {dtype}, and NumPy takes singular values and QR decompositions of float32 and float64 "
            "only; hand in float64."
        )


class Unmeasurable(ValueError):
    """The arguments fit, and at these values there is nothing to measure. One sentence says what, where and why."""


def whole_pass(cell: Cell, params: Mapping[str, Array], x: Array, y: Array, **problem: Any) -> Result:
    """``loss_and_gradients``, whose numbers are looked at here. Raises Unmeasurable where its loss is not finite."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            return loss_and_gradients(cell, params, x, y, **problem)
    except FloatingPointError as error:
        raise Unmeasurable(str(error)) from None


def check_states(cell: Cell, tape: Tape) -> None:
    """Raises Unmeasurable where a state is not finite, with its first step."""
    if sentence := lost_state(cell, tape):
        raise Unmeasurable(sentence)


def check_gradients(name: str, gradients: Array) -> None:
    """Raises Unmeasurable where ∂L/∂(state), (T + 1, B, n), is not finite, with the step where it came to that."""
    finite = np.isfinite(gradients).all(axis=-1)
    if not finite.all():
        t, b = (int(i) for i in np.argwhere(~finite)[-1])
        largest = np.finfo(gradients.dtype).max
        raise Unmeasurable(
            f"The gradient of {name} is not finite from step {t} back, in sequence {b}: on its way back it grows "
            f"beyond {largest:.1e}, where {gradients.dtype} ends. loss_by_state has the norms in logarithms, for each "
            "loss alone, and they do not end there."
        )


def check_loss(weights: Array) -> None:
    """Raises Unmeasurable where no loss counts."""
    if not weights.any():
        raise Unmeasurable(
            "The loss is empty: its weight is zero at every step of every sequence, so every gradient is zero. "
            "Give weights that are not zero somewhere."
        )
