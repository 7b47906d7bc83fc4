"""A target that came to no verdict, in the place that its report would have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from manual_rnn.cli.memory import in_words
from manual_rnn.cli.tracebacks import failure
from manual_rnn.errors import CommandError, InputError, RunError, UsageError
from manual_rnn.testing.report import part_of_document
from manual_rnn.tracebacks import has_own_frames, own_traceback


@dataclass(frozen=True)
class Failed:
    """What happened to a target, in one sentence."""

    name: str
    kind: str
    """As in the contract's errors: usage (no such name), input (no cell), failed (exception, crash, time limit)."""
    message: str
    details: str = ""
    """The traceback of the user's own code, where there is one."""

    @property
    def agree(self) -> bool:
        return False

    @property
    def blame(self) -> list[str]:
        """No equation: none was judged to its end."""
        return []

    @property
    def diagnosis(self) -> tuple[str, ...]:
        """The sentence alone."""
        return (" ".join(self.message.split()),)

    @property
    def error(self) -> CommandError:
        """The same as the error with which a command ends that was asked for this target alone."""
        errors = {error.kind: error for error in (UsageError, InputError, RunError)}
        return errors[self.kind](self.message, details=self.details)

    def as_dict(self) -> dict[str, Any]:
        """All keys that a judged target has in the JSON document, so that its readers do not break; and "error"."""
        promised = part_of_document(
            self.name,
            agree=False,
            families={},
            shapes=0,
            max_length=0,
            equations=[],
            blame=self.blame,
            diagnosis=self.diagnosis,
        )
        return {**promised, "error": {"kind": self.kind, "message": self.message, "details": self.details}}


def failed(name: str, error: BaseException) -> Failed:
    """What an exception means that came out of judging a target."""
    own = next((cause for cause in _causes(error) if has_own_frames(cause)), None)
    if isinstance(error, InputError) and own is not None:  # a ValueError, which was the user's code's and not ours
        return Failed(name, RunError.kind, str(error), own_traceback(own))
    if isinstance(error, CommandError):
        return Failed(name, error.kind, str(error), error.details)
    told = failure(f"{name} failed while it was judged", own or error)
    return Failed(name, told.kind, str(told), told.details)


def with_the_limit(found: Failed, error: BaseException, memory_limit: int) -> Failed:
    """The same, saying how much memory there was where that is what ran out."""
    if not memory_limit or not any(isinstance(cause, MemoryError) for cause in _causes(error)):
        return found
    said = f"{found.message.rstrip('.')}; it may take {in_words(memory_limit)}, --memory-limit allows for more."
    return replace(found, message=said)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
