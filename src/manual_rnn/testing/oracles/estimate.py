r"""What an oracle says about one gradient: its value, how far off it may be, or why it cannot decide.

An error is a statement about the oracle, in the units of the gradient, never a tolerance: it says "the true
number lies within ``error`` of ``value``", and whoever asks sets it against the norm of what is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_rnn.cell import Array

ENOUGH = 1e-6
"""The relative error, in norm, up to which an oracle says that it decides. Mistakes in an equation move a
gradient by 1e-3 or more; three digits more show that the agreement is no accident."""


@dataclass(frozen=True)
class Estimate:
    """The gradient of one array by an oracle that knows its own error."""

    value: Array
    error: Array
    """The estimated |error| of each entry, in the shape of ``value``; infinite where nothing is known."""
    cannot_decide: str = ""
    """Why the oracle cannot decide, as a sentence; empty where it can."""

    @property
    def relative_error(self) -> float:
        """‖error‖ / ‖value‖; infinite for a value of zero, which no oracle can tell from a vanished one."""
        size, error = norm(self.value), norm(self.error)
        return float(error / size) if 0 < size < np.inf else float("inf")


def decided(value: Array, error: Array, enough: float, why: str) -> Estimate:
    """An estimate that decides where its error is at most ``enough`` of the norm, else says so, and why."""
    size, error_size = norm(value), norm(error)
    if error_size <= enough * size:
        return Estimate(value, error)
    numbers = f"the error ({float(error_size):.1e}) exceeds {enough:.0e} of the norm ({float(size):.1e})"
    return Estimate(value, error, f"{numbers}: {why}")


def norm(array: Array) -> np.longdouble:
    """The Euclidean norm; taken relative to the largest entry, as the square of 1e-250 is zero."""
    magnitudes = np.abs(array)
    largest = np.max(magnitudes, initial=0)
    if largest == 0 or not np.isfinite(largest):
        return np.longdouble(largest)
    squares = np.square(np.asarray(magnitudes / largest, np.longdouble))
    return np.longdouble(largest * np.sqrt(squares.sum()))


def widest_dtype() -> np.dtype[Any]:
    """Longdouble where it is the 80-bit format of x86 or IEEE's 128-bit one, else float64."""
    return np.dtype(np.longdouble if np.finfo(np.longdouble).nmant in (63, 112) else np.float64)


def wanted_names(names: Iterable[str] | None, at: Mapping[str, Array]) -> list[str]:
    """The variables whose gradients are asked for. Raises ValueError for a name that is not among them."""
    wanted = list(at) if names is None else list(names)
    unknown = [name for name in wanted if name not in at]
    if unknown:
        raise ValueError(f"There is no variable {', '.join(unknown)}; the variables are {', '.join(at)}.")
    return wanted
