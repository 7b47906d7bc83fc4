"""What the theories ask of their arguments, and the sentences when it is not so."""

from __future__ import annotations

import math
from numbers import Real


def above_zero(what: str, value: float) -> None:
    """Raises ValueError unless the value is finite and above zero."""
    if not (_finite(value) and value > 0):
        raise ValueError(f"The {what} is {_shown(value)}; it must be a finite number above zero.")


def zero_or_more(what: str, value: float) -> None:
    """Raises ValueError unless the value is finite and not below zero."""
    if not (_finite(value) and value >= 0):
        raise ValueError(f"The {what} is {_shown(value)}; it must be finite, zero or more.")


def finite(what: str, value: float) -> None:
    """Raises ValueError unless the value is finite."""
    if not _finite(value):
        raise ValueError(f"The {what} is {_shown(value)}; it must be a finite number.")


def _finite(value: float) -> bool:
    """Whether it is a finite number, or at least one at all."""
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def _shown(value: object) -> str:
    """A string in quotation marks, which a number does not need."""
    return repr(value) if isinstance(value, str) else str(value)


def whole(what: str, value: int, at_least: int) -> None:
    """Raises ValueError unless the value is a whole number, and no less than that."""
    if not isinstance(value, Real) or value % 1 != 0 or value < at_least:
        raise ValueError(f"The {what} is {_shown(value)}; it must be a whole number, {at_least} or more.")
