"""Ctrl-C, heard wherever it falls.

Python drops an exception that is raised in a callback of the garbage collector or in a ``__del__``: it prints
"Exception ignored in" and goes on. A signal that arrives during a long collection is handled just there, in the
callback that Hypothesis has the collector call; the command would run on as if nobody had pressed a key.
"""

from __future__ import annotations

import _thread
import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SOON = 0.02
"""Seconds after which a signal that fell in such a place is raised anew."""


@contextmanager
def heard() -> Iterator[None]:
    """KeyboardInterrupt is raised in the block where it can be caught; a SIGINT that is ignored stays ignored."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or usual is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _raise_where_it_can_be_caught)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _raise_where_it_can_be_caught(signum: int, frame: FrameType | None) -> Any:
    if not _would_be_dropped(frame):
        raise KeyboardInterrupt
    later = threading.Timer(SOON, _thread.interrupt_main)
    later.daemon = True
    later.start()


def _would_be_dropped(frame: FrameType | None) -> bool:
    callbacks = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    while frame is not None:
        if frame.f_code in callbacks or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
