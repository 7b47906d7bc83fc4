"""The mutation score: how good the judge is, measured on mistakes that are made from the derivation mechanically.

Each term of each equation is dropped, negated, counted twice, shifted in time, transposed, exchanged, or left out at
some steps; each array is scaled and averaged. Each such mistake is planted by itself in the right code, which is then
judged like anyone's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from manual_rnn.cell import Array, Cell
from manual_rnn.tape import Tape
from manual_rnn.testing.families import build
from manual_rnn.testing.judge import verdicts
from manual_rnn.testing.local import Manual
from manual_rnn.testing.mistakes.explain import explain, formulas, gives, observe, simple_formulas
from manual_rnn.testing.mistakes.formula import Formula, Observed
from manual_rnn.testing.mistakes.planting import planted
from manual_rnn.testing.problem import Answer, Case, Oracle, Sizes, Spec
from manual_rnn.testing.tally import Tally

SPECS = [
    Spec(family, sizes, "float64", seed, severity)
    for family, severity in (("ordinary", 40), ("ordinary", 90), ("vanished", 10))
    for sizes in (Sizes(8, 2, 3, 8, 5), Sizes(7, 4, 3, 2, 2))
    for seed in range(2)
]
ELSEWHERE = 1000
"""The seed of cases that neither the mistake nor its explanation has seen."""


@dataclass
class Score:
    """Counts of planted mistakes; what escaped is kept by its sentence."""

    planted: int = 0
    failed: int = 0
    """Those with which the judge fails the cell."""
    named: int = 0
    """Those for which it blames exactly the equation that is wrong."""
    diagnosed: int = 0
    """Those of which it says a mistake that gives the same numbers in cases never seen."""
    wrong: int = 0
    """Those of which it says another."""
    missed: list[str] = field(default_factory=list)

    def __add__(self, other: Score) -> Score:
        counts = {name: number + other.as_dict()[name] for name, number in self.as_dict().items()}
        return Score(**counts, missed=self.missed + other.missed)

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("planted", "failed", "named", "diagnosed", "wrong")}


def mutants(cell: Cell, observed: dict[str, list[Observed]]) -> Iterator[tuple[str, Formula]]:
    """Every mistake of one change, by equation; those that give the right numbers are none."""
    for equation, seen in observed.items():
        whole = (f for f in simple_formulas(cell, equation, seen) if not f.measured)
        for formula in (*whole, *formulas(cell, equation, seen[:1])):
            if formula.edits == 1 and not formula.measured and not _is_right(formula, seen):
                yield equation, formula


def mutation_score(cell: Cell, oracle: Oracle, *, progress: Callable[[int], None] = lambda count: None) -> Score:
    """Plants every mutant of a cell, one at a time, and counts what the judge makes of it."""
    cases = [build(cell, spec) for spec in SPECS]
    answered = [(case, oracle([case.for_oracle()])[0]) for case in cases]
    fresh = observe(cell, oracle, seed=ELSEWHERE)
    total = Score()
    for equation, mutant in mutants(cell, observe(cell, oracle)):
        total += _judge_mutant(cell, oracle, equation, mutant, answered, fresh[equation])
        progress(1)
    return total


def _judge_mutant(
    cell: Cell,
    oracle: Oracle,
    equation: str,
    mutant: Formula,
    answered: Sequence[tuple[Case, Answer]],
    fresh: Sequence[Observed],
) -> Score:
    manual = planted(equation, mutant)
    tally = Tally(cell)
    if not _can_be_made(cell, answered[0][0], manual):
        return Score()
    for case, answer in answered:
        tally.add(case, *verdicts(cell, case, answer, manual=manual))
    report = tally.report()
    named = report.blame == [equation]
    found = explain(cell, equation, observe(cell, oracle, manual=manual)[equation]) if named else None
    same = found is not None and gives(found, [Observed(o.known, mutant.value(o.known), o.right) for o in fresh])
    missed = [] if named and same else [f"{equation}: {mutant.sentence}"]
    return Score(1, int(not report.agree), int(named), int(same), int(found is not None and not same), missed)


class BlankTape(Tape):
    """A tape on which what has not been computed yet is not a number."""

    def reserve_state(self, name: str, initial: Array, dtype: npt.DTypeLike) -> None:
        super().reserve_state(name, initial, dtype)
        self._arrays[name][:] = np.nan

    def tap(self, name: str, value: Array) -> Array:
        if name not in list(self):
            self._arrays[name] = np.full((self.T, *value.shape), np.nan, value.dtype)
        return super().tap(name, value)


def _can_be_made(cell: Cell, case: Case, manual: Manual) -> bool:
    """Whether a pass can make a mistake: not where it needs what has not been computed at that point."""
    tape, grads = BlankTape(case.spec.sizes.T), BlankTape(case.spec.sizes.T)
    try:
        manual(cell, case.params, case.x, case.y, case.weights, case.initial, inputs=True, tape=tape, grads=grads)
    except KeyError:
        return False
    return all(np.isfinite(array).all() for tapes in (tape, grads) for array in (tapes[name] for name in tapes))


def _is_right(formula: Formula, seen: Sequence[Observed]) -> bool:
    return gives(formula, [Observed(o.known, o.right, o.right) for o in seen])
