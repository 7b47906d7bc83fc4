"""Calls a user's function, and says in a sentence whatever comes of it: the checker never dies with what it checks."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.errors import said_by
from manual_rnn.tracebacks import is_own, own_traceback, raised_by_us

MUCH = 100_000
"""Characters printed in one call, from which on a print without end is the likely cause of a hang."""
KEPT_OUTPUT = 1000
"""Characters of what a call prints that are kept: the first ones. An endless print costs no memory."""


class UserFailure(Exception):
    """A user's function did not give what was asked of it: a sentence, and its own traceback where there is one."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(f"{sentence}\n{details}" if details else sentence)
        self.sentence, self.details = sentence, details


class Hung(UserFailure):
    """It did not come back in time. Its thread cannot be ended: it runs on until the process ends."""


@dataclass(frozen=True)
class Called:
    """What a call gave, and the beginning of what it printed."""

    value: Any
    printed: str


class _Beginning(io.TextIOBase):
    """A stream that keeps the beginning of what is written to it, and counts the rest."""

    def __init__(self) -> None:
        self.text, self.count = "", 0

    def write(self, text: str) -> int:
        self.text += text[: KEPT_OUTPUT - len(self.text)]
        self.count += len(text)
        return len(text)


def call(
    function: Callable[..., Any], arguments: Mapping[str, Any], *, what: str, time_limit: float | None
) -> Called:
    """Calls a function with arguments by keyword, in a thread of its own, so that a hang ends in a sentence.

    Raises:
        Hung: it did not come back within ``time_limit`` seconds; None waits for ever.
        UserFailure: it raised, or called sys.exit.
    """
    outcome: dict[str, Any] = {}
    printed = _Beginning()

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
        at, below = _where(thread)
        printing = " while it printed without end" if printed.count > MUCH else ""
        raise Hung(f"{what} did not come back within {time_limit:g} seconds{printing}{at}", below)
    if "error" in outcome:
        error = outcome["error"]
        if isinstance(error, UserFailure):  # a call within the call has said what; which call it was within is ours
            raise type(error)(f"{what} did not go through: {error.sentence}", error.details) from error
        did = "called sys.exit()" if isinstance(error, SystemExit) else f"raised {said_by(error)}"
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None  # without ours
        raise UserFailure(f"{what} {did}", "" if raised_by_us(error) else own_traceback(error)) from error
    return Called(outcome["value"], printed.text)


def _where(thread: threading.Thread) -> tuple[str, str]:
    """(the place as a phrase, the user's part of the stack) of a thread that hangs."""
    innermost = sys._current_frames().get(thread.ident or 0)
    frames = [frame for frame in traceback.extract_stack(innermost) if is_own(frame.filename)]
    if innermost is None or not frames:
        return "", ""
    last = frames[-1]
    below = "Where it was (most recent call last):\n" + "".join(traceback.format_list(frames)).rstrip()
    return f", at line {last.lineno} of {Path(last.filename).name}, in {last.name}", below


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
        kind = f"an array of {array.dtype}" if isinstance(value, np.ndarray) else f"of the type {type(value).__name__}"
        raise UserFailure(f"{what} is {kind}; expected an array of numbers")
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


def gradients_by_name(
    returned: Any, names: list[str], *, what: str = "backward"
) -> tuple[dict[str, Array], dict[str, Array | None]]:
    """The gradients among what a backward, or what else is named, returned, by the names of the
    arrays; and what has a name of no array, None
    where it cannot be read as one.

    Raises:
        UserFailure: it is no mapping, or a gradient is no array of real numbers.
    """
    if not isinstance(returned, Mapping):
        hint = " (as in dict(Wx=dWx, Wh=dWh, b=db))" if isinstance(returned, (tuple, list)) else ""
        raise UserFailure(f"{what} returned {_kind(returned)}; expected the gradients by name{hint}")
    known = {prefix + name: name for name in names for prefix in ("", "d", "grad_")}
    found: dict[str, Array] = {}
    unknown: dict[str, Array | None] = {}
    for key, value in returned.items():
        if key in known:
            name = known[key]
            if name in found:
                raise UserFailure(f"{what} returned the gradient of {name} under two names, {key} among them")
            array = found[name] = as_array(value, f"the gradient of {name}")
            if np.issubdtype(array.dtype, np.complexfloating):
                raise UserFailure(f"the gradient of {name} is an array of {array.dtype}; expected real numbers")
        else:
            unknown[str(key)] = None
            with contextlib.suppress(UserFailure):
                unknown[str(key)] = as_array(value, str(key))
    return found, unknown


def _kind(value: Any) -> str:
    return "None" if value is None else f"an object of the type {type(value).__name__}"
