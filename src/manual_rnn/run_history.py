"""What a run folder tells of its training: what it was told, and a line of metrics for each evaluation."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from manual_rnn.errors import InputError
from manual_rnn.options import ADDED
from manual_rnn.run_folder import METRICS
from manual_rnn.runs import load
from manual_rnn.training import Metrics

NUMBERS = tuple(one.name for one in fields(Metrics))


@dataclass(frozen=True)
class History:
    """One run."""

    path: Path
    options: dict[str, Any]
    """What the training was told."""
    text: str
    """The digest of the text that it read."""
    parameters: int
    """How many numbers were learnt."""
    lines: list[dict[str, float]]
    """By evaluation, at least one."""

    @property
    def best(self) -> dict[str, float]:
        """The evaluation with the lowest validation loss."""
        return min(self.lines, key=lambda line: line["val_nats"])


def read(path: Path) -> History:
    """Reads a run folder. Raises InputError, naming the file, where one is missing or cannot be used."""
    run, file = load(path), path / METRICS
    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no list of JSON lines"
        raise InputError(f"{file} cannot be read: {why}.") from None
    for number, line in enumerate(lines, start=1):
        if not isinstance(line, dict) or not all(_finite(line.get(name)) for name in NUMBERS):
            raise InputError(f"{file} cannot be used: line {number} lacks a number that a training writes there.")
    if not lines:
        raise InputError(f"{file} is empty: the run has not been evaluated yet.")
    return History(
        path=path,
        options={**ADDED, **run.config["options"]},
        text=str(run.config.get("text", {}).get("sha256")),
        parameters=sum(array.size for array in run.params.values()),
        lines=lines,
    )


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
