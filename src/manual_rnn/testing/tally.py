"""The count over many judged cases: by equation its largest error and where, by family what was undecided."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from manual_rnn.cell import Cell
from manual_rnn.formulas import formula
from manual_rnn.network import INITIAL, Network
from manual_rnn.testing.end_to_end import BlockCheck
from manual_rnn.testing.families import families_for
from manual_rnn.testing.local import BEFORE, EquationCheck
from manual_rnn.testing.problem import Case, Sizes, Spec, leading_axes
from manual_rnn.testing.profile import Profile
from manual_rnn.testing.report import EquationReport, FamilyCount, Report, Worst


@dataclass
class EquationTally:
    """What is known of one equation after the cases so far."""

    units: float = -1.0
    relative: float = 0.0
    share: float = 0.0
    wrong: int = 0
    wrong_end_to_end: int = 0
    worst: Worst | None = None
    worst_end_to_end: Worst | None = None
    profile: Profile = field(default_factory=Profile)


@dataclass
class Tally:
    """The count of a judge over many cases of one cell or network; tallies of parts of them can be merged."""

    model: Cell | Network
    loss: str = "softmax"
    families: dict[str, FamilyCount] = field(default_factory=dict)
    shapes: set[Sizes] = field(default_factory=set)
    equations: dict[str, EquationTally] = field(default_factory=dict)
    smallest_failure: Spec | None = None

    def add(self, case: Case, local: dict[str, EquationCheck], end_to_end: dict[str, BlockCheck]) -> None:
        """Counts one judged case."""
        spec = case.spec
        self.shapes.add(spec.sizes)
        for name, check in local.items():
            self._add_local(name, check, spec)
        for name, blocks in end_to_end.items():
            self._add_end_to_end(name, blocks, spec)
        count = FamilyCount(
            examples=1,
            ill_conditioned=int(any(blocks.ill_conditioned.any() for blocks in end_to_end.values())),
            undecided=sum(check.wholly_undecided for check in local.values()),
        )
        self.families[spec.family] = self.families.get(spec.family, FamilyCount()) + count
        if not all(c.agree for c in local.values()) or not all(b.agree for b in end_to_end.values()):
            self.smallest_failure = _smaller(self.smallest_failure, spec)

    def _add_local(self, name: str, check: EquationCheck, spec: Spec) -> None:
        tally = self.equations.setdefault(name, EquationTally())
        tally.wrong += not check.agree
        axes = leading_axes(self.model, name)
        errors = np.nan_to_num(check.units, nan=np.inf, posinf=np.inf)
        tally.profile.add(errors, check.undecided, check.bound, spec.sizes.T, every_step=axes == 2)
        where = np.unravel_index(int(np.argmax(errors)), errors.shape)
        if (units := float(errors[where])) > tally.units:
            tally.units, tally.worst = units, Worst.at(where, axes, spec)

    def _add_end_to_end(self, name: str, blocks: BlockCheck, spec: Spec) -> None:
        tally = self.equations[name]
        tally.wrong_end_to_end += not blocks.agree
        error = np.nan_to_num(np.where(blocks.ill_conditioned, 0.0, blocks.error), nan=np.inf, posinf=np.inf)
        with np.errstate(all="ignore"):
            share = np.where(error > 0, error / blocks.budget, 0.0)
        tally.share = max(tally.share, float(np.nan_to_num(share, nan=np.inf, posinf=np.inf).max()))
        largest = float(error.max())
        if largest > tally.relative or tally.worst_end_to_end is None:
            where = np.unravel_index(int(np.argmax(error)), error.shape)
            tally.relative, tally.worst_end_to_end = largest, Worst.at(where, leading_axes(self.model, name), spec)

    def merge(self, other: Tally) -> None:
        """Takes in the count of another part of the cases."""
        self.shapes |= other.shapes
        for family, count in other.families.items():
            self.families[family] = self.families.get(family, FamilyCount()) + count
        for name, theirs in other.equations.items():
            mine = self.equations.setdefault(name, EquationTally())
            mine.wrong += theirs.wrong
            mine.wrong_end_to_end += theirs.wrong_end_to_end
            mine.share = max(mine.share, theirs.share)
            mine.profile.merge(theirs.profile)
            if theirs.units > mine.units:
                mine.units, mine.worst = theirs.units, theirs.worst
            if theirs.relative > mine.relative or mine.worst_end_to_end is None:
                mine.relative, mine.worst_end_to_end = theirs.relative, theirs.worst_end_to_end
        if other.smallest_failure is not None:
            self.smallest_failure = _smaller(self.smallest_failure, other.smallest_failure)

    def report(self, diagnosis: Sequence[str] = ()) -> Report:
        """The count as a report, the equations in the order of the derivation."""
        model = self.model
        equations = [
            EquationReport(
                name=name,
                label=label_of(model, name),
                local_agree=tally.wrong == 0,
                end_to_end_agree=tally.wrong_end_to_end == 0,
                max_error_ulp=tally.units,
                max_relative_error=tally.relative,
                max_share_of_budget=tally.share,
                worst=tally.worst_end_to_end if tally.wrong == 0 and tally.wrong_end_to_end else tally.worst,
                latex=formula(model, name, self.loss),
                by_step=tuple(tally.profile.by_step.tolist()) if leading_axes(model, name) == 2 else (),
                by_length=dict(sorted(tally.profile.by_length.items())),
            )
            for name, tally in self.equations.items()
        ]
        equations.sort(key=lambda equation: _order(equation.label))
        return Report(
            name=model.name,
            families={name: self.families[name] for name in families_for(model) if name in self.families},
            shapes=len(self.shapes),
            max_length=max((sizes.T for sizes in self.shapes), default=0),
            equations=tuple(equations),
            diagnosis=tuple(diagnosis),
            loss=self.loss,
        )


SHARED_LABELS = {"o": "F3", "loss": "F4", "grad_o": "B1", "grad_c": "B2", "grad_V": "B3", "grad_x": "B9"}


def label_of(model: Cell | Network, equation: str) -> str:
    """The number of an equation in the derivation; what all cells share has the same number in all.

    A cell's own equations stand at F2 and B5, under the numbers that it declares.
    """
    backward, variable = equation.startswith("grad_"), equation.removeprefix("grad_")
    cell = next((cell for cell in Network.of(model).cells if variable.startswith(cell.prefix)), None)
    if cell is None:
        return SHARED_LABELS[equation]
    variable = variable.removeprefix(cell.prefix)
    if variable == "x" and not backward:
        return "F5"
    return _label_in(cell.alone(), f"grad_{variable}" if backward else variable)


def _label_in(cell: Cell, equation: str) -> str:
    """That of an equation of one cell, under the cell's own names."""
    labels = dict(SHARED_LABELS)
    for m in cell.maps:
        labels |= {cell.full(m.node): "F1", f"grad_{m.b}": "B6", f"grad_{m.U}": "B8"}
        labels |= {f"grad_{term.weight}": "B7" for term in m.terms}
    for name in cell.states:
        labels |= {f"{cell.full(name)}_{BEFORE}": "F6", f"grad_{name}0": "B10", f"grad_{INITIAL}{name}": "B11"}
    labels |= {f"grad_{cell.full(cell.states[0])}": "B4"}
    own = "B5" if equation.startswith("grad_") else "F2"
    return {**labels, **cell.labels}.get(equation, own)


def _order(label: str) -> tuple[bool, list[int], str]:
    """F2.9 before F2.10, and all that is forward before all that is backward."""
    return (not label.startswith("F"), [int(digits) for digits in re.findall(r"\d+", label)] or [999], label)


def _smaller(first: Spec | None, second: Spec) -> Spec:
    """The spec that is easier to look at: fewer numbers, then fewer steps."""

    def size(spec: Spec) -> tuple[int, int]:
        s = spec.sizes
        return s.T * s.B * (s.n_in + s.n_hidden + s.n_out), s.T

    return second if first is None or size(second) < size(first) else first
