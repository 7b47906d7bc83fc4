"""The folder of a study: a file for every finished trial, there whole or not at all, under the hash of what was run.

    study.json                    the study's name
    trials/KEY-CODE.json          a result (manual_rnn.studies.record)
    failed/KEY-CODE.json          a trial whose function raised, with the traceback
    set_aside/                    files that were found corrupt
    runs/                         a file for each run: versions, and when, where and how long each trial was

KEY is of the configuration and the seed, CODE of the study's function: results of older code stay beside the new.
No file is ever changed, only put in its place by a rename; so two runs on one folder need not know of each other, and
whatever kills one leaves what is finished, and at most one hidden file that nobody reads. A result is on the disk
itself before its trial counts as finished (:mod:`manual_rnn.files`), so a loss of power costs no more than a kill; only
the times in runs/ are left to the system. What it costs: benchmarks/study_overhead.py.

Looked at before this was written: signac 2.4, whose layout (a hash of the sorted JSON) this has. Its job is a folder
with two files, 0.3 ms; it holds no checksum (a changed digit in a job's document is read as it is, a cut one ends in a
JSONDecodeError), no failure, no version of code; and what it has besides, its queries and synchronised documents, is
not needed here.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manual_rnn.errors import InputError, UsageError
from manual_rnn.files import sync_folder, write_whole
from manual_rnn.studies.record import Corrupt, Record


@dataclass(frozen=True)
class Entry:
    """A file of the folder, told from its name alone."""

    key: str
    code: str
    path: Path
    modified: float
    """Seconds since 1970."""


@dataclass(frozen=True)
class Store:
    """The folder of a study. A folder that does not exist is one without results."""

    path: Path

    def open(self, name: str) -> None:
        """Makes the folder for a study of that name.

        Raises:
            UsageError: it holds another study.
            InputError: it cannot be made or written.
        """
        held = self.holds()
        if held is not None and held != name:
            raise UsageError(f"{self.path} holds the study {held!r}, not {name!r}; name another folder with --out.")
        try:
            for part in ("trials", "failed", "runs"):
                (self.path / part).mkdir(parents=True, exist_ok=True)
            if held is None:
                write_whole(self.path / "study.json", json.dumps({"version": 1, "study": name}).encode() + b"\n")
                sync_folder(self.path.parent)
        except OSError as error:
            raise InputError(f"The study's folder {self.path} cannot be written: {error.strerror}.") from None

    def holds(self) -> str | None:
        """The name of the study whose folder this is; None where it is nobody's yet."""
        try:
            name = json.loads((self.path / "study.json").read_bytes())["study"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return str(name)

    def results(self) -> dict[str, list[Entry]]:
        """The files of results by key, the latest last. They are not opened."""
        return self._entries("trials")

    def failures(self) -> dict[str, list[Entry]]:
        """The same of the trials that have failed."""
        return self._entries("failed")

    def has(self, key: str, code: str) -> bool:
        """Whether there is a result, corrupt or not, of that trial by that code."""
        return (self.path / "trials" / f"{key}-{code}.json").exists()

    def keep(self, record: Record) -> None:
        """Puts a result on the disk. Raises InputError where the disk takes it not."""
        name = f"{record.trial.key}-{record.code}.json"
        self._write(self.path / "trials" / name, record.to_bytes())
        with contextlib.suppress(OSError):  # it counts no more, now that there is a result
            (self.path / "failed" / name).unlink()

    def keep_failure(self, key: str, code: str, content: Mapping[str, Any]) -> None:
        """Puts on the disk how a trial failed."""
        told = json.dumps({"version": 1, **content}, indent=1).encode() + b"\n"
        self._write(self.path / "failed" / f"{key}-{code}.json", told)

    def read(self, entry: Entry) -> Record:
        """A result. Raises Corrupt, saying of which file, where it is not what was written."""
        try:
            return Record.from_bytes(entry.path.read_bytes(), entry.key)
        except (Corrupt, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise Corrupt(f"{entry.path} cannot be used: {why}.") from None

    def read_failure(self, entry: Entry) -> dict[str, Any]:
        """How a trial failed; of a file that cannot be read, that."""
        try:
            content: dict[str, Any] = json.loads(entry.path.read_bytes())
            return {**content, "error": str(content["error"]), "traceback": str(content["traceback"])}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {"error": f"{entry.path} cannot be read.", "traceback": ""}

    def set_aside(self, entry: Entry) -> Path:
        """Moves a corrupt file out of the way and says where to; nothing is deleted."""
        place = self.path / "set_aside"
        try:
            place.mkdir(exist_ok=True)
            moved = place / f"{entry.path.name}.{sum(1 for _ in place.iterdir())}"
            entry.path.replace(moved)
        except FileNotFoundError:  # another run on this folder was quicker
            return place
        except OSError as error:
            raise InputError(f"{entry.path} is corrupt and cannot be moved to {place}: {error.strerror}.") from None
        return moved

    def _entries(self, part: str) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        try:
            with os.scandir(self.path / part) as files:
                for file in files:
                    key, dash, code = file.name.removesuffix(".json").partition("-")
                    if dash and file.name.endswith(".json") and not file.name.startswith("."):
                        with contextlib.suppress(FileNotFoundError):  # another run has just moved it away
                            entry = Entry(key, code, Path(file.path), file.stat().st_mtime)
                            found.setdefault(key, []).append(entry)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise InputError(f"The study's folder {self.path} cannot be read: {error.strerror}.") from None
        for entries in found.values():
            entries.sort(key=lambda entry: entry.modified)
        return found

    def _write(self, path: Path, content: bytes) -> None:
        try:
            write_whole(path, content)
        except OSError as error:
            raise InputError(
                f"{path} cannot be written: {error.strerror}. What was finished before is kept; when there is room, "
                "the same command does the rest."
            ) from None
