"""What a run leaves besides results: with which versions it ran, and when, where and how long each trial was.

A file for each run, runs/TIME-MACHINE-PROCESS.jsonl: the first line is the run, each further one a trial. A line that
a kill has cut is the last one, and whoever reads leaves it out.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from manual_rnn.errors import InputError

LIBRARIES = ("jax", "scipy", "numba", "torch", "sklearn", "xarray", "distributed")


class RunLog:
    """The file of one run."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        begun = datetime.now(UTC)
        name = f"{begun:%Y%m%dT%H%M%S.%f}-{platform.node()}-{os.getpid()}.jsonl"
        self._path = folder / "runs" / name
        libraries = {name: sys.modules[name].__version__ for name in LIBRARIES if name in sys.modules}
        self.add({"begun": begun.isoformat(), "libraries": libraries, **about})

    def add(self, line: Mapping[str, Any]) -> None:
        """Adds a line. Raises InputError where the disk takes it not."""
        try:
            with self._path.open("ab", buffering=0) as file:
                file.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise InputError(
                f"{self._path} cannot be written: {error.strerror}. What was finished before is kept; when there is "
                "room, the same command does the rest."
            ) from None


def seconds_by_key(folder: Path) -> dict[str, float]:
    """How long each trial took, the latest time where it ran more than once; what cannot be read is left out."""
    found = {}
    for line in _lines(folder):
        key, seconds = line.get("key"), line.get("seconds")
        if isinstance(key, str) and isinstance(seconds, int | float):
            found[key] = float(seconds)
    return found


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((folder / "runs").glob("*.jsonl")):
        try:
            texts = path.read_bytes().splitlines()
        except OSError:
            continue
        for text in texts:
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(line, dict):
                yield line
