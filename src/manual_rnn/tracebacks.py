"""The part of a traceback that is in the user's own code."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

PACKAGE = Path(__file__).parent
OURS = (str(PACKAGE), str(PACKAGE.with_name("reference")), sysconfig.get_path("stdlib"))
"""The frames in these folders say nothing to someone whose own file failed."""


def own_traceback(error: BaseException) -> str:
    """The traceback without the frames above the first one that is not ours; all of it where all are ours."""
    told = traceback.TracebackException.from_exception(error, compact=True)
    part: traceback.TracebackException | None = told
    while part is not None:
        frames = list(part.stack)
        # Of a file that is no Python, nothing ran: what is to be seen is its line, which stands below the frames.
        none = len(frames) if isinstance(error, SyntaxError) else 0
        first = next((i for i, frame in enumerate(frames) if is_own(frame.filename)), none)
        part.stack = traceback.StackSummary.from_list(frames[first:])
        part = part.__cause__ or part.__context__
    return "".join(told.format()).rstrip()


def has_own_frames(error: BaseException) -> bool:
    """Whether the exception went through code that is neither ours nor the interpreter's."""
    return any(is_own(frame.filename) for frame in traceback.extract_tb(error.__traceback__))


def raised_by_us(error: BaseException) -> bool:
    """Whether the exception is a sentence of our own on what a user's function gave: a traceback adds nothing."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.startswith(OURS) and not any(is_own(f.filename) for f in frames)


def is_own(file: str) -> bool:
    """Whether a frame's file is the user's: not of this package, the reference, the interpreter or a library."""
    installed = {"site-packages", "dist-packages"} & set(Path(file).parts)
    return not (installed or file.startswith(("<frozen", "<string>", *OURS)))
