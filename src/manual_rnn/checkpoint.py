"""A checkpoint: all that a training needs to go on, to the same bits as if nothing had happened, in one file.

=====================  =============================================================================================
the run                the content of config.json, the characters of the vocabulary
arrays                 ``params.W``, ``optimiser.m.W``, ``state.h``, the losses and norms since the last evaluation, the
                       lines of steps.jsonl and, with --patience, ``best.W``
position               the number of updates, of which the number of the next window follows
random state           of the one generator that is drawn from while training, that of dropout
history                every line of metrics.jsonl and of samples.jsonl, and the seconds so far
=====================  =============================================================================================

A file of version 1 is read as well: it has no lines of steps.jsonl and samples.jsonl, which begin where it ends.
What it does not hold: the text, of which it has the hash. The bits are those of the same versions, threads and
processor; another BLAS rounds otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.errors import UsageError
from manual_rnn.options import TrainingOptions
from manual_rnn.run_identity import identity
from manual_rnn.sealed import Corrupt, sealed, unsealed
from manual_rnn.text import Vocabulary
from manual_rnn.trace import Stretch, Trace
from manual_rnn.training import Metrics, Sample, Step, Training, start

VERSION = 2


def to_bytes(training: Training, config: Mapping[str, Any], vocabulary: Vocabulary) -> bytes:
    """The content of the file. The same training gives the same bytes, but for the seconds in it."""
    arrays, numbers = _optimiser(training)
    tensors = {f"params.{name}": array for name, array in training.params.items()}
    tensors |= {f"optimiser.{name}": array for name, array in arrays.items()}
    tensors |= {f"state.{name}": array for name, array in training.state.items()}
    tensors["since"] = np.array([[step.nats, step.grad_norm] for step in training.since]).reshape(-1, 2)
    lines = [astuple(line) for line in training.trace.lines]
    tensors["trace"] = np.array(lines, float).reshape(-1, len(fields(Stretch)))
    tensors |= {f"best.{name}": array for name, array in (training.best or {}).items()}
    document = {
        "version": VERSION,
        "config": config,
        "characters": vocabulary.characters,
        "update": training.update,
        "last": asdict(training.last) if training.last else None,
        "optimiser": numbers,
        "dropout": training.dropout.rng.bit_generator.state,
        "history": [asdict(metrics) for metrics in training.history],
        "samples": [asdict(sample) for sample in training.samples],
        "seconds": training.seconds,
    }
    return sealed(tensors, document)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds."""

    config: dict[str, Any]
    vocabulary: Vocabulary
    update: int
    training: Training

    @property
    def options(self) -> TrainingOptions:
        """What the training was told."""
        return TrainingOptions.of_json(self.config["options"])


def from_bytes(content: bytes) -> Checkpoint:
    """What the content of a file holds. Raises Corrupt where it is not what was written."""
    tensors, document = unsealed(content)
    if document is None:
        raise Corrupt("it is no checkpoint")
    try:
        if document["version"] not in (1, VERSION):
            raise Corrupt(f"it is of version {document['version']}, which this manual-rnn does not know")
        vocabulary = Vocabulary(document["characters"])
        if document["config"]["run"] != identity(document["config"], vocabulary.characters):
            raise Corrupt("it is not of the run that it names")
        options = TrainingOptions.of_json(document["config"]["options"])
        # Filled in place: how an array lies in memory decides the last bits of a product with it.
        training = start(options, len(vocabulary))
        _fill(training.params, _part(tensors, "params."))
        _fill(training.state, _part(tensors, "state."))
        _fill_optimiser(training, _part(tensors, "optimiser."), document["optimiser"])
        training.dropout.rng.bit_generator.state = document["dropout"]
        training.last = Step(**document["last"]) if document["last"] else None
        updates = range(training.update - len(tensors["since"]) + 1, training.update + 1)
        training.since = [Step(k, *row) for k, row in zip(updates, tensors["since"].tolist(), strict=True)]
        training.history = [Metrics(**line) for line in document["history"]]
        training.seconds = float(document["seconds"])
        if document["version"] == VERSION:
            training.samples = [Sample(**line) for line in document["samples"]]
            training.trace = _trace(tensors["trace"])
        if best := _part(tensors, "best."):
            training.best = {name: np.empty_like(theta) for name, theta in training.params.items()}
            _fill(training.best, best)
    except (KeyError, TypeError, ValueError, AttributeError, UsageError):
        raise Corrupt("it is not what a training writes") from None
    return Checkpoint(document["config"], vocabulary, training.update, training)


def _trace(rows: Array) -> Trace:
    """The lines, each number of the type that it had."""
    return Trace([
        Stretch(int(update), int(updates), nats, norm, least, largest, int(clipped))
        for update, updates, nats, norm, least, largest, clipped in rows.tolist()
    ])  # fmt: skip


def _optimiser(training: Training) -> tuple[dict[str, Array], dict[str, float]]:
    """What an optimiser remembers: its arrays by field and parameter, and its numbers by field."""
    arrays: dict[str, Array] = {}
    numbers: dict[str, float] = {}
    for field, value in vars(training.optimiser).items():
        if isinstance(value, dict):
            arrays |= {f"{field}.{name}": array for name, array in value.items()}
        else:
            numbers[field] = value
    return arrays, numbers


def _fill_optimiser(training: Training, tensors: Mapping[str, Array], numbers: Mapping[str, float]) -> None:
    filled = 0
    for field, value in vars(training.optimiser).items():
        if not isinstance(value, dict):
            setattr(training.optimiser, field, type(value)(numbers[field]))
        elif found := _part(tensors, f"{field}."):  # none before the first update
            value |= {name: np.zeros_like(theta) for name, theta in training.params.items()}
            _fill(value, found)
            filled += len(found)
    if filled != len(tensors):
        raise ValueError("arrays that the optimiser has not")


def _part(tensors: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def _fill(arrays: Mapping[str, Array], found: Mapping[str, Array]) -> None:
    if arrays.keys() != found.keys():
        raise ValueError("other names")
    for name, array in arrays.items():
        if (array.shape, array.dtype) != (found[name].shape, found[name].dtype):
            raise ValueError("another shape or dtype")
        array[...] = found[name]
