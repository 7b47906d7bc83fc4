"""A process that runs a user's code: what it says, what it prints, and its end, whatever that is."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import Any

KEPT_OUTPUT = 20_000
"""Bytes of what a process prints that are kept: the last ones. An endless print costs no memory."""
START = 120.0
"""Seconds that a process may take to start, before the time limit counts."""


class Child:
    """One process, the pipe that it talks through, and the pipe of what its code prints."""

    def __init__(self, work: Callable[..., None], *arguments: object, limit: float) -> None:
        spawn = multiprocessing.get_context("spawn")  # JAX forbids fork
        self.talk, theirs = spawn.Pipe()
        self.prints, written = spawn.Pipe(duplex=False)
        self.process: BaseProcess = spawn.Process(target=work, args=(*arguments, theirs, written))
        self.process.start()
        theirs.close()
        written.close()
        os.set_blocking(self.prints.fileno(), False)
        self.limit, self.printed, self.printed_bytes, self.prints_open = limit, b"", 0, True
        self.deadline = time.monotonic() + limit + START if limit else float("inf")

    def signs(self) -> list[Any]:
        return [self.talk, self.process.sentinel, *([self.prints] if self.prints_open else [])]

    def heard(self) -> None:
        """Starts the time limit anew."""
        self.deadline = time.monotonic() + self.limit if self.limit else float("inf")

    def read_prints(self) -> None:
        """Takes in what was printed since, a bounded part of it."""
        if not self.prints_open:
            return
        for _ in range(16):
            try:
                part = os.read(self.prints.fileno(), 65_536)
            except BlockingIOError:
                return
            self.printed_bytes += len(part)
            self.printed = (self.printed + part)[-KEPT_OUTPUT:]
            if not part:
                self.prints_open = False
                return

    def end(self) -> None:
        """Ends the process, and all that it has started."""
        if self.process.pid is not None and hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.read_prints()
        self.talk.close()
        self.prints.close()
