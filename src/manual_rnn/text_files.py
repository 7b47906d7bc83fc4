"""The files that a text is read from, and their characters in pieces."""

from __future__ import annotations

import codecs
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from manual_rnn.errors import InputError
from manual_rnn.folder_lock import LOCK

STDIN = "-"
"""The path that stands for standard input."""
CHUNK = 1 << 20
"""Bytes of a piece."""


class Unusable(InputError):
    """What was given to read cannot be read, in a sentence."""


class NoText(Unusable):
    """It can, and is no text."""


def files_of(folder: Path) -> list[Path]:
    """All files below a folder in the order of their paths, but hidden ones and those of run folders.

    A link to a file is read; a link to a folder is not followed, as it may lead back. Raises Unusable where a folder
    cannot be read.
    """

    def refused(error: OSError) -> None:
        raise Unusable(f"{error.filename} cannot be read: {error.strerror}.")

    found = []
    for place, folders, names in os.walk(folder, onerror=refused):
        if LOCK in names and Path(place) != folder:  # a training writes there, and its own metrics are no text of it
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        try:
            found += [path for name in names if not name.startswith(".") and (path := Path(place, name)).is_file()]
        except OSError as error:
            refused(error)
    return sorted(found)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read bytes from. Raises Unusable where there is none, or where it is no file but a pipe, say."""
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):
            what = "a folder" if stat.S_ISDIR(kind) else "a pipe" if stat.S_ISFIFO(kind) else "a device or a socket"
            raise Unusable(f"{path} is {what} and no text file.")
        file = path.open("rb")
    except FileNotFoundError:
        raise Unusable(f"There is no text file {path}.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise Unusable(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    with file:
        yield file


def is_folder(path: Path) -> bool:
    """Whether it is one; what cannot even be looked at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def standard_input() -> BinaryIO:
    """The bytes that are piped in. Raises Unusable where none are: a terminal, or no standard input at all."""
    if sys.stdin is None:
        raise Unusable("Standard input is closed; pipe a text in, or name a file.")
    if sys.stdin.isatty():
        raise Unusable("Standard input is a terminal; pipe a text in, or name a file.")
    return sys.stdin.buffer


def pieces(source: BinaryIO, name: str, chunk: int = CHUNK) -> Iterator[str]:
    """The text of some bytes in UTF-8, without a byte order mark before it, from ``chunk`` bytes at a time.

    Raises NoText, saying where, at a byte that is NUL or no UTF-8; Unusable where reading fails.
    """
    at, data, began, ends = 0, b"", False, False  # ``data`` begins at byte ``at``
    while not ends:
        try:
            raw = source.read(chunk)
        except OSError as error:
            raise Unusable(f"{name} cannot be read: {error.strerror}.") from None
        data, ends = data + raw, not raw
        if not began:
            if len(data) < len(codecs.BOM_UTF8) and not ends:
                continue  # too little to tell the mark that some editors put before the first character
            began = True
            if data.startswith(codecs.BOM_UTF8):
                at, data = len(codecs.BOM_UTF8), data[len(codecs.BOM_UTF8) :]
        if (nul := data.find(0)) >= 0:
            raise NoText(f"{name} is binary: byte {at + nul} is NUL, which no text holds.")
        try:
            text, used = codecs.utf_8_decode(data, "strict", ends)
        except UnicodeDecodeError as error:
            byte = f"byte {at + error.start} is 0x{data[error.start]:02x}"
            raise NoText(f"{name} is not UTF-8: {byte}.") from None
        at, data = at + used, data[used:]
        if text:
            yield text


def first_characters(path: Path, length: int) -> str:
    """The beginning of a text file, as many characters as ``length``. Raises Unusable as :func:`pieces` does."""
    text = ""
    with opened(path) as source:
        for piece in pieces(source, str(path)):
            text += piece
            if len(text) >= length:
                break
    return text[:length]
