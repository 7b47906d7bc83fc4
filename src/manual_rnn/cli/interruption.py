"""Ctrl-C, heard wherever it falls, and held back where it would leave something half done.

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
    if _would_be_dropped(frame):
        _again_soon(signum)
    else:
        raise KeyboardInterrupt


class AtOnce(KeyboardInterrupt):
    """The second time: nothing is to be finished any more."""


class Stop:
    """Ctrl-C, or SIGTERM, in a ``with`` block: the first raises KeyboardInterrupt, though not within a block of
    :meth:`undisturbed`, but at its end; the second raises AtOnce wherever it falls.

    In another thread than the main one, and for a signal that is ignored, it does nothing.
    """

    def __init__(self) -> None:
        self._usual: dict[int, Any] = {}
        self._asked = self._held = False

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._usual[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, usual in self._usual.items():
            signal.signal(number, usual)

    def undisturbed(self) -> _Undisturbed:
        """A block that the first signal waits for; where the block raises, that is what is raised."""
        return _Undisturbed(self)

    def _heard(self, signum: int, frame: FrameType | None) -> None:
        if _would_be_dropped(frame):
            _again_soon(signum)
        elif self._asked:
            raise AtOnce
        else:
            self._asked = True
            if not self._held:
                raise KeyboardInterrupt


class _Undisturbed:
    """A class, as the code of ``contextlib`` would be a place where the signal falls between two lines."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def __enter__(self) -> None:
        self._stop._held = True

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop._held = False
        if self._stop._asked and kind is None:
            raise KeyboardInterrupt


def _again_soon(signum: int) -> None:
    later = threading.Timer(SOON, _thread.interrupt_main, [signum])
    later.daemon = True
    later.start()


def _would_be_dropped(frame: FrameType | None) -> bool:
    callbacks = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    while frame is not None:
        if frame.f_code in callbacks or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
