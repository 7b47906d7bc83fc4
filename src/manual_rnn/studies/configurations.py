"""Configurations by the dozen: every combination of some values, or draws from ranges."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Range = Callable[[np.random.Generator], Any]
"""Draws one value."""


def grid(**axes: Iterable[Any]) -> list[dict[str, Any]]:
    """Every combination of the axes' values; the last axis varies fastest.

    ``grid(gain=(0.8, 1.2), input_std=(0.1, 0.5))`` are four configurations. Raises ValueError for an axis that is no
    list of values.
    """
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise ValueError(f"The axis {name!r} of the grid is {values!r}; expected a list of values.")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def sample(count: int, *, seed: int = 0, **ranges: Range) -> list[dict[str, Any]]:
    """So many configurations, each value drawn from its range: :func:`uniform`, :func:`log_uniform`, :func:`choice`.

    The value of configuration i hangs on the seed, i and the name alone: a larger sample begins with the smaller one,
    whose results are kept, and another range leaves the other values as they are.

    Raises ValueError for a count below one and a range that is none.
    """
    if count < 1:
        raise ValueError(f"The sample has {count} configurations; expected at least one.")
    for name, drawn in ranges.items():
        if not callable(drawn):
            expected = "uniform(low, high), log_uniform(low, high) or choice(…)"
            raise ValueError(f"The range of {name!r} is {drawn!r}; expected {expected}.")
    return [{name: drawn(_generator(seed, i, name)) for name, drawn in ranges.items()} for i in range(count)]


def uniform(low: float, high: float) -> Range:
    """A number between the two, each equally likely."""
    _check(low, high)
    return lambda rng: float(rng.uniform(low, high))


def log_uniform(low: float, high: float) -> Range:
    """A number between the two whose logarithm is equally likely anywhere; both above zero."""
    _check(low, high)
    if low <= 0:
        raise ValueError(f"A range on a logarithmic scale begins at {low}; expected a number above zero.")
    return lambda rng: math.exp(rng.uniform(math.log(low), math.log(high)))


def choice(*values: Any) -> Range:
    """One of the values, each equally likely."""
    if not values:
        raise ValueError("A choice has no values; name at least one.")
    return lambda rng: values[int(rng.integers(len(values)))]


def _check(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"A range goes from {low} to {high}; expected finite numbers, the smaller first.")


def _generator(seed: int, i: int, name: str) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, i, int.from_bytes(digest[:8], "big")])
