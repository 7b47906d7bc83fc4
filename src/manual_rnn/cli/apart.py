"""Judges each target in a process of its own: what one does, or fails to do, no other notices.

A fresh process a target, not a warm one for many: with the reference's answers handed to it, what a fresh process
costs is an import of NumPy and of the judge, and nothing that a file does to them can reach the next one.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from manual_rnn.cli import apart_worker
from manual_rnn.cli.apart_worker import Job
from manual_rnn.cli.child import Child
from manual_rnn.cli.endings import crash, out_of_time
from manual_rnn.cli.verdict import Verdict


class Apart:
    """The targets of one command, as many at once as there are cores."""

    def __init__(self, targets: Sequence[str], job: Job, progress: Callable[[int], None], folder: Path) -> None:
        self.targets, self.job, self.progress, self.folder = targets, job, progress, folder
        self.waiting = deque(range(len(targets)))
        self.running: dict[int, Child] = {}
        self.verdicts: dict[int, Verdict] = {}
        self.printed: dict[int, bytes] = {}
        self.counted = dict.fromkeys(range(len(targets)), 0)
        self.keepers: dict[str, Child] = {}
        self.kept: dict[str, Path | None] = {}
        self.wanted: dict[str, list[int]] = {}

    def run(self, workers: int) -> list[tuple[Verdict, str]]:
        """The verdict on each target, and the last that it printed, in the order of the targets."""
        try:
            while self.waiting or self.running:
                while self.waiting and len(self.running) < workers:
                    self._start(self.waiting.popleft())
                self._listen()
        finally:
            for child in [*self.running.values(), *self.keepers.values()]:
                child.end()
        return [
            (self.verdicts[i], self.printed[i].decode(errors="replace").strip()) for i in range(len(self.targets))
        ]

    def _start(self, i: int) -> None:
        self.running[i] = Child(
            apart_worker.work, self.targets[i], self.job, self._stack(i), limit=self.job.time_limit
        )

    def _stack(self, i: int) -> Path:
        return self.folder / f"{i}.stack"

    def _listen(self) -> None:
        children = [*self.running.values(), *self.keepers.values()]
        soonest = min(child.deadline for child in children) - time.monotonic()
        wait([sign for child in children for sign in child.signs()], None if soonest > 1e6 else max(soonest, 0.0))
        for partner, child in list(self.keepers.items()):
            self._hear_keeper(partner, child)
        for i, child in list(self.running.items()):
            child.read_prints()
            self._hear(i, child)

    def _hear(self, i: int, child: Child) -> None:
        gone = not child.process.is_alive()  # asked first: what it said before it went is still in the pipe
        for what, value in _messages(child.talk):
            child.heard()
            if what == "progress":
                self.counted[i] += value
                self.progress(value)
            elif what == "silent":
                child.limit = value
                child.heard()
            elif what == "wants":
                child.deadline = float("inf")
                self._want(value, i)
            else:
                return self._done(i, value)
        if gone:
            child.read_prints()
            return self._done(i, crash(self.targets[i], child, self._stack(i)))
        if time.monotonic() > child.deadline:
            return self._done(i, out_of_time(self.targets[i], child, self._stack(i)))
        return None

    def _done(self, i: int, verdict: Verdict) -> None:
        child = self.running.pop(i)
        child.end()
        self.verdicts[i], self.printed[i] = verdict, child.printed
        self.progress(self.job.expected - self.counted[i])

    def _want(self, partner: str, i: int) -> None:
        if partner in self.kept:
            self._hand(partner, i)
            return
        self.wanted.setdefault(partner, []).append(i)
        if partner not in self.keepers:
            path = self.folder / f"{partner}.answers"
            self.keepers[partner] = Child(apart_worker.keep_answers, partner, self.job, path, limit=0.0)

    def _hear_keeper(self, partner: str, child: Child) -> None:
        child.read_prints()
        gone = not child.process.is_alive()
        done = any(what == "kept" for what, _ in _messages(child.talk))
        if not (done or gone):
            return
        self.keepers.pop(partner).end()
        # Without it, each process asks the reference itself.
        self.kept[partner] = self.folder / f"{partner}.answers" if done else None
        for i in self.wanted.pop(partner, []):
            if i in self.running:
                self._hand(partner, i)

    def _hand(self, partner: str, i: int) -> None:
        self.running[i].heard()
        with suppress(OSError):  # it has gone: the next round says how
            self.running[i].talk.send(self.kept[partner])


def _messages(talk: Connection[Any, Any]) -> list[tuple[str, Any]]:
    """What has been said and not yet heard; what cannot be understood is the user's code writing into our pipe."""
    heard: list[tuple[str, Any]] = []
    try:
        while talk.poll():
            what, value = talk.recv()
            heard.append((what, value))
    except Exception:
        return heard
    return heard


def judge_apart(
    targets: Sequence[str], job: Job, progress: Callable[[int], None], *, workers: int
) -> list[tuple[Verdict, str]]:
    """The verdict on each target, judged in a process of its own, and the last of what its code printed."""
    with tempfile.TemporaryDirectory(prefix="manual-rnn-") as folder:
        return Apart(targets, job, progress, Path(folder)).run(workers)
