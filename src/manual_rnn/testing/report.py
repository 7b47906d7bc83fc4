"""What the judge found, as an object, as JSON, and as sentences. Rows, sequences and indices count from zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from manual_rnn.testing.problem import Spec


@dataclass(frozen=True)
class FamilyCount:
    """How many cases of a family were judged, and what they could not decide."""

    examples: int = 0
    ill_conditioned: int = 0
    """Cases in which rounding alone may change half of the digits of some gradient, end to end."""
    undecided: int = 0
    """Equations that lay wholly below the format's limit, or cancelled, in one case: counted over the cases."""

    def __add__(self, other: FamilyCount) -> FamilyCount:
        return FamilyCount(
            self.examples + other.examples,
            self.ill_conditioned + other.ill_conditioned,
            self.undecided + other.undecided,
        )


@dataclass(frozen=True)
class Worst:
    """Where an equation's largest error stands, and the case that shows it."""

    t: int | None
    """The row of the arrays: row 0 is step 1 of the derivation. None for a parameter."""
    batch: int | None
    index: tuple[int, ...]
    spec: Spec

    @classmethod
    def at(cls, where: Sequence[Any], axes: int, spec: Spec) -> Worst:
        """From an index into an array whose first ``axes`` axes are (T, B), (B,) or none."""
        numbers = [int(i) for i in where]
        t = numbers[0] if axes == 2 else None
        batch = numbers[axes - 1] if axes else None
        return cls(t, batch, tuple(numbers[axes:]), spec)

    @property
    def place(self) -> str:
        """Where in one phrase: ``t=3 batch=0 [2]``."""
        parts = [f"{name}={number}" for name, number in (("t", self.t), ("batch", self.batch)) if number is not None]
        return " ".join(parts + ([f"[{', '.join(map(str, self.index))}]"] if self.index else []))

    def as_dict(self) -> dict[str, Any]:
        return {"t": self.t, "batch": self.batch, "index": list(self.index), **self.spec.as_dict()}


@dataclass(frozen=True)
class EquationReport:
    """One equation of the derivation over all cases."""

    name: str
    label: str
    local_agree: bool
    end_to_end_agree: bool
    max_error_ulp: float
    """The local verdict's largest error, in units in the last place of the equation's natural scale."""
    max_relative_error: float
    """The end-to-end verdict's largest error, relative to the array at that step, where it can be decided."""
    max_share_of_budget: float
    """The largest end-to-end error as a share of the rounding budget of that array and step: wrong above 1."""
    worst: Worst | None
    latex: str | None = None
    """The equation as LaTeX; None where its cell gives none. Neither this nor what follows is in the JSON."""
    by_step: tuple[float, ...] = ()
    """The local error as a share of its bound, by the columns of :mod:`manual_rnn.testing.profile`; none where the
    equation does not stand at every step."""
    by_length: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    """By T, of the case with the largest share of its bound: the local error in units, and that bound."""

    @property
    def agree(self) -> bool:
        return self.local_agree and self.end_to_end_agree

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "label": self.label,
            "agree": self.agree,
            "max_error_ulp": _finite(self.max_error_ulp),
            "max_relative_error": _finite(self.max_relative_error),
            "max_share_of_budget": _finite(self.max_share_of_budget),
            "worst": self.worst.as_dict() if self.worst else None,
        }


@dataclass(frozen=True)
class Report:
    """The verdict on one cell."""

    name: str
    families: Mapping[str, FamilyCount]
    shapes: int
    max_length: int
    equations: tuple[EquationReport, ...]
    diagnosis: tuple[str, ...]
    loss: str = "softmax"
    setting: str = ""
    """What it was judged in, in words, where that is said. Neither is in the JSON."""

    @property
    def agree(self) -> bool:
        return bool(self.equations) and all(equation.agree for equation in self.equations)

    @property
    def total(self) -> FamilyCount:
        return sum(self.families.values(), start=FamilyCount())

    @property
    def blame(self) -> list[str]:
        """The equations that are wrong by themselves; where none is, the arrays that disagree end to end.

        One wrong equation makes many gradients wrong; only the local verdict tells the one from the many.
        """
        local = [equation.name for equation in self.equations if not equation.local_agree]
        return local or [equation.name for equation in self.equations if not equation.agree]

    def as_dict(self) -> dict[str, Any]:
        """The target's part of the contract's JSON document."""
        return part_of_document(
            self.name,
            agree=self.agree,
            families=self.families,
            shapes=self.shapes,
            max_length=self.max_length,
            equations=[equation.as_dict() for equation in self.equations],
            blame=self.blame,
            diagnosis=self.diagnosis,
        )


def part_of_document(
    name: str,
    *,
    agree: bool,
    families: Mapping[str, FamilyCount],
    shapes: int,
    max_length: int,
    equations: Sequence[Mapping[str, Any]],
    blame: Sequence[str],
    diagnosis: Sequence[str],
) -> dict[str, Any]:
    """What the contract's JSON document promises of every target, judged by equations, as a whole, or not at all."""
    total = sum(families.values(), start=FamilyCount())
    return {
        "name": name,
        "agree": agree,
        "examples": total.examples,
        "shapes": shapes,
        "max_length": max_length,
        "ill_conditioned": total.ill_conditioned,
        "undecided": total.undecided,
        "families": {family: asdict(count) for family, count in families.items()},
        "equations": list(equations),
        "blame": list(blame),
        "diagnosis": list(diagnosis),
    }


def _finite(number: float) -> float | None:
    """JSON has no infinity: an error that is infinite or not a number is null."""
    return number if number < float("inf") else None
