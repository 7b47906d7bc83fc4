"""The other side of ``apart``: a process that judges one target and whose prints go to a pipe of their own."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from manual_rnn.cli.judge_cell import EXAMPLES
from manual_rnn.cli.setting import Setting

GRACE = 10
"""Seconds after the time limit at which a process ends itself, should the one that started it have been killed."""


@dataclass(frozen=True)
class Job:
    """What all targets of a command have in common."""

    examples: int | None
    """None: as many as are usual for a target's kind."""
    seed: int
    time_limit: float
    """The longest that loading a file, or judging one group of cases, may take; 0: no limit."""
    memory_limit: int
    """The bytes that each process may take; 0: no limit."""
    share: bool
    """Whether the reference's answers are computed once for all targets that have the same partner."""
    setting: Setting = field(default_factory=Setting)
    """What a cell is judged in."""

    @property
    def expected(self) -> int:
        """Cases a target, as the progress bar counts them."""
        return self.examples or EXAMPLES


def work(
    target: str, job: Job, stack: Path, talk: Connection[Any, Any], prints: Connection[Any, Any]
) -> None:
    """Judges the target; says ("progress", cases), ("silent", how long it may be), ("wants", partner), and at last
    ("report" or "failed", it)."""
    if hasattr(os, "setsid"):
        os.setsid()  # what this process starts is ended with it
    for stream in (1, 2):
        os.dup2(prints.fileno(), stream)
    sys.dont_write_bytecode = True

    from manual_rnn.cli import memory
    from manual_rnn.cli.failed import failed, with_the_limit
    from manual_rnn.cli.kinds import judge_target
    from manual_rnn.cli.task import Task

    told = stack.open("w", encoding="utf-8")
    faulthandler.enable(told)  # a crash shows its line

    limit = job.time_limit

    def advance(cases: int) -> None:
        talk.send(("progress", cases))
        watch(limit, told)

    def may_be_silent(seconds: float) -> None:
        nonlocal limit
        limit = seconds
        talk.send(("silent", seconds))
        watch(limit, told)

    memory.bound(job.memory_limit)
    advance(0)  # all imports of our own are behind: from here on it is the user's time
    try:
        if job.share:
            _take_kept_answers(target, job.setting, talk)
            advance(0)
        task = Task(job.examples, job.seed, job.time_limit, advance, may_be_silent, job.setting)
        report = judge_target(target, task)
    except BaseException as error:
        talk.send(("failed", with_the_limit(failed(target, error), error, job.memory_limit)))
    else:
        talk.send(("report", report))
    finally:
        watch(0)
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
    os._exit(0)  # a thread that the user's code has left running keeps nothing waiting


def keep_answers(partner: str, job: Job, path: Path, talk: Connection[Any, Any], prints: Connection[Any, Any]) -> None:
    """Writes a built-in partner's answers to the file; no user's code ever runs in this process."""
    for stream in (1, 2):
        os.dup2(prints.fileno(), stream)

    from manual_rnn.cli.kept_answers import keep

    keep(partner, job.expected, job.seed, path, job.setting)
    talk.send(("kept", partner))


def _take_kept_answers(target: str, setting: Setting, talk: Connection[Any, Any]) -> None:
    from manual_rnn import Cell, cells
    from manual_rnn.cli.kept_answers import use_kept
    from manual_rnn.cli.kinds import find_target

    cell = find_target(target)
    if not isinstance(cell, Cell):
        return  # only a cell's cases and answers depend on the partner alone
    partner: object = cell.against or cell.name
    if not isinstance(partner, str) or partner not in cells.names():
        return
    watch(0)
    talk.send(("wants", partner))
    path = talk.recv()
    if path is not None:
        use_kept(partner, path, setting)


def watch(limit: float, told: IO[str] | None = None) -> None:
    """Starts the time limit anew; 0: stops it. Shortly before its end the stack is written: where it hangs."""
    faulthandler.cancel_dump_traceback_later()
    set_alarm: Callable[[int], int] = getattr(signal, "alarm", lambda seconds: 0)
    set_alarm(int(limit) + GRACE if limit else 0)
    if limit and told is not None:
        faulthandler.dump_traceback_later(max(limit / 2, limit - 0.5), file=told)
