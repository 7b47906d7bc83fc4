"""Calls a user's function, and says in a sentence whatever comes of it: the checker never dies with what it checks."""

from __future__ import annotations

import contextlib
import io
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.errors import said_by


class UserFailure(Exception):
    """A user's function did not give what was asked of it; the sentence says what, its own traceback stands below."""


@dataclass(frozen=True)
class Called:
    """What a call gave, and what it printed."""

    value: Any
    printed: str


def call(function: Callable[..., Any], arguments: Mapping[str, Any], *, what: str, time_limit: float) -> Called:
    """Calls a function with arguments by keyword, in a thread of its own, so that a hang ends in a sentence.

    Raises:
        UserFailure: it raised, called sys.exit, or did not come back within ``time_limit`` seconds. A thread that
            hangs cannot be ended: it runs on until the process ends.
    """
    outcome: dict[str, Any] = {}
    printed = io.StringIO()

    def run() -> None:
        try:
            with np.errstate(all="ignore"):
                outcome["value"] = function(**arguments)
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    with contextlib.redirect_stdout(printed):
        thread.start()
        thread.join(time_limit)
    if thread.is_alive():
        raise UserFailure(f"{what} did not come back within {time_limit:g} seconds")
    if "error" in outcome:
        error = outcome["error"]
        did = "called sys.exit()" if isinstance(error, SystemExit) else f"raised {said_by(error)}"
        frames = error.__traceback__.tb_next if error.__traceback__ else None  # without ours
        below = "".join(traceback.format_exception(type(error), error, frames)).rstrip()
        raise UserFailure(f"{what} {did}\n{below}") from error
    return Called(outcome["value"], printed.getvalue())


def as_array(value: Any, what: str) -> Array:
    """A NumPy array from what a user's function returned: NumPy, DLPack, ``__array__``, or numbers in lists.

    Raises:
        UserFailure: it is none of these.
    """
    try:
        if hasattr(value, "detach"):  # a tensor that still belongs to a graph
            value = value.detach()
        if hasattr(value, "cpu"):
            value = value.cpu()
        if hasattr(value, "resolve_neg"):  # PyTorch's DLPack forgets the sign of a view that is negated lazily
            value = value.resolve_neg()
        if isinstance(value, (np.ndarray, np.generic)) or not hasattr(value, "__dlpack__"):
            array = np.asarray(value)
        else:
            array = np.from_dlpack(value)
    except Exception as error:
        raise UserFailure(
            f"{what} is {_described(value)}, which NumPy cannot read ({_first_line(error)}); "
            "hand back a dense array of float64 or float32"
        ) from error
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise UserFailure(f"{what} is of the type {type(value).__name__}; expected an array of numbers")
    return array


def _described(value: Any) -> str:
    """The type, and of a tensor the dtype, the layout and the device where they are not the usual ones."""
    facts = [str(getattr(value, name)) for name in ("dtype", "layout") if hasattr(value, name)]
    facts = [fact for fact in facts if fact != "torch.strided"]
    device = str(getattr(value, "device", "cpu"))
    facts += [f"on {device}"] if device != "cpu" else []
    name = type(value).__name__
    article = "an" if name[0] in "AEIOUaeiou" else "a"
    return f"{article} {name} of {', '.join(facts)}" if facts else f"of the type {name}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def gradients_by_name(returned: Any, names: list[str]) -> tuple[dict[str, Array], list[str]]:
    """The gradients among what a backward returned, by the names of the arrays, and the names that mean nothing.

    Raises:
        UserFailure: it is no mapping, or a gradient is no array of real numbers.
    """
    if not isinstance(returned, Mapping):
        hint = " (as in dict(Wx=dWx, Wh=dWh, b=db))" if isinstance(returned, (tuple, list)) else ""
        raise UserFailure(f"backward returned {_kind(returned)}; expected the gradients by name{hint}")
    known = {prefix + name: name for name in names for prefix in ("", "d", "grad_")}
    found: dict[str, Array] = {}
    unknown: list[str] = []
    for key, value in returned.items():
        if key in known:
            what = f"the gradient of {known[key]}"
            array = found[known[key]] = as_array(value, what)
            if np.issubdtype(array.dtype, np.complexfloating):
                raise UserFailure(f"{what} is an array of {array.dtype}; expected real numbers")
        else:
            unknown.append(str(key))
    return found, unknown


def _kind(value: Any) -> str:
    return "None" if value is None else f"an object of the type {type(value).__name__}"
