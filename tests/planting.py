"""Plants one mistake in a copy of the hand-derived code, by changing one line of its source."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import manual_rnn

SOURCE = Path(manual_rnn.__file__).parent
DERIVATION = sorted(
    path.relative_to(SOURCE).with_suffix("").as_posix()
    for pattern in ("*.py", "losses/*.py", "cells/*.py")
    for path in SOURCE.glob(pattern)
)
"""What a pass through time may be made of: the modules at the top, the losses, and the cells."""
COUNT = itertools.count()


@dataclass(frozen=True)
class Mistake:
    """One line of the derivation, wrong; ``equations`` are those that the line computes."""

    what: str
    file: str
    right: str
    wrong: str
    equations: tuple[str, ...]

    def __str__(self) -> str:
        return f"{'+'.join(self.equations)}: {self.what}"


@contextmanager
def planted(mistake: Mistake, folder: Path) -> Iterator[ModuleType]:
    """The package with the mistake in it, under a name of its own."""
    name = f"planted_{next(COUNT)}"
    for module in DERIVATION:
        text = (SOURCE / f"{module}.py").read_text(encoding="utf-8").replace("manual_rnn", name)
        if module == mistake.file:
            assert text.count(mistake.right) == 1, f"{mistake.file}.py must have one line {mistake.right!r}"
            text = text.replace(mistake.right, mistake.wrong)
        target = folder / name / f"{module}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
        for loaded in [module for module in sys.modules if module.split(".")[0] == name]:
            del sys.modules[loaded]
