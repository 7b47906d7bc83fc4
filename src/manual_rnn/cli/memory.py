"""A bound on the memory of a process that runs a user's code, so that no loop of theirs takes the machine down.

It bounds what the process may write to (RLIMIT_DATA), as memory is promised: a hundred gigabytes that are asked for
and not yet touched count. JAX keeps far more addresses than memory, so a bound on those would stop right code. What it
does not bound: shared memory, the sum over processes that the code starts, and, other than on Linux, anything.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

GIGABYTE = 10**9
LEAST = 2 * GIGABYTE
"""What each process may take on any machine; with JAX, judging a small cell takes about half a gigabyte."""
OF_THE_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def share(processes: int) -> int:
    """Bytes for each of so many processes at once, one more share being left for all else; 0 where it is not known."""
    memory = of_the_machine()
    return max(LEAST, memory // (processes + 1)) if memory else 0


def of_the_machine() -> int:
    """Bytes of memory, or what a container may have of them; 0 where it is not known."""
    known: list[int] = []
    with suppress(OSError, ValueError, AttributeError):
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):  # "max" is no number
        known.append(int(OF_THE_CONTAINER.read_text(encoding="ascii")))
    return min((bytes_ for bytes_ in known if bytes_ > 0), default=0)


def bound(limit: int) -> None:
    """From now on this process, and each that it starts, gets no more than so many bytes; 0: as many as there are."""
    try:
        import resource
    except ImportError:  # Windows
        return
    if limit:
        with suppress(OSError, ValueError):  # bounded more narrowly already
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def in_words(limit: int) -> str:
    return f"{limit / GIGABYTE:.3g} GB"
