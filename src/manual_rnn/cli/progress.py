"""The progress of a training, on stderr and only where that is a terminal: a pipe gets not one byte."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from manual_rnn.options import TrainingOptions
from manual_rnn.sampling import sample_texts
from manual_rnn.text import Vocabulary
from manual_rnn.training import Metrics, Step, Training, seeds

SAMPLE_LENGTH = 200


class TrainingProgress:
    """A bar with the loss of the last update; after each evaluation, its losses and a sample."""

    def __init__(self, training: Training, vocabulary: Vocabulary, options: TrainingOptions) -> None:
        self._shown = sys.stderr.isatty()
        self._training, self._vocabulary = training, vocabulary
        self._seed = seeds(options.seed)[1]
        self._bar = Progress(
            TextColumn("update {task.fields[update]}"),
            BarColumn(),
            TextColumn("{task.fields[nats]:.3f} nats per character"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not self._shown,
            transient=True,
        )
        self._task = self._bar.add_task("training", total=1.0, update=0, nats=float("nan"))

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.stop()

    def stepped(self, step: Step, done: float) -> None:
        if self._shown:
            self._bar.update(self._task, completed=done, update=step.update, nats=step.nats)

    def evaluated(self, metrics: Metrics) -> None:
        if not self._shown:
            return
        model, rngs = self._training, [np.random.default_rng(self._seed)]
        sample = sample_texts(model.network, model.params, self._vocabulary, length=SAMPLE_LENGTH, rngs=rngs)
        self._bar.console.print(
            f"update {metrics.update}: {metrics.train_nats:.3f} nats per character, "
            f"{metrics.val_nats:.3f} on the validation set",
            style="bold",
            highlight=False,
        )
        text = "".join(character for (character,) in sample)
        self._bar.console.print(text, markup=False, highlight=False, style="dim")
