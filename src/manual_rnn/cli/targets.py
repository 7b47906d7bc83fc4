"""What ``verify`` can be pointed at: a built-in cell by name, ``path/to/file.py:NAME`` or ``module:NAME``."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from manual_rnn import cells
from manual_rnn.cell import Cell
from manual_rnn.cli.setting import Setting
from manual_rnn.cli.tracebacks import failure
from manual_rnn.errors import InputError, UsageError

SINGLE = Setting()


def find(target: str, kinds: tuple[type, ...]) -> Any:
    """What a target names: a built-in cell, or whatever stands under that name in a user's file or module.

    Args:
        kinds: of what a user may have meant, where the name is not there.

    Raises:
        UsageError: there is no such target; the sentence says which exist.
        InputError: the file is missing.
        RunError: the file could not be run; its own traceback stands below the sentence.
    """
    if target in cells.names():
        return cells.get(target)
    source, colon, name = target.rpartition(":")
    if not colon or not source or not name:
        raise no_target(target)
    module = _load(source)
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items() if isinstance(value, kinds)]
        raise UsageError(f"{source} has no {name!r}; what can be verified in it: {', '.join(own) or 'nothing'}.")
    return getattr(module, name)


def no_target(target: str) -> UsageError:
    """The error where a target is neither a built-in cell nor has the form SOURCE:NAME."""
    return UsageError(
        f"There is no target {target!r}. The built-in cells are {', '.join(cells.names())}; "
        "a cell or a Target of your own is path/to/file.py:NAME or module:NAME."
    )


def find_oracle(cell: Cell, setting: Setting = SINGLE) -> Any:
    """The autodiff of a cell's partner: the one place where the manual and the reference package meet."""
    from manual_rnn.cli.kept_answers import kept_for

    return kept_for(cell.against or cell.name) or find_autodiff(cell, setting)


def find_autodiff(cell: Cell, setting: Setting) -> Any:
    """The autodiff itself, with its compiled functions kept on this machine."""
    import reference
    from manual_rnn.cli.caches import use_compilation_cache

    use_compilation_cache()
    try:
        return reference.autodiff(cell.against or cell.name, readout_of=cell.states[0], **setting.of_layers)
    except ValueError as error:
        raise InputError(
            f"The cell {cell.name!r} has no partner to be compared with: give it against=<one step in JAX>, "
            f"or the name of a cell that has one ({', '.join(cells.names())})."
        ) from error


def _load(source: str) -> ModuleType:
    if source.endswith(".py") and not Path(source).is_file():
        raise InputError(f"There is no file {source}.")
    try:
        # What a user's file prints is not a result of ours.
        with contextlib.redirect_stdout(sys.stderr):
            if source.endswith(".py"):
                path = Path(source)
                return _load_file(path, str(path.parent.resolve()), path.stat().st_mtime_ns)
            sys.path.insert(0, "")  # a module of the working folder, as python -m finds it
            return importlib.import_module(source)
    except ModuleNotFoundError as error:
        if error.name == source.partition(".")[0]:
            raise UsageError(f"There is no module {source!r}; a file is named with its .py.") from error
        raise failure(f"{source} could not be loaded", error) from error
    except (Exception, SystemExit) as error:
        raise failure(f"{source} could not be loaded", error) from error


@lru_cache
def _load_file(path: Path, folder: str, modified: int) -> ModuleType:
    """The file as a module: run once, unless it has been changed since."""
    # A name of its own and the end of the path: a file called random.py is not the module random.
    specification = importlib.util.spec_from_file_location(f"target_{path.stem}", path)
    if specification is None or specification.loader is None:
        raise InputError(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module  # dataclasses look themselves up there
    if folder not in sys.path:
        sys.path.append(folder)
    specification.loader.exec_module(module)
    return module
