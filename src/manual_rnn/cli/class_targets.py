"""Targets as the command line was given them: whose code they are, and which files a pattern stands for."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manual_rnn import cells
from manual_rnn.cli.targets import no_target
from manual_rnn.errors import InputError, UsageError


@dataclass(frozen=True)
class Targets:
    """The targets one by one, and whether they are a class: several files, one row each."""

    names: tuple[str, ...]
    own: tuple[str, ...]
    """Those that are a user's code, which runs in a process of its own."""
    pattern: bool

    @property
    def are_a_class(self) -> bool:
        return self.pattern or len(self.own) > 1


def expand(given: Sequence[str]) -> Targets:
    """Every target by its own name; ``students/*.py:NAME`` stands for each file that matches, sorted.

    The shell hands such a pattern on as it is: no file's name ends in ``.py:NAME``.

    Raises:
        UsageError: no file matches, or a target is neither a built-in cell nor has the form SOURCE:NAME.
        InputError: a file that is named is missing.
    """
    names: list[str] = []
    pattern = False
    for target in given or cells.names():
        source, _, name = target.rpartition(":")
        if target not in cells.names() and not (source and name):
            raise no_target(target)
        if glob.has_magic(source) and not Path(source).is_file():
            pattern = True
            names += _matching(source, name)
            continue
        if source.endswith(".py") and not Path(source).is_file():
            raise InputError(f"There is no file {source}.")
        names.append(target)
    once = tuple(dict.fromkeys(names))
    return Targets(once, tuple(name for name in once if name not in cells.names()), pattern)


def _matching(source: str, name: str) -> list[str]:
    found = glob.glob(source, recursive=True)  # noqa: PTH207 (Path.glob takes no absolute pattern)
    files = sorted(file for file in found if Path(file).is_file())
    if not files:
        raise UsageError(f"No file matches {source}; the part before a target's last colon is a path or a pattern.")
    return [f"{file}:{name}" for file in files]
