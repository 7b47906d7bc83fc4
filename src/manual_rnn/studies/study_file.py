"""The file that says what a study is, ``STUDY = Study(…)``, and its function for other processes.

What is sent to a worker is the file's text, not its name: every worker runs what the driver has read, though the file
is edited in the meantime or stands on no disk of the worker's. What the file imports has to be there.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import traceback
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from manual_rnn.errors import InputError, RunError, UsageError, said_by
from manual_rnn.studies.compute import NotLoaded
from manual_rnn.studies.study import Study
from manual_rnn.studies.version import version_in, version_of
from manual_rnn.tracebacks import PACKAGE, own_traceback

DEFAULT = "STUDY"


@dataclass(frozen=True)
class SentFunction:
    """A study's function, loaded from the text of its file wherever it is called first."""

    path: str
    source: bytes
    name: str
    """Of the study in the file."""

    def __call__(self, configuration: Any, seed: Any) -> Any:
        return self._study().function(configuration, seed)

    def _study(self) -> Study:
        try:
            study: Study = getattr(_module(self.path, self.source), self.name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise NotLoaded(f"{Path(self.path).name} could not be loaded: it raised {said_by(error)}") from None
        return study


def load(target: str) -> tuple[Study, str]:
    """(a study whose function can be sent, the version of its code) of ``FILE.py`` or ``FILE.py:NAME``.

    Raises:
        UsageError: the file has no study of that name; the sentence says which it has.
        InputError: there is no such file, it has no STUDY, or what it says of its study makes none.
        RunError: the file could not be run; its own traceback stands below the sentence.
    """
    file, name = (target, DEFAULT) if target.endswith(".py") else target.rpartition(":")[::2]
    path = Path(file)
    if not file.endswith(".py"):
        raise UsageError(f"{target!r} is no study file; expected FILE.py, or FILE.py:NAME where it has several.")
    try:
        source = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {file}.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None
    module = _loaded(str(path.resolve()), source, file)
    found = getattr(module, name, None)
    if not isinstance(found, Study):
        raise _no_study(module, file, target, name, found)
    sent = SentFunction(str(path.resolve()), source, name)
    return replace(found, function=sent), _version(found, sent)


def _no_study(module: ModuleType, file: str, target: str, name: str, found: Any) -> InputError | UsageError:
    have = [key for key, value in vars(module).items() if isinstance(value, Study)]
    if found is not None:
        return InputError(f"{name} in {file} is of the type {type(found).__name__}; expected a Study.")
    if target == file:
        others = f"; it has {', '.join(have)}: say {file}:{have[0]}" if have else ""
        return InputError(f"{file} has no STUDY{others or '; expected STUDY = Study(…) in it'}.")
    return UsageError(f"{file} has no study {name!r}; the studies in it: {', '.join(have) or 'none'}.")


def _version(study: Study, sent: SentFunction) -> str:
    function = study.function
    if getattr(getattr(function, "__code__", None), "co_filename", None) == sent.path:
        return version_in(sent.source, getattr(function, "__name__", ""))
    return version_of(function)


def _loaded(path: str, source: bytes, file: str) -> ModuleType:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a user's file prints is not a result of ours
            return _module(path, source)
    except ValueError as error:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((frame.lineno for frame in reversed(frames) if frame.filename == path), None)
        if line is not None and frames[-1].filename.startswith(str(PACKAGE)):
            raise InputError(f"{file}, line {line}: {error}") from None
        raise _failure(file, error) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _failure(file, error) from error


def _failure(file: str, error: BaseException) -> RunError:
    return RunError(f"{file} could not be loaded: it raised {said_by(error)}", details=own_traceback(error))


@lru_cache
def _module(path: str, source: bytes) -> ModuleType:
    """The text as a module of a name of its own: a file called random.py is not the module random."""
    specification = importlib.util.spec_from_loader(f"study_{Path(path).stem}", loader=None, origin=path)
    if specification is None:
        raise ImportError(f"{path} cannot be made a module.")
    module = importlib.util.module_from_spec(specification)
    module.__file__ = path
    sys.modules[module.__name__] = module  # dataclasses look themselves up there
    folder = str(Path(path).parent)
    if folder not in sys.path:
        sys.path.append(folder)
    exec(compile(source, path, "exec", dont_inherit=True), vars(module))  # with its own __future__, not ours
    return module
