"""The mutation score: how good the judge is, measured on mistakes that are planted in the right code.

Two kinds, counted apart: the museum, mistakes that real code has shipped; and mistakes that are made from the
derivation mechanically: each term of each equation dropped, negated, counted twice, shifted in time, transposed,
exchanged, or left out at some steps; each array scaled and averaged. Each is planted by itself, and the code is then
judged like anyone's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from manual_rnn.cell import Array, Cell
from manual_rnn.tape import Tape
from manual_rnn.testing.families import build
from manual_rnn.testing.local import Manual, local_verdict, run
from manual_rnn.testing.mistakes.explain import (
    answered,
    explain,
    formulas,
    gives,
    observe,
    observe_in,
    shows,
    simple_formulas,
)
from manual_rnn.testing.mistakes.formula import Formula, Observed
from manual_rnn.testing.mistakes.museum import museum
from manual_rnn.testing.mistakes.planting import Mistake, as_change, planted
from manual_rnn.testing.problem import Case, Oracle, Sizes, Spec
from manual_rnn.testing.scales import natural_scales
from manual_rnn.testing.tally import Tally

SPECS = [
    Spec(family, sizes, "float64", seed, severity)
    for family, severity in (("ordinary", 40), ("ordinary", 90), ("vanished", 10), ("logits", 50))
    for sizes in (Sizes(8, 2, 3, 8, 5), Sizes(7, 4, 3, 2, 2))
    for seed in range(2)
]
SHOWING = ("ordinary", "logits")
"""The families in which a planted mistake is looked for: some show only where an exponential overflows."""
ELSEWHERE = 1000
"""The seed of cases that neither the mistake nor its explanation has seen."""


@dataclass
class Score:
    """Counts of planted mistakes; what escaped is kept by its sentence."""

    planted: int = 0
    failed: int = 0
    """Those with which the judge fails the cell."""
    named: int = 0
    """Those for which it blames exactly the equations that are wrong."""
    diagnosed: int = 0
    """Those of which it says a mistake that gives the same numbers in cases never seen."""
    wrong: int = 0
    """Those of which it says another."""
    in_reach: int = 0
    """Those for which there is a formula in the catalogue of what may be said."""
    missed: list[str] = field(default_factory=list)

    def __add__(self, other: Score) -> Score:
        counts = {name: number + other.as_dict()[name] for name, number in self.as_dict().items()}
        return Score(**counts, missed=self.missed + other.missed)

    def as_dict(self) -> dict[str, int]:
        names = ("planted", "failed", "named", "diagnosed", "wrong", "in_reach")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Scores:
    """Of one cell or of several: the museum's, and that of the mistakes made mechanically."""

    museum: Score = field(default_factory=Score)
    mechanical: Score = field(default_factory=Score)

    @property
    def total(self) -> Score:
        return self.museum + self.mechanical

    def __add__(self, other: Scores) -> Scores:
        return Scores(self.museum + other.museum, self.mechanical + other.mechanical)

    def as_dict(self) -> dict[str, object]:
        return {**self.total.as_dict(), "museum": self.museum.as_dict(), "mechanical": self.mechanical.as_dict()}


def mutants(cell: Cell, observed: dict[str, list[Observed]]) -> Iterator[Mistake]:
    """Every mistake of one change in one equation; those that give the right numbers are none."""
    for equation, seen in observed.items():
        whole = (f for f in simple_formulas(cell, equation, seen) if not f.measured)
        for formula in (*whole, *formulas(cell, equation, seen[:1])):
            if formula.edits == 1 and not formula.measured and not _is_right(formula, seen):
                yield Mistake(formula.sentence, {equation: as_change(formula)})


