"""The run folder as a training writes to it.

    config.json                    what the training was told, on which text, by which versions
    vocabulary.json                the characters, in the order of their ids
    weights.safetensors            the parameters under PyTorch's names, from the first evaluation on
    metrics.jsonl                  a line an evaluation
    samples.jsonl                  what the model wrote at each
    steps.jsonl                    every update's loss and gradient norm, in at most 1024 lines
    curves-light.svg, -dark.svg    both drawn, where a training ends
    tensorboard/                   the evaluations for TensorBoard, if asked for
    checkpoints/000002000.safetensors, and the one before: all of it, and what else is needed to go on
    .manual-rnn.lock               held while a process trains here

The checkpoint is the run; the other six are there for who reads them, and are written from it. Each file is written
beside its place, synced and moved there, a new checkpoint before the oldest is taken away: whatever ends the process,
and whenever, the last whole checkpoint is what the run goes on from. A new folder is made beside its place in the same
way. A kill may leave one hidden file or folder that nobody reads, until the next training into the folder.

What --overwrite replaces is taken away when the new run, before its first update, is on the disk. Between the two, for
a few calls to the system, there is no run: a kill just then leaves a folder that --overwrite takes again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from glob import escape
from pathlib import Path
from typing import Any

from manual_rnn import checkpoint, event_file
from manual_rnn.checkpoint import Checkpoint
from manual_rnn.errors import InputError, UsageError
from manual_rnn.files import beside, sync_folder, write_whole
from manual_rnn.folder_lock import LOCK, held
from manual_rnn.run_identity import identity
from manual_rnn.sealed import Corrupt, sealed
from manual_rnn.text import Vocabulary
from manual_rnn.text_files import is_folder
from manual_rnn.trace import Stretch
from manual_rnn.training import Metrics, Sample, Training
from manual_rnn.weights import to_torch

CONFIG = "config.json"
VOCABULARY = "vocabulary.json"
WEIGHTS = "weights.safetensors"
METRICS = "metrics.jsonl"
SAMPLES = "samples.jsonl"
STEPS = "steps.jsonl"
CURVES = "curves"
"""The figure's stem; it is drawn where a training ends, and no part of the run."""
CHECKPOINTS = "checkpoints"
FILES = (CONFIG, VOCABULARY, METRICS, SAMPLES, STEPS)
"""What a checkpoint is published as, before the first update; after it, WEIGHTS besides."""
TEMPORARY = re.compile(r"\..*\.[0-9a-f]{32}\.tmp")
"""The names of :func:`manual_rnn.files.beside`."""
KEPT = 2
"""Checkpoints that stay: the last, and one to fall back to."""


@dataclass(frozen=True)
class RunFolder:
    """A run folder that this process, and no other, writes to."""

    path: Path
    config: dict[str, Any]
    vocabulary: Vocabulary

    @classmethod
    @contextmanager
    def create(
        cls,
        path: Path,
        config: Mapping[str, Any],
        training: Training,
        vocabulary: Vocabulary,
        *,
        overwrite: bool = False,
    ) -> Iterator[RunFolder]:
        """Makes the folder for a training before its first update, and holds it for the block.

        ``config`` is what config.json is to have; the run's identity is put in.

        Raises:
            UsageError: the path exists; with ``overwrite``, it exists and is no run folder.
            InputError: the folder cannot be made or written, or another process is training into it.
        """
        there = check_place(path, overwrite=overwrite)
        config = {**config, "run": identity(config, vocabulary.characters)}
        folder = cls(path, config, vocabulary)
        if not there:
            folder._make(training, beside(path))
        with held(path):
            _sweep(path)
            if there:
                folder._make(training, beside(path / CHECKPOINTS))
            yield folder

    def _make(self, training: Training, place: Path) -> None:
        """Puts the folder there with all that is in it, or what it has in the place of the run before; or nothing.

        It is written in ``place`` first, so that a disk that is full leaves what was there.
        """
        try:
            with suppress(FileExistsError):  # if it is no folder, the next line says so
                place.parent.mkdir(parents=True)
            place.mkdir()
            try:
                RunFolder(place, self.config, self.vocabulary)._write(training)
                if place.parent == self.path:
                    self._clear()
                    for name in (CHECKPOINTS, *FILES):
                        (place / name).rename(self.path / name)
                    sync_folder(self.path)
                else:
                    place.rename(self.path)
                    sync_folder(self.path.parent)
            finally:
                shutil.rmtree(place, ignore_errors=True)
        except OSError as error:
            raise InputError(f"The run folder {self.path} cannot be made: {error.strerror}.") from None

    @classmethod
    @contextmanager
    def resumed(cls, path: Path, *, tell: Callable[[str], None]) -> Iterator[tuple[RunFolder, Checkpoint]]:
        """The folder of a run and its last checkpoint that is whole; holds the folder for the block.

        ``tell`` gets a sentence for each checkpoint that is not what was written: it is moved out of the way.

        Raises InputError where there is no run folder or no checkpoint to go on from, and as :meth:`create` does.
        """
        if not is_folder(path):
            raise InputError(f"There is no run folder {path} to go on with; without --resume, training makes it.")
        if not any((path / name).exists() for name in (CONFIG, CHECKPOINTS)):
            raise InputError(f"{path} is no run folder: it has neither {CONFIG} nor {CHECKPOINTS}.")
        with held(path):
            _sweep(path)
            found = _last(path, tell)
            yield cls(path, found.config, found.vocabulary), found

    def save(self, training: Training) -> None:
        """Puts the training on the disk as it is now. Raises InputError where the disk takes it not."""
        try:
            self._write(training)
        except OSError as error:
            raise InputError(
                f"The run folder {self.path} cannot be written: {error.strerror}. What was saved before is kept; "
                f"'manual-rnn train --out {self.path} --resume' goes on from there."
            ) from None

    def _write(self, training: Training) -> None:
        name = f"{training.update:09d}.safetensors"
        checkpoints = self.path / CHECKPOINTS
        if not checkpoints.exists():
            checkpoints.mkdir()
            sync_folder(self.path)
        write_whole(checkpoints / name, checkpoint.to_bytes(training, self.config, self.vocabulary))
        self._publish(training)
        for old in [path for path in _newest_first(self.path) if path.name != name][KEPT - 1 :]:
            old.unlink(missing_ok=True)

    def _publish(self, training: Training) -> None:
        """Writes what the checkpoint has for others to read, where it is not there as it should be."""
        characters = list(self.vocabulary.characters)
        files = {
            CONFIG: json.dumps(self.config, indent=2, allow_nan=False).encode(),
            VOCABULARY: json.dumps({"version": 1, "characters": characters}).encode(),
            METRICS: _lines(training.history),
            SAMPLES: _lines(training.samples),
            STEPS: _lines(training.trace.lines),
        }
        if training.update:
            update, params = training.shown
            files[WEIGHTS] = sealed(to_torch(training.network, params), {"run": self.config["run"], "update": update})
        for name, content in files.items():
            path = self.path / name
            if not path.exists() or path.read_bytes() != content:
                write_whole(path, content)

    def discard_if_useless(self) -> None:
        """Takes the folder away if no weights were saved in it: nobody could use it, and it is in the way."""
        if not (self.path / WEIGHTS).exists():
            with suppress(OSError):  # something else lies in it
                self._clear()
                (self.path / LOCK).unlink()
                self.path.rmdir()

    def _clear(self) -> None:
        """Takes away all that a training writes. Raises OSError."""
        for path in (*(self.path / name for name in (WEIGHTS, *FILES)), *self.path.glob(f"{CURVES}-*.svg")):
            path.unlink(missing_ok=True)
        for name in (event_file.FOLDER, CHECKPOINTS):
            with suppress(FileNotFoundError):
                shutil.rmtree(self.path / name)


