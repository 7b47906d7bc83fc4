"""The command that an experiment's main becomes: with ``--quick``, and ``--out`` looked at before hours are spent."""

from __future__ import annotations

import errno
import inspect
import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from manual_rnn.errors import UsageError


def command(main: Callable[..., int], quick: Mapping[str, Any]) -> Callable[..., int]:
    """The same function with the flag ``quick`` besides, which sets these of its parameters; with none, without it.

    The function raises UsageError where one of them is given along with the flag or a seed is below zero, and
    OSError where the folder ``out`` can be none.
    """
    signature = inspect.signature(main)

    @wraps(main)
    def run(**given: Any) -> int:
        if given.pop("quick", False):
            if both := [name for name in quick if name in given]:
                listed = ", ".join(_flag(name) for name in both)
                raise UsageError(
                    f"--quick sets {listed} itself ({_sizes(quick)}), and {'it is' if len(both) == 1 else 'they are'} "
                    "given too. Leave out one or the other."
                )
            given = {**given, **quick}
        if given.get("seed", 0) < 0:
            raise UsageError(f"--seed is {given['seed']}; it is a whole number, 0 or more.")
        if "out" in signature.parameters:
            name = Path(inspect.getfile(main)).stem
            check_folder(Path(given.get("out", signature.parameters["out"].default)), name)
        return main(**given)

    if quick:
        flag = inspect.Parameter("quick", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool)
        run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), flag])  # type: ignore[attr-defined]
        run.__annotations__ = {**main.__annotations__, "quick": bool}
        told = f"    quick: A small run of seconds: {_sizes(quick)}.\n"
        run.__doc__ = (inspect.getdoc(main) or "").replace("    out: ", f"{told}    out: ", 1)
    return run


def check_folder(out: Path, name: str) -> None:
    """Raises OSError where NAME's files cannot be written to this folder, which need not exist yet; makes nothing."""
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "there is a file where the folder would be", str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "nothing may be written there", str(there))
    for file in out.glob(f"{name}*.*"):
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, "there is a folder where a file would be", str(file))
        if not os.access(file, os.W_OK):
            raise PermissionError(errno.EACCES, "it may not be replaced", str(file))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _sizes(quick: Mapping[str, Any]) -> str:
    each = [(name, one) for name, value in quick.items() for one in (value if isinstance(value, tuple) else (value,))]
    return " ".join(f"{_flag(name)} {one}" for name, one in each)
