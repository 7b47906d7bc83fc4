r"""Which of several answers for one gradient agree, and who stands alone; the sentence that says it.

Each party has a value $v_i$ and an error $e_i$, both taken as norms. Two agree when
$\|v_i - v_j\| \le e_i + e_j$; there is no other tolerance. A party whose error is a thousandth of the largest
norm or more cannot tell a mistake from none and is counted as "cannot decide", with its reason. Of the others
the largest set is found whose members agree pairwise (agreement is not transitive); who is not in it stands
alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from manual_rnn.testing.oracles.estimate import Estimate, norm

TELLING = 1e-3
"""The relative error from which an answer does not tell: a missing term, a transposed matrix, a wrong index
move a gradient by more."""


@dataclass(frozen=True)
class Verdict:
    """What the parties' answers for one gradient say about each other."""

    name: str
    outcome: str
    """"agree", "stands alone", "no two agree", "divided" (between sets that agree), "cannot decide" (two differ and
    nobody can tell who is wrong, or only one knows), "too small" (below what the format holds: not judged)."""
    agreeing: tuple[str, ...]
    alone: tuple[str, ...]
    undecided: tuple[str, ...]
    """The parties whose own error is too large to tell."""
    spread: float
    """The largest difference between two that agree, relative to their norm."""
    sentence: str

    def __str__(self) -> str:
        return f"grad_{self.name}: {self.sentence}"


def weigh(name: str, answers: Mapping[str, Estimate]) -> Verdict:
    """The verdict on one gradient, from each party's answer; all have one shape."""
    sizes = {p: norm(e.value) for p, e in answers.items()}
    errors = {p: norm(e.error) for p, e in answers.items()}
    # The largest norm that rises above its own error: a finite difference of pure noise sets no scale.
    scale = max((s for p, s in sizes.items() if errors[p] < s < np.inf), default=np.longdouble(0))
    reasons = {
        p: _reason(e, errors[p], scale) for p, e in answers.items() if not errors[p] < TELLING * scale
    }
    deciding = [p for p in answers if p not in reasons]
    apart = {pair: _distance(answers[pair[0]], answers[pair[1]]) for pair in combinations(deciding, 2)}
    far = [(p, q) for (p, q), distance in apart.items() if not distance <= errors[p] + errors[q]]
    off = {(p, q): _ratio(distance, max(sizes[p], sizes[q])) for (p, q), distance in apart.items()}

    sets = _largest_sets(deciding, far)
    agreeing = sets[0] if len(sets) == 1 and len(deciding) > 1 and len(sets[0]) > 1 else ()
    alone = tuple(p for p in deciding if p not in agreeing) if agreeing else ()
    spread = max((off[pair] for pair in combinations(agreeing, 2)), default=0.0)
    cannot = "; ".join(f"{p} cannot decide: {why}" for p, why in reasons.items())
    differ = ", ".join(f"{p} and {q} differ by {_amount(off[p, q])}" for p, q in far)

    together = f"{_and(agreeing)} agree {_within(spread, [errors[p] for p in agreeing])}"
    small = [p for p, e in answers.items() if sizes[p] <= _limit(e) and not e.cannot_decide]
    if len(deciding) == 0 and len(small) > 1:
        outcome, sentence, cannot = "too small", f"too small to judge: {cannot}", ""
    elif len(deciding) < 2:
        outcome, sentence, cannot = "cannot decide", f"cannot decide: {cannot}", ""
    elif agreeing and not alone:
        outcome, sentence = "agree", together
    elif agreeing:
        truth = answers[min(agreeing, key=lambda p: errors[p])]
        how = ", ".join(f"{p} {'are' if _plural([p]) else 'is'} {_wrong(answers[p], truth)}" for p in alone)
        stand = "stand" if _plural(alone) else "stands"
        outcome, sentence = "stands alone", f"{_and(alone)} {stand} alone: {together}, {how}"
    elif len(deciding) == 2:
        third = cannot or "there is no third to tell"
        outcome, sentence, cannot = "cannot decide", f"cannot decide: {differ}, and {third}", ""
    elif len(sets[0]) == 1:
        outcome, sentence = "no two agree", f"no two agree: {differ}"
    else:
        those = ", and so do ".join(f"{_and(s)} agree" if i == 0 else _and(s) for i, s in enumerate(sets))
        outcome, sentence = "divided", f"divided: {those}, but {differ}"
    sentence += f"; {cannot}" if cannot else ""
    return Verdict(name, outcome, agreeing, alone, tuple(reasons), spread, sentence)


def _largest_sets(parties: Sequence[str], far: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """All sets of the largest size of which no two are far apart, each in the order of the parties."""
    for size in range(len(parties), 0, -1):
        found = [s for s in combinations(parties, size) if not any(p in far for p in combinations(s, 2))]
        if found:
            return found
    return [()]


def _distance(a: Estimate, b: Estimate) -> np.longdouble:
    """‖a − b‖; infinite where either is not finite, as nothing agrees with such a number."""
    finite = np.isfinite(a.value).all() and np.isfinite(b.value).all()
    return norm(a.value - b.value) if finite else np.longdouble(np.inf)


def _ratio(distance: np.longdouble, size: np.longdouble) -> float:
    return float(distance / size) if 0 < size < np.inf else np.inf if distance > 0 else 0.0


def _reason(answer: Estimate, error: np.longdouble, scale: np.longdouble) -> str:
    if answer.cannot_decide:
        return answer.cannot_decide
    info = np.finfo(answer.value.dtype)
    if scale <= _limit(answer):
        return f"it is near or below {float(info.tiny):.1e}, the smallest normal number of {info.dtype}"
    return f"the error ({float(error):.1e}) exceeds {TELLING:.0e} of the norm ({float(scale):.1e})"


def _limit(answer: Estimate) -> np.longdouble:
    """The norm below which rounding to the format's smallest normal number is an error of a thousandth."""
    tiny = np.longdouble(np.finfo(answer.value.dtype).tiny)
    return np.longdouble(tiny * np.sqrt(np.longdouble(answer.value.size)) / TELLING)


def _within(spread: float, errors: Sequence[np.longdouble]) -> str:
    return f"to {spread:.0e}" if spread < TELLING else f"within their errors ({float(max(errors)):.0e})"


def _amount(ratio: float) -> str:
    if not np.isfinite(ratio):
        return "more than any number"
    return f"{100 * ratio:.0f} %" if 0.01 <= ratio < 10 else f"{ratio:.1e} {'times' if ratio > 1 else 'of'} the norm"


def _wrong(answer: Estimate, truth: Estimate) -> str:
    if not np.all(np.isfinite(answer.value)):
        return "not finite"
    if norm(truth.value) == 0:
        return "not zero"
    return f"off by {_amount(_ratio(_distance(answer, truth), norm(truth.value)))}"


def _plural(parties: Sequence[str]) -> bool:
    return len(parties) > 1 or parties[0].endswith("s")


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