def _lines(entries: Sequence[Metrics | Sample | Stretch]) -> bytes:
    return b"".join(json.dumps(asdict(entry), allow_nan=False).encode() + b"\n" for entry in entries)


def check_place(path: Path, *, overwrite: bool) -> bool:
    """Whether something is there that a new run replaces. Raises UsageError as :meth:`RunFolder.create` does."""
    there = os.path.lexists(path)
    if there and not overwrite:
        raise UsageError(f"{path} exists already; --resume goes on with it, --overwrite begins anew in its place.")
    if there and not any((path / name).is_file() for name in (CONFIG, LOCK)):
        raise UsageError(f"{path} has no {CONFIG}: it is no run folder, and --overwrite leaves it alone.")
    return there


def _sweep(path: Path) -> None:
    """Takes away what processes have left that were killed while they wrote, or made the folder: nobody reads it."""
    folders = path.parent.glob(f".{escape(path.name[:100])}.*.tmp")
    for left in [*path.glob(".*.tmp"), *(path / CHECKPOINTS).glob(".*.tmp"), *folders]:
        if TEMPORARY.fullmatch(left.name):
            with suppress(OSError):
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _newest_first(path: Path) -> list[Path]:
    return sorted((path / CHECKPOINTS).glob("[!.]*.safetensors"), reverse=True)


def _last(path: Path, tell: Callable[[str], None]) -> Checkpoint:
    """The newest checkpoint of this run that is whole; those that are newer are moved out of the way."""
    run = _identity_of(path)
    wrong: dict[Path, str] = {}
    for file in _newest_first(path):
        try:
            found = checkpoint.from_bytes(file.read_bytes())
            if run not in (None, found.config["run"]):
                raise Corrupt(f"it is of another run than {CONFIG}")
        except (Corrupt, OSError) as error:
            wrong[file] = f"{file} cannot be used: {error.strerror if isinstance(error, OSError) else error}."
            continue
        for bad, sentence in wrong.items():
            with suppress(OSError):
                bad.rename(f"{bad}.corrupt")
            tell(f"{sentence} The training goes on from the checkpoint before it, after {found.update} updates.")
        if run is None:
            tell(f"{CONFIG} or {VOCABULARY} in {path} was not as it was written; both are written from the checkpoint.")
        return found
    what = " ".join(wrong.values()) if wrong else "Its training saved none."
    raise InputError(f"There is no checkpoint in {path} to go on from. {what}")


def _identity_of(path: Path) -> str | None:
    """The run that config.json and vocabulary.json are of; None where they are not as they were written."""
    try:
        config = json.loads((path / CONFIG).read_bytes())
        characters = "".join(json.loads((path / VOCABULARY).read_bytes())["characters"])
        run = str(config["run"])
        return run if run == identity(config, characters) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
