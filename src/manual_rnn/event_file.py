"""The evaluations of a run for TensorBoard: an event file in the run folder, in its records and protocol buffers.

It is made anew from the run's history whenever a training begins or goes on, and grows by each evaluation. What comes
first in it tells TensorBoard to forget what an older file said, so a run that is resumed shows no step twice, and none
that the checkpoint does not know.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manual_rnn.errors import InputError
from manual_rnn.training import Metrics, Training

FOLDER = "tensorboard"
SCALARS = {"loss/training": "train_nats", "loss/validation": "val_nats", "gradient_norm": "grad_norm"}
"""What TensorBoard calls the numbers of metrics.jsonl."""


def needed() -> None:
    """Raises ModuleNotFoundError, with what to install, where there is no tensorboard."""
    try:
        import tensorboard.summary.writer.record_writer  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            '--tensorboard needs tensorboard, which is not installed; it comes with: '
            'pip install "manual-rnn[tensorboard]".',
            name="tensorboard",
        ) from error


class EventFile:
    """An event file that is open."""

    def __init__(self, path: Path, *, began: float) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._path, self._began, self._event = path, began, Event
        self._file = path.open("xb")
        self._records = RecordWriter(self._file)
        self._write(Event(wall_time=began, file_version="brain.Event:2"))
        self._write(Event(wall_time=began, step=0, session_log=SessionLog(status=SessionLog.START)))

    def add(self, metrics: Metrics) -> None:
        """One more evaluation. Raises InputError where the disk takes it not."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=tag, simple_value=getattr(metrics, name)) for tag, name in SCALARS.items()]
        when = self._began + metrics.seconds
        try:
            self._write(self._event(wall_time=when, step=metrics.update, summary=Summary(value=values)))
        except OSError as error:
            raise InputError(f"{self._path} cannot be written: {error.strerror}.") from None

    def close(self) -> None:
        self._file.close()

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())
        self._file.flush()  # so that TensorBoard sees it, and an error is raised here


@contextmanager
def event_file(run: Path, training: Training) -> Iterator[EventFile]:
    """The event file of a run folder with the evaluations so far, in the place of those of before; open for the block.

    Raises InputError where it cannot be written.
    """
    folder, began = run / FOLDER, time.time() - training.seconds
    try:
        folder.mkdir(exist_ok=True)
        old = list(folder.glob("events.out.tfevents.*"))
        # TensorBoard goes on to the file whose name comes next.
        file = EventFile(folder / f"events.out.tfevents.{time.time_ns()}", began=began)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}.") from None
    try:
        for metrics in training.history:
            file.add(metrics)
        for path in old:
            path.unlink(missing_ok=True)
        yield file
    finally:
        file.close()
