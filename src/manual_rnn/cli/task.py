"""What the judge of any kind of target is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from manual_rnn.cli.setting import Setting


@dataclass(frozen=True)
class Task:
    """How many cases, which, and whom to tell of the progress."""

    examples: int | None
    """None: as many as are usual for the kind of target."""
    seed: int
    time_limit: float
    """Seconds; 0: no limit. Whoever waits for the verdict ends a process that is silent for longer than that..."""
    progress: Callable[[int], None] = lambda cases: None
    may_be_silent: Callable[[float], None] = lambda seconds: None
    """... unless the judge holds the user's calls to the limit by itself: then it asks for so many seconds here."""
    setting: Setting = field(default_factory=Setting)
    """What a cell is judged in."""


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
