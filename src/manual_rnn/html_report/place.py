"""The file of a report: whether it can be written, said before the judging starts, and the writing at once."""

from __future__ import annotations

from pathlib import Path

from manual_rnn.errors import InputError
from manual_rnn.files import beside, write_whole
from manual_rnn.text_files import is_folder


def check_place(path: Path) -> None:
    """Tries whether a report could be written there, and leaves nothing behind.

    Raises:
        InputError: the folder does not exist or cannot be written to, or the path is a folder.
    """
    if is_folder(path):
        raise InputError(f"The report cannot be written to {path}: it is a folder; name a file in it.")
    if not is_folder(path.parent):
        raise InputError(f"The report cannot be written to {path}: there is no folder {path.parent}.")
    temporary = beside(path)
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
    try:
        write_whole(path, text.encode(errors="backslashreplace"))  # a file's name need not be Unicode
    except OSError as error:
        raise InputError(f"The report cannot be written to {path}: {error.strerror or error}.") from error
