"""Around every call into a user's code: its prints are no result of ours, and what it raises is told as it is."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from manual_rnn.errors import InputError, RunError
from manual_rnn.tracebacks import has_own_frames, own_traceback


@contextlib.contextmanager
def users_code() -> Iterator[None]:
    """Turns the failures of a judged cell into the command line's errors; its prints go to stderr.

    Raises:
        RunError: the cell's code, or its partner's, raised an exception or called sys.exit; its traceback is kept.
        InputError: the cell and its partner do not fit together.
    """
    import threadpoolctl

    from manual_rnn.testing import CellFailure

    try:
        # The products are small: a second BLAS thread costs more than it brings.
        with contextlib.redirect_stdout(sys.stderr), threadpoolctl.threadpool_limits(1):
            yield
    except CellFailure as error:
        # Where a partner hands back what it must not, only our own code raised: the sentence says it.
        cause = error.__cause__ or error
        raise RunError(str(error), details=own_traceback(cause) if has_own_frames(cause) else "") from error
    except ValueError as error:
        raise InputError(str(error)) from error
