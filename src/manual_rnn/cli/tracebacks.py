"""A user's exception as one sentence, and below it the part of the traceback that is in the user's own code."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

import manual_rnn
from manual_rnn.errors import RunError, said_by

PACKAGE = Path(manual_rnn.__file__).parent
OURS = (str(PACKAGE), str(PACKAGE.with_name("reference")), sysconfig.get_path("stdlib"))
"""The frames in these folders say nothing to someone whose own file failed."""


def failure(sentence: str, error: BaseException) -> RunError:
    """One sentence, and below it the traceback from where the user's own code was entered."""
    what = "called sys.exit()" if isinstance(error, SystemExit) else f"raised {said_by(error)}"
    return RunError(f"{sentence}: it {what}", details=own_traceback(error))


def own_traceback(error: BaseException) -> str:
    """The traceback without the frames above the first one that is not ours; all of it where all are ours."""
    told = traceback.TracebackException.from_exception(error, compact=True)
    part: traceback.TracebackException | None = told
    while part is not None:
        frames = list(part.stack)
        first = next((i for i, frame in enumerate(frames) if is_own(frame.filename)), 0)
        part.stack = traceback.StackSummary.from_list(frames[first:])
        part = part.__cause__ or part.__context__
    return "".join(told.format()).rstrip()


def has_own_frames(error: BaseException) -> bool:
    """Whether the exception went through code that is neither ours nor the interpreter's."""
    return any(is_own(frame.filename) for frame in traceback.extract_tb(error.__traceback__))


def is_own(file: str) -> bool:
    """Whether a frame's file is the user's: not of this package, the reference, the interpreter or a library."""
    installed = {"site-packages", "dist-packages"} & set(Path(file).parts)
    return not (installed or file.startswith(("<frozen", "<string>", *OURS)))
