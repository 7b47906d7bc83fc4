"""The file of a report: whether it can be written, said before the judging starts, and the writing at once."""

from __future__ import annotations

import os
from pathlib import Path

from manual_rnn.errors import InputError


def check_place(path: Path) -> None:
    """Tries whether a report could be written there, and leaves nothing behind.

    Raises:
        InputError: the folder does not exist or cannot be written to, or the path is a folder.
    """
    if path.is_dir():
        raise InputError(f"The report cannot be written to {path}: it is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise InputError(f"The report cannot be written to {path}: there is no folder {path.parent}.")
    temporary = _temporary(path)
    try:
        temporary.touch(exist_ok=False)
        temporary.unlink()
    except OSError as error:
        raise InputError(f"The report cannot be written to {path}: {error.strerror or error}.") from error


def write(path: Path, text: str) -> None:
    """Puts the report there in one step, in the place of what was there.

    Raises:
        InputError: the file cannot be written; what was there is still there.
    """
    temporary = _temporary(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"The report cannot be written to {path}: {error.strerror or error}.") from error


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name[:100]}.{os.getpid()}.tmp")
