"""A user's exception as the command line's error: one sentence, and below it the user's part of the traceback."""

from __future__ import annotations

from manual_rnn.errors import RunError, said_by
from manual_rnn.tracebacks import own_traceback


def failure(sentence: str, error: BaseException) -> RunError:
    """One sentence, and below it the traceback from where the user's own code was entered."""
    what = "called sys.exit()" if isinstance(error, SystemExit) else f"raised {said_by(error)}"
    return RunError(f"{sentence}: it {what}", details=own_traceback(error))
