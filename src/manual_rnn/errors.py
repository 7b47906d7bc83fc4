"""What a command of ``manual-rnn`` ends with when it cannot do what it was asked: one sentence, one exit code."""


class CommandError(Exception):
    """A failure that the user is told in one sentence: what was given, what was expected, what to do.

    ``details`` stands below it on stderr: the traceback of the user's own code.
    """

    exit_code = 1
    kind = "error"

    def __init__(self, message: str, *, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class GradientsDisagree(CommandError):
    """The gradients of a training disagree with those of jax.grad."""

    kind = "disagree"


class UsageError(CommandError):
    """The command itself is wrong: an unknown command, option or target; a run folder that is there already."""

    exit_code = 2
    kind = "usage"


class InputError(CommandError):
    """What was given cannot be used: a missing file, its contents, a missing extra."""

    exit_code = 3
    kind = "input"


class RunError(CommandError):
    """Training or a user's function failed: a non-finite loss, an exception, a time limit."""

    exit_code = 4
    kind = "failed"


class Interrupted(CommandError):
    """Ctrl-C."""

    exit_code = 130
    kind = "interrupted"


def said_by(error: BaseException) -> str:
    """An exception's type and what it says; a MemoryError of NumPy's own type is one like any."""
    kind = "MemoryError" if isinstance(error, MemoryError) else type(error).__name__
    try:
        says = str(error)
    except Exception:  # the exception is the user's own, and so is its text
        return kind
    return f"{kind}: {says}" if says else kind
