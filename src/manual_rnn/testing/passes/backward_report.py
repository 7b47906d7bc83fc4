"""What the check of a whole backward pass found: as sentences, as JSON, as checks for a test suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from manual_rnn.testing.passes.regimes import Drawn
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.report import FamilyCount, Worst

OUTCOMES = ("right", "right, in another convention", "not returned", "undecided", "wrong")


class WrongBackward(AssertionError):
    """A backward pass that is wrong; the message is the report."""


@dataclass(frozen=True)
class Check:
    """One thing that was checked: a gradient, or a promise such as "leaves its inputs alone"."""

    name: str
    outcome: str
    """"right", "wrong", "undecided" (no case could decide it), "right, in another convention", "not returned"."""
    message: str
    max_relative_error: float | None = None
    """The largest error of any block that could be decided, relative to that block."""
    decided: int = 0
    """Blocks, one a time step and sequence or one an array, that were decided, over all cases."""
    ill_conditioned: int = 0
    undecided: int = 0
    details: str = ""
    """The traceback of the user's own code, where it failed."""
    worst: Worst | None = None
    """Where the largest error stands; the index of a parameter is that into your array."""

    @property
    def agree(self) -> bool:
        return self.outcome in ("right", "right, in another convention", "not returned")

    def raise_if_wrong(self) -> None:
        """Raises WrongBackward with the message, unless all is right."""
        if not self.agree:
            raise WrongBackward(f"{self.name}: {self.said}")

    @property
    def said(self) -> str:
        """The message, and the traceback below it."""
        return f"{self.message}\n{self.details}" if self.details else self.message

    def __str__(self) -> str:
        return self.name

    def as_dict(self) -> dict[str, Any]:
        error = self.max_relative_error
        return {
            "name": self.name,
            "outcome": self.outcome,
            "agree": self.agree,
            "message": self.message,
            "max_relative_error": error if error is not None and error < float("inf") else None,
            "decided": self.decided,
            "ill_conditioned": self.ill_conditioned,
            "undecided": self.undecided,
            "details": self.details,
            "worst": self.worst.as_dict() if self.worst else None,
        }


@dataclass(frozen=True)
class BackwardReport:
    """The verdict on one backward pass."""

    target: Target
    gradients: tuple[Check, ...]
    preflight: tuple[Check, ...]
    families: Mapping[str, FamilyCount]
    """By regime, how many cases were judged, and what they could not decide."""
    shapes: int
    max_length: int
    first_divergence: str = ""
    """Where, on the way back, the first number is off, in the smallest case that fails."""
    diagnosis: tuple[str, ...] = ()
    smallest: Drawn | None = None
    """The smallest case that was found in which the same gradients are wrong."""
    reproduce: str = ""
    """Three lines that show the failure."""
    notes: tuple[str, ...] = field(default=())
    """What the check could not see here, or had to do otherwise."""

    @property
    def cases(self) -> dict[str, int]:
        """How many cases of each regime were judged."""
        return {regime: count.examples for regime, count in self.families.items()}

    @property
    def checks(self) -> tuple[Check, ...]:
        """Everything that was checked: ``@pytest.mark.parametrize("check", report.checks, ids=str)``."""
        return self.preflight + self.gradients

    @property
    def agree(self) -> bool:
        return bool(self.gradients) and all(check.agree for check in self.checks)

    @property
    def wrong(self) -> list[str]:
        return [check.name for check in self.gradients if check.outcome == "wrong"]

    @property
    def right(self) -> list[str]:
        return [check.name for check in self.gradients if check.outcome.startswith("right")]

    def raise_if_wrong(self) -> None:
        """Raises WrongBackward with the whole report, unless all is right."""
        if not self.agree:
            raise WrongBackward(str(self))

    def as_dict(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "version": 1,
            "agree": self.agree,
            "loss": self.target.loss,
            "step_loss": self.target.step_loss,
            "cases": self.cases,
            "gradients": [check.as_dict() for check in self.gradients],
            "preflight": [check.as_dict() for check in self.preflight],
            "wrong": self.wrong,
            "right": self.right,
            "first_divergence": self.first_divergence,
            "diagnosis": list(self.diagnosis),
            "smallest": asdict(self.smallest.sizes) if self.smallest else None,
            "reproduce": self.reproduce,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        count = sum(self.cases.values())
        cases = f"{count} cases ({', '.join(f'{n} {regime}' for regime, n in self.cases.items())})"
        what = "step" if self.target.layout.step else "backward pass"
        lines = [f"The {what} {'agrees' if self.agree else 'does NOT agree'}, over {cases}."]
        lines += [f"  {c.name}: {c.said}" for c in self.preflight if not c.agree]
        lines += [f"  {c.name:<12} {c.outcome}: {c.message}" for c in self.gradients]
        lines += [self.first_divergence] if self.first_divergence else []
        lines += [f"Diagnosis: {sentence}" for sentence in self.diagnosis]
        lines += [f"The same gradients are wrong in the {self.smallest}."] if self.smallest else []
        lines += [f"Note: {note}" for note in self.notes]
        if self.reproduce:
            lines += ["To see it again:", *(f"    {line}" for line in self.reproduce.splitlines())]
        return "\n".join(lines)
