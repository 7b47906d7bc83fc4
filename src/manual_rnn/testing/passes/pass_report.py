"""The verdict on a whole pass as plain data: what one process hands to another, in the words of a cell's report.

A :class:`BackwardReport` holds the target, whose functions cannot be sent anywhere. This holds what was found, with
every key that the command line's JSON document promises of a target, and what a whole pass has besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from manual_rnn.testing.passes.backward_report import BackwardReport, Check
from manual_rnn.testing.passes.truth import cell_of, has_cell
from manual_rnn.testing.problem import Spec
from manual_rnn.testing.report import FamilyCount, part_of_document
from manual_rnn.testing.tally import label_of

RUNS = "runs"
"""The promise that is broken where a user's function raised or hung on some cases only."""


@dataclass(frozen=True)
class Gradient:
    """One gradient over all cases, under its user's name."""

    check: Check
    label: str
    """The number of its equation in the derivation of the built-in cell that it is held against; else empty."""
    epsilon: float
    """The unit in the last place of 1, in the format that the arrays came in."""

    @property
    def name(self) -> str:
        return self.check.name

    @property
    def agree(self) -> bool:
        return self.check.agree

    @property
    def error(self) -> float | None:
        """The largest, relative to its block's largest number; None where nothing was compared or could be decided."""
        return self.check.max_relative_error

    def as_dict(self) -> dict[str, Any]:
        error, worst = self.error, self.check.worst
        finite = error if error is not None and error < float("inf") else None
        place = worst.as_dict() if worst else None
        if place is not None:
            del place["severity"]  # a regime is drawn at its full range
        return {
            "name": self.name,
            "label": self.label,
            "agree": self.agree,
            "max_error_ulp": None if finite is None else finite / self.epsilon,
            "max_relative_error": finite,
            "worst": place,
            "outcome": self.check.outcome,
            "message": self.check.message,
        }


@dataclass(frozen=True)
class PassReport:
    """The verdict on one function that returns gradients."""

    name: str
    what: str
    """What it is a verdict on: "a whole backward pass"."""
    source: str
    """Where the right gradients come from: "autodiff of rnn"."""
    loss: str
    step_loss: str
    equations: tuple[Gradient, ...]
    preflight: tuple[Check, ...]
    families: Mapping[str, FamilyCount]
    shapes: int
    max_length: int
    explained: tuple[str, ...]
    """The mistake that gives all the numbers, where one does; or that none is known that does."""
    first_divergence: str
    smallest: Spec | None
    reproduce: str
    notes: tuple[str, ...]

    @classmethod
    def of(cls, name: str, found: BackwardReport) -> PassReport:
        """The same verdict without the functions, under the name that the target was given by."""
        target, small = found.target, found.smallest
        epsilon = float(np.finfo(target.dtype).eps)

        def label(gradient: str) -> str:
            ours = target.layout.ours(gradient.removeprefix("grad_"))
            return label_of(cell_of(target), f"grad_{ours}") if has_cell(target) else ""

        return cls(
            name=name,
            what="a step" if target.layout.step else "a whole backward pass",
            source=getattr(target.against, "source", "an oracle of your own"),
            loss=target.loss,
            step_loss=target.step_loss,
            equations=tuple(Gradient(check, label(check.name), epsilon) for check in found.gradients),
            preflight=found.preflight,
            families=found.families,
            shapes=found.shapes,
            max_length=found.max_length,
            explained=found.diagnosis,
            first_divergence=found.first_divergence,
            smallest=Spec(small.regime, small.sizes, target.dtype, small.seed, 0) if small else None,
            reproduce=found.reproduce,
            notes=found.notes,
        )

    @property
    def agree(self) -> bool:
        return bool(self.equations) and all(gradient.agree for gradient in self.equations) and not self.broken

    @property
    def broken(self) -> list[Check]:
        """The promises that it does not keep."""
        return [promise for promise in self.preflight if not promise.agree]

    @property
    def only_failed(self) -> bool:
        """Whether nothing is wrong but that it raised or hung on some cases."""
        return all(gradient.agree for gradient in self.equations) and [p.name for p in self.broken] == [RUNS]

    @property
    def total(self) -> FamilyCount:
        return sum(self.families.values(), start=FamilyCount())

    @property
    def blame(self) -> list[str]:
        """The gradients that are wrong. A whole pass exposes no equations: one mistake may stand behind all of them."""
        return [gradient.name for gradient in self.equations if gradient.check.outcome == "wrong"]

    @property
    def diagnosis(self) -> tuple[str, ...]:
        """What is wrong, as sentences: the mistake, the promises that are broken, where the numbers first differ."""
        unknown = [sentence for sentence in self.explained if sentence.startswith("No ")]
        mistakes = [sentence for sentence in self.explained if sentence not in unknown]
        promises = [f"{promise.name}: {promise.message}" for promise in self.broken]
        open_ = [f"{g.name}: {g.check.message}" for g in self.equations if g.check.outcome == "undecided"]
        divergence = [self.first_divergence] if self.first_divergence else []
        return (*mistakes, *promises, *open_, *divergence, *unknown)

    def as_dict(self) -> dict[str, Any]:
        """The target's part of the contract's JSON document, and what a whole pass has besides."""
        small = self.smallest
        promised = part_of_document(
            self.name,
            agree=self.agree,
            families=self.families,
            shapes=self.shapes,
            max_length=self.max_length,
            equations=[gradient.as_dict() for gradient in self.equations],
            blame=self.blame,
            diagnosis=self.diagnosis,
        )
        return {
            **promised,
            "what": self.what,
            "against": self.source,
            "loss": self.loss,
            "step_loss": self.step_loss,
            "preflight": [
                {"name": p.name, "agree": p.agree, "message": p.message, "details": p.details} for p in self.preflight
            ],
            "first_divergence": self.first_divergence,
            "smallest": {"sizes": asdict(small.sizes), "family": small.family, "seed": small.seed} if small else None,
            "reproduce": self.reproduce,
            "notes": list(self.notes),
        }
