"""Configurations and results as JSON: one text for one content, and the same numbers back, to the last bit.

A configuration's text is what its key and its seed are made of, so it must not depend on the order of the keys, on
tuple or list, on NumPy's number types or Python's. Results may diverge: "NaN", "Infinity" and "-Infinity", as strings,
stand for what JSON has no number for, and other strings are no results.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

Value = float | list[Any]
"""A number, or numbers in lists within lists."""
DEPTH = 64
"""How deep the lists may be: NumPy's arrays have no more axes. Python gives up at some hundreds."""


def canonical(content: Any) -> str:
    """The one JSON text of a plain content: sorted keys, no blanks, shortest digits that give the number back."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def configuration_of(given: Any) -> dict[str, Any]:
    """A configuration with JSON's types alone: NumPy's numbers and arrays, and tuples, become Python's and lists.

    Raises ValueError, one sentence, where it is not a mapping of names to what JSON can hold.
    """
    if not isinstance(given, Mapping):
        raise ValueError(
            f"A configuration is {given!r}, of the type {type(given).__name__}; expected a mapping of names to values, "
            "such as {'gain': 1.5}."
        )
    plain: dict[str, Any] = _setting(given, "A configuration")
    return plain


def _setting(given: Any, where: str) -> Any:
    if isinstance(given, np.generic | np.ndarray):
        given = given.tolist()
    if given is None or isinstance(given, bool | int | str):
        return given
    if isinstance(given, float) and math.isfinite(given):
        return float(given)
    if isinstance(given, list | tuple):
        return [_setting(part, f"{where}[{i}]") for i, part in enumerate(given)]
    if isinstance(given, Mapping):
        if wrong := [name for name in given if not isinstance(name, str)]:
            raise ValueError(f"{where} has the name {wrong[0]!r}; names are strings, for it is kept as JSON.")
        return {name: _setting(part, f"{where}[{name!r}]") for name, part in given.items()}
    raise ValueError(
        f"{where} is {given!r}, of the type {type(given).__name__}; a configuration holds what JSON can: finite "
        "numbers, strings, true, false, null, lists, mappings. Name the thing, and look it up in the function."
    )


def values_of(given: Any) -> dict[str, Value]:
    """What a study's function returned, as plain numbers. Raises ValueError, one sentence, where it is none."""
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ValueError(
            f"The function returned {_short(given)}, of the type {type(given).__name__}; expected a mapping of names "
            "to numbers, such as {'loss': 0.3}."
        )
    return {name: _number(value, name) for name, value in given.items()}


def _number(given: Any, name: str, depth: int = 0) -> Any:
    if hasattr(given, "tolist"):  # an array, or a scalar, of NumPy or of JAX
        given = given.tolist()
    if isinstance(given, bool | int):
        return _whole(int(given), name)
    if isinstance(given, float):
        return float(given)
    if isinstance(given, list | tuple):
        if depth == DEPTH:
            raise ValueError(f"The function returned lists more than {DEPTH} deep as {name!r}; expected fewer.")
        return [_number(part, name, depth + 1) for part in given]
    raise ValueError(
        f"The function returned {_short(given)} as {name!r}, of the type {type(given).__name__}; expected a number, "
        "or a list of numbers."
    )


def _whole(given: int, name: str) -> int:
    try:
        str(given)
    except ValueError:  # Python writes, and reads, no number of more than 4,300 digits
        told = f"The function returned a whole number of {given.bit_length()} bits as {name!r}"
        raise ValueError(f"{told}, which is too long to be written; expected a float, or its logarithm.") from None
    return given


def _short(given: Any) -> str:
    told = repr(given)
    return told if len(told) <= 80 else f"{told[:80]}…"


def written(value: Any) -> Any:
    """A value as strict JSON can hold it."""
    if isinstance(value, list):
        return [written(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def read_back(value: Any) -> Any:
    """The value that :func:`written` was given."""
    if isinstance(value, list):
        return [read_back(part) for part in value]
    return float(value) if isinstance(value, str) else value
