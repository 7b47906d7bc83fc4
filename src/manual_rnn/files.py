"""A file that is there whole or not at all: whoever reads finds the new content, or the one before.

It is so after a loss of power too, and what has been written is then still there: the content is on the disk before the
file takes its place, and the place before the function returns. What it does not see: a disk that says so too early.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from uuid import uuid4


def beside(path: Path) -> Path:
    """A temporary file beside a file's place that no other writer has: no thread, process or machine on the folder."""
    return path.with_name(f".{path.name[:100]}.{uuid4().hex}.tmp")


def write_whole(path: Path, content: bytes) -> None:
    """Puts the whole content in the place of what was there or, where that raises OSError, leaves what was there.

    One case apart: a disk that takes the content and then not the folder's entry (an error of its own, and no lack of
    room) raises with the new content in its place.
    """
    temporary = beside(path)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Has the disk take a folder's entries: what was made in it, or renamed. Nothing where the system knows no such
    thing (Windows), or the file system (EINVAL).
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(opened)
