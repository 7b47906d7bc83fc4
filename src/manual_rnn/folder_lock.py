"""A folder that one process at a time writes to: a lock that ends with the process, killed or not.

What it does not see: processes on other machines where the file system they share keeps locks to each machine. Windows
has other locks; there nobody is kept out.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manual_rnn.errors import InputError

LOCK = ".manual-rnn.lock"
"""The file that is locked. It stays: who deletes it might delete it under another's lock."""
NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""What a file system says that has no locks: nobody is kept from training there."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder is this process's for the block.

    Raises InputError where another process holds it, where it is not there, and where it cannot be written.
    """
    try:
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError(f"The run folder {folder} cannot be written: {error.strerror}.") from None
    try:
        _lock(file, folder)
        yield
    finally:
        os.close(file)


def _lock(file: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"Another process is training into {folder}; wait until it has ended, or name another folder with --out."
        ) from None
    except OSError as error:
        if error.errno not in NO_LOCKS_HERE:
            raise InputError(f"The run folder {folder} cannot be locked: {error.strerror}.") from None
