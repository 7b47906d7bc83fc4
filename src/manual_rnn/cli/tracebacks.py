"""A user's exception as the command line's error: one sentence, and below it the user's part of the traceback."""

from __future__ import annotations

from manual_rnn.errors import RunError
from manual_rnn.tracebacks import own_traceback


def failure(sentence: str, error: BaseException) -> RunError:
    """One sentence, and below it the traceback from where the user's own code was entered."""
    said = f": {error}" if str(error) else ""
    what = "called sys.exit()" if isinstance(error, SystemExit) else f"raised {type(error).__name__}{said}"
    return RunError(f"{sentence}: it {what}", details=own_traceback(error))