def mutation_score(
    cell: Cell,
    oracle: Oracle,
    *,
    loss: str = "softmax",
    equations: Collection[str] | None = None,
    sample: int | None = None,
    seed: int = 0,
    progress: Callable[[int], None] = lambda count: None,
) -> Scores:
    """Plants mistakes in a cell, one at a time, and counts what the judge makes of each.

    The whole museum, and of the mistakes made mechanically all, or as many as ``sample`` says, drawn by ``seed``.
    ``equations`` are those that mistakes are planted in; all by default, in which the museum's are too.
    """
    planting = Planting(cell, oracle, loss)

    def scored(mistakes: Iterable[tuple[Mistake, bool]]) -> Score:
        total = Score()
        for mistake, in_reach in mistakes:
            total += planting.score(mistake, in_reach=in_reach)
            progress(1)
        return total

    observed = observe(cell, oracle, loss=loss)
    chosen_in = observed if equations is None else {name: observed[name] for name in equations}
    mechanical = list(mutants(cell, chosen_in))
    if sample is not None and sample < len(mechanical):
        chosen = np.random.default_rng(seed).choice(len(mechanical), sample, replace=False)
        mechanical = [mechanical[i] for i in sorted(chosen)]
    whole = museum(cell, loss) if equations is None else ()
    return Scores(
        museum=scored((exhibit.mistake, exhibit.in_reach) for exhibit in whole),
        mechanical=scored((mutant, True) for mutant in mechanical),
    )


class Planting:
    """A cell and its oracle's answers, which are the same whatever mistake is planted."""

    def __init__(self, cell: Cell, oracle: Oracle, loss: str = "softmax") -> None:
        self._cell, self._loss = cell, loss
        cases = [build(cell, replace(spec, loss=loss)) for spec in SPECS]
        answers = [oracle([case.for_oracle()])[0] for case in cases]
        with np.errstate(all="ignore"):
            scales = [natural_scales(cell, *pair) for pair in zip(cases, answers, strict=True)]
        self._judged = list(zip(cases, answers, scales, strict=True))
        self._answered = cache(lambda family, seed: answered(cell, oracle, family=family, seed=seed, loss=loss))

    def score(self, mistake: Mistake, *, in_reach: bool = True) -> Score:
        """The score of one mistake; none at all where the cell leaves no room for it."""
        manual = planted(mistake)
        if not _can_be_made(self._cell, self._judged[0][0], manual):
            return Score()
        shown = {name: seen for name in mistake.changes if (seen := self._where_it_shows(name, manual))}
        if not shown:
            return Score()
        tally = Tally(self._cell, self._loss)
        for case, answer, scales in self._judged:  # the local verdict is the one that blames
            tally.add(case, local_verdict(self._cell, case, answer, scales, manual=manual), {})
        report = tally.report()
        named = set(report.blame) == set(shown)
        words = {name: explain(self._cell, name, seen) for name, (_, seen) in shown.items()} if named else {}
        said = [(name, formula) for name, formula in words.items() if formula]
        right = [gives(formula, self._observed(shown[name][0], ELSEWHERE, manual)[name]) for name, formula in said]
        diagnosed = len(said) == len(shown) and all(right)
        missed = [] if named and diagnosed else [f"{', '.join(shown)}: {mistake.sentence}"]
        return Score(1, int(not report.agree), int(named), int(diagnosed), int(not all(right)), int(in_reach), missed)

    def _observed(self, family: str, seed: int, manual: Manual) -> dict[str, list[Observed]]:
        return observe_in(self._cell, self._answered(family, seed), manual=manual)

    def _where_it_shows(self, equation: str, manual: Manual) -> tuple[str, list[Observed]] | None:
        for family in SHOWING:
            seen = self._observed(family, 0, manual)[equation]
            if shows(seen):
                return family, seen
        return None


class BlankTape(Tape):
    """A tape on which what has not been computed yet is not a number."""

    def reserve_state(self, name: str, initial: Array, dtype: npt.DTypeLike, **options: Any) -> None:
        super().reserve_state(name, initial, dtype, **options)
        self._arrays[name][:] = np.nan

    def tap(self, name: str, value: Array) -> Array:
        if name not in list(self):
            self._arrays[name] = np.full((self.T, *value.shape), np.nan, value.dtype)
        return super().tap(name, value)


def _can_be_made(cell: Cell, case: Case, manual: Manual) -> bool:
    """Whether a pass can make a mistake: not where it needs what has not been computed at that point."""
    tape, grads = BlankTape(case.spec.sizes.T), BlankTape(case.spec.sizes.T)
    try:
        run(manual, cell, case, tape, grads)
    except KeyError:
        return False
    return all(np.isfinite(array).all() for tapes in (tape, grads) for array in (tapes[name] for name in tapes))


def _is_right(formula: Formula, seen: Sequence[Observed]) -> bool:
    return gives(formula, [Observed(o.known, o.right, o.right) for o in seen])
