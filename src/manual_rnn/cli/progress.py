"""The progress of a training, on stderr and only where that is a terminal: a pipe gets not one byte."""

from __future__ import annotations

import sys
from collections import deque
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from manual_rnn.options import TrainingOptions
from manual_rnn.training import Metrics, Step, Training

LATELY = 5.0
"""Seconds over which a rate is the mean."""


class TrainingProgress:
    """A bar with the loss of the last update, the rate and the time left; each evaluation's losses and its sample."""

    def __init__(self, training: Training, options: TrainingOptions) -> None:
        self._shown = sys.stderr.isatty()
        self._training = training
        self._characters = options.seq_len * options.batch * options.accumulate
        self._times: deque[float] = deque()
        self._said = ""
        self._bar = Progress(
            TextColumn("update {task.fields[update]:,}"),
            BarColumn(bar_width=14),
            TextColumn("{task.fields[nats]:.3f} nats"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            disable=not self._shown,
            transient=True,
        )
        self._task = self._bar.add_task("training", total=1.0, update=0, nats=float("nan"), rate="")

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.stop()

    def stepped(self, step: Step, done: float) -> None:
        if self._shown:
            self._bar.update(self._task, completed=done, update=step.update, nats=step.nats, rate=self._rate())

    def evaluated(self, metrics: Metrics) -> None:
        self._times.clear()  # the time of an evaluation is no time of updates
        if not self._shown:
            return
        self._bar.console.print(
            f"update {metrics.update}: {metrics.train_nats:.3f} nats per character, "
            f"{metrics.val_nats:.3f} on the validation set",
            style="bold",
            highlight=False,
        )
        self._bar.console.print(self._training.samples[-1].text, markup=False, highlight=False, style="dim")

    def _rate(self) -> str:
        """Of the updates just made; before there are two of them, what was said last."""
        self._times.append(perf_counter())
        while self._times[-1] - self._times[0] > LATELY and len(self._times) > 2:
            self._times.popleft()
        if len(self._times) > 1:
            rate = (len(self._times) - 1) / (self._times[-1] - self._times[0])
            self._said = f"{rate:,.3g} updates/s  {_rounded(rate * self._characters):,} characters/s"
        return self._said


def _rounded(number: float) -> int:
    """To two digits: more would dance."""
    return int(float(f"{number:.2g}"))
