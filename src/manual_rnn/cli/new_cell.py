"""``manual-rnn new-cell``: a file to start a cell from, which passes as it is."""

from __future__ import annotations

import ast
import keyword
import shlex
import sys
from importlib.resources import files
from pathlib import Path

from manual_rnn.errors import InputError, UsageError


def new_cell(name: str, /, *, out: Path | None = None) -> int:
    """Write the skeleton of a cell: forward and backward in NumPy, and its partner in JAX that judges them.

    Args:
        name: What the cell is called, in the file and in reports.
        out: The file to make; NAME.py in this folder if left out. A file that is there is never overwritten.
    """
    path = Path(f"{name}.py") if out is None else out
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(f"{name!r} cannot name a cell: it must be a Python identifier, such as my_rnn.")
    if name in taken_names():
        raise UsageError(f"{name!r} is a name that the file itself needs; the cell needs another one.")
    if path.suffix != ".py":
        raise UsageError(f"--out is {path}; the file of a cell ends in .py.")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(skeleton(name, path))
    except FileExistsError as error:
        raise UsageError(f"{path} is there already; it is not overwritten. Name another file with --out.") from error
    except OSError as error:
        raise InputError(f"{path} could not be written: {error.strerror or error}.") from error
    print(path, flush=True)
    print(f"Next: manual-rnn verify {shlex.quote(f'{path}:{name}')}", file=sys.stderr)
    return 0


def skeleton(name: str, path: Path) -> str:
    """The text of the file."""
    return _template().replace("{NAME}", name).replace("{FILE}", path.name)


def taken_names() -> set[str]:
    """What the file itself calls its imports, constants and functions."""
    taken: set[str] = set()
    for statement in ast.parse(_template().replace("{NAME}", "the_cell")).body:
        if isinstance(statement, ast.FunctionDef):
            taken.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            taken |= {imported.asname or imported.name for imported in statement.names}
        elif isinstance(statement, ast.Assign):
            taken |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return taken - {"the_cell"}


def _template() -> str:
    return files("manual_rnn.cli").joinpath("new_cell.py.txt").read_text(encoding="utf-8")
