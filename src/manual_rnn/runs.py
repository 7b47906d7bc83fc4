"""The run folder: config.json, vocabulary.json, weights.safetensors, metrics.jsonl.

Each file is written beside its place and then moved there: whoever reads finds all of it, or the one before.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manual_rnn import cells
from manual_rnn.cell import Array
from manual_rnn.check import check_parameters
from manual_rnn.errors import InputError, UsageError
from manual_rnn.files import write_whole
from manual_rnn.network import Network, stack
from manual_rnn.text import Vocabulary
from manual_rnn.weights import from_torch, to_torch

CONFIG = "config.json"
VOCABULARY = "vocabulary.json"
WEIGHTS = "weights.safetensors"
METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class RunFolder:
    """A run folder that a training writes to."""

    path: Path

    @classmethod
    def create(
        cls, path: Path, config: Mapping[str, Any], vocabulary: Vocabulary, *, overwrite: bool = False
    ) -> RunFolder:
        """Makes the folder, with what is known before the first update.

        Raises:
            UsageError: the path exists; with ``overwrite``, it exists and is no run folder.
            InputError: the folder cannot be made or written.
        """
        if os.path.lexists(path) and not overwrite:
            raise UsageError(f"{path} exists already; name another folder with --out, or say --overwrite.")
        if path.exists() and not (path / CONFIG).is_file():
            raise UsageError(f"{path} has no {CONFIG}: it is no run folder, and --overwrite leaves it alone.")
        try:
            path.mkdir(parents=True, exist_ok=overwrite)
            (path / WEIGHTS).unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"The run folder {path} cannot be made: {error.strerror}.") from None
        _write(path / CONFIG, json.dumps(config, indent=2, allow_nan=False).encode())
        known = {"version": 1, "characters": list(vocabulary.characters)}
        _write(path / VOCABULARY, json.dumps(known).encode())
        _write(path / METRICS, b"")
        return cls(path)

    def save_weights(self, network: Network, params: Mapping[str, Array], *, update: int) -> None:
        """Puts the parameters in the place of those that were saved before."""
        from safetensors.numpy import save

        _write(self.path / WEIGHTS, save(to_torch(network, params), metadata={"update": str(update)}))

    def append_metrics(self, line: Mapping[str, Any]) -> None:
        """Adds a line to metrics.jsonl."""
        path = self.path / METRICS
        _write(path, path.read_bytes() + json.dumps(line, allow_nan=False).encode() + b"\n")

    def discard_if_useless(self) -> None:
        """Takes the folder away if no weights were saved in it: nobody could use it, and it is in the way."""
        if (self.path / WEIGHTS).exists():
            return
        for name in (CONFIG, VOCABULARY, METRICS):
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else lies in it
            self.path.rmdir()


@dataclass(frozen=True)
class Run:
    """What a run folder holds, for sampling."""

    config: dict[str, Any]
    network: Network
    vocabulary: Vocabulary
    params: dict[str, Array]


def load(path: Path) -> Run:
    """Reads a run folder. Raises InputError, naming the file, where one is missing or cannot be used."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_tensors

    if not path.is_dir():
        raise InputError(f"There is no run folder {path}; 'manual-rnn train --out {path}' makes one.")
    file = path / CONFIG
    try:
        config = json.loads(_read(file))
        told = config["options"]
        network = stack(cells.get(told["cell"]), layers=told.get("layers", 1))  # which a run of before does not tell
        file = path / VOCABULARY
        characters = json.loads(_read(file))["characters"]
        vocabulary = Vocabulary("".join(characters))
        if list(vocabulary.characters) != sorted(set(characters)) or not characters:
            raise ValueError("it is not a sorted list of different characters")
        file = path / WEIGHTS
        params = from_torch(network, load_tensors(_read(file)))
        n_in, _, n_out = check_parameters(network, params)  # NaN, too
        if not n_in == n_out == len(vocabulary):
            known = len(vocabulary)
            raise ValueError(f"n_in = {n_in} and n_out = {n_out}, but {VOCABULARY} has {known} characters")
    except (KeyError, TypeError):
        raise InputError(f"{file} cannot be used: it lacks what a training writes there.") from None
    except (ValueError, SafetensorError) as error:
        raise InputError(f"{file} cannot be used: {str(error).rstrip('.')}.") from None
    return Run(config, network, vocabulary, params)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        why = f"{path.parent} is no run folder, or its training saved nothing"
        raise InputError(f"{path} is missing: {why}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None


def _write(path: Path, content: bytes) -> None:
    """Puts the whole content in the place of what was there or, where that fails, leaves what was there."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None
