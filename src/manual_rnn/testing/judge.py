"""The judge: draws cases, asks the oracle, passes both verdicts on each, and keeps count of everything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from manual_rnn.bptt import forward_and_backward
from manual_rnn.cell import Cell
from manual_rnn.testing.end_to_end import BlockCheck, end_to_end_verdict
from manual_rnn.testing.families import build, families_for
from manual_rnn.testing.local import EquationCheck, Manual, local_verdict
from manual_rnn.testing.problem import Answer, Case, Oracle, Sizes, Spec, leading_axes
from manual_rnn.testing.report import EquationReport, FamilyCount, Report, Worst
from manual_rnn.testing.scales import natural_scales

CHUNK = 64
"""Cases of one shape that are built and answered at a time: bounds the memory."""


class CellFailure(Exception):
    """The manual pass raised an exception, which is this one's cause; the sentence says on which case."""


def verify(
    cell: Cell,
    oracle: Oracle,
    *,
    examples: int = 300,
    seed: int = 0,
    manual: Manual = forward_and_backward,
    progress: Callable[[int], None] = lambda count: None,
) -> Report:
    """Judges a cell on drawn cases of every family that applies to it.

    Args:
        cell: the derivation to be judged.
        oracle: the source of truth, ``reference.autodiff("rnn")`` for example.
        examples: how many cases; each family gets its even share.
        seed: the same seed draws the same cases.
        manual: the pass through time to be judged, with the signature of ``bptt.forward_and_backward``.
        progress: called with the number of cases judged since the last call.

    Raises:
        ValueError: the cell and the oracle do not have the same nodes, or an array has the wrong shape.
        CellFailure: the cell's own code raised an exception.
    """
    # Drawing needs Hypothesis; a judge that is handed its cases does not.
    from manual_rnn.testing.strategies import draw_specs

    return judge(cell, oracle, draw_specs(cell, examples, seed), manual=manual, progress=progress).report()


def judge(
    cell: Cell,
    oracle: Oracle,
    specs: Iterable[Spec],
    *,
    manual: Manual = forward_and_backward,
    progress: Callable[[int], None] = lambda count: None,
) -> Tally:
    """Judges the cases of these specs, in groups of one shape, and returns the count."""
    tally = Tally(cell)
    groups: dict[tuple[Sizes, str], list[Spec]] = defaultdict(list)
    for spec in specs:
        groups[spec.sizes, spec.dtype].append(spec)
    for group in groups.values():
        for start in range(0, len(group), CHUNK):
            cases = [build(cell, spec) for spec in group[start : start + CHUNK]]
            for case, answer in zip(cases, oracle([case.for_oracle() for case in cases]), strict=True):
                tally.add(case, *verdicts(cell, case, answer, manual=manual))
            progress(len(cases))
    return tally


def verdicts(
    cell: Cell, case: Case, answer: Answer, *, manual: Manual = forward_and_backward
) -> tuple[dict[str, EquationCheck], dict[str, BlockCheck]]:
    """Both verdicts on one case: by equation, and end to end."""
    try:
        with np.errstate(all="ignore"):
            scales = natural_scales(cell, case, answer)
        local = local_verdict(cell, case, answer, scales, manual=manual)
        return local, end_to_end_verdict(cell, case, answer, scales, manual=manual)
    except ValueError as error:
        raise ValueError(f"The cell {cell.name!r} at {case.spec.sizes}: {error}") from error
    except Exception as error:
        raise CellFailure(
            f"The cell {cell.name!r} raised {type(error).__name__} at {case.spec.sizes}: {error}"
        ) from error


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


@dataclass
class Tally:
    """The count of a judge over many cases of one cell; tallies of parts of them can be merged."""

    cell: Cell
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
        where = np.unravel_index(int(np.argmax(np.nan_to_num(check.units, nan=np.inf))), check.units.shape)
        units = float(np.nan_to_num(check.units[where], nan=np.inf, posinf=np.inf))
        if units > tally.units:
            tally.units, tally.worst = units, Worst.at(where, leading_axes(self.cell, name), spec)

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
            tally.relative, tally.worst_end_to_end = largest, Worst.at(where, leading_axes(self.cell, name), spec)

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
            if theirs.units > mine.units:
                mine.units, mine.worst = theirs.units, theirs.worst
            if theirs.relative > mine.relative or mine.worst_end_to_end is None:
                mine.relative, mine.worst_end_to_end = theirs.relative, theirs.worst_end_to_end
        if other.smallest_failure is not None:
            self.smallest_failure = _smaller(self.smallest_failure, other.smallest_failure)

    def report(self, diagnosis: Sequence[str] = ()) -> Report:
        """The count as a report on the cell, its equations in the order of the derivation."""
        cell = self.cell
        equations = [
            EquationReport(
                name=name,
                label=label_of(cell, name),
                local_agree=tally.wrong == 0,
                end_to_end_agree=tally.wrong_end_to_end == 0,
                max_error_ulp=tally.units,
                max_relative_error=tally.relative,
                max_share_of_budget=tally.share,
                worst=tally.worst_end_to_end if tally.wrong == 0 and tally.wrong_end_to_end else tally.worst,
            )
            for name, tally in self.equations.items()
        ]
        equations.sort(key=lambda equation: _order(equation.label))
        return Report(
            name=cell.name,
            families={name: self.families[name] for name in families_for(cell) if name in self.families},
            shapes=len(self.shapes),
            max_length=max((sizes.T for sizes in self.shapes), default=0),
            equations=tuple(equations),
            diagnosis=tuple(diagnosis),
        )


SHARED_LABELS = {"o": "F3", "loss": "F4", "grad_o": "B1", "grad_c": "B2", "grad_V": "B3"}


def label_of(cell: Cell, equation: str) -> str:
    """The number of an equation in the cell's derivation; what all cells share has the same number in all."""
    labels = SHARED_LABELS | {"grad_x": "B9"}
    for m in cell.maps:
        labels |= {m.node: "F1", f"grad_{m.b}": "B6", f"grad_{m.W}": "B7", f"grad_{m.U}": "B8"}
    for state in cell.states:
        labels |= {f"grad_{state}": "B4", f"grad_{state}0": "B10"}
    return (labels | dict(cell.labels)).get(equation, "")


def _order(label: str) -> tuple[bool, int, str]:
    digits = "".join(character for character in label if character.isdigit())
    return (not label.startswith("F"), int(digits or 999), label)


def _smaller(first: Spec | None, second: Spec) -> Spec:
    """The spec that is easier to look at: fewer numbers, then fewer steps."""

    def size(spec: Spec) -> tuple[int, int]:
        s = spec.sizes
        return s.T * s.B * (s.n_in + s.n_hidden + s.n_out), s.T

    return second if first is None or size(second) < size(first) else first
