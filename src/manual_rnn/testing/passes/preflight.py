"""What is looked at before any number is judged: does the function keep its promises?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from manual_rnn.testing.oracles.estimate import norm
from manual_rnn.testing.passes.backward_report import Check
from manual_rnn.testing.passes.calling import UserFailure
from manual_rnn.testing.passes.conventions import split_biases
from manual_rnn.testing.passes.seen import Answered, Seen, ask
from manual_rnn.testing.passes.target import Target


def preflight(
    target: Target, seen: Sequence[Seen], failures: Sequence[UserFailure], time_limit: float | None
) -> list[Check]:
    """The promises, each a check with its sentence; they hold for the cases that were judged."""
    checks = [_runs(failures)]
    if not seen:
        return checks
    checks += [_leaves_inputs(target, seen), _names(target, seen), _finite(seen)]
    if target.dtype == "float64":
        checks.append(_double(target, seen))
    return checks + _same_again(target, seen, time_limit)


def notes(seen: Sequence[Seen]) -> list[str]:
    """What is no mistake and worth saying."""
    printed = next((s.answered.printed for s in seen if s.answered.printed.strip()), "")
    found = [f"backward prints; its first line: {printed.strip().splitlines()[0][:100]!r}."] if printed else []
    views = {name: given for s in seen for name, given in s.answered.views.items()}
    found += [
        f"The gradient of {name} lies in the memory of {given}, which was handed over: who changes one changes both."
        for name, given in views.items()
    ]
    pairs = [(one.answered.kept, two.answered.kept) for one, two in pairwise(seen)]
    again = dict.fromkeys(n for one, two in pairs for n in one if n in two and np.shares_memory(one[n], two[n]))
    if again:
        found.append(
            f"Each call returns the gradients of {', '.join(again)} in the arrays that the call before returned: who "
            "keeps those has the new numbers in them."
        )
    return found


def _runs(failures: Sequence[UserFailure]) -> Check:
    if not failures:
        return Check("runs", "right", "it ran on every case")
    first, others = failures[0], len(failures) - 1
    more = f" (and failed on {others} more case{'s' if others > 1 else ''})" if others else ""
    return Check("runs", "wrong", f"{first.sentence}{more}", details=first.details)


def _leaves_inputs(target: Target, seen: Sequence[Seen]) -> Check:
    written = list(dict.fromkeys(n for s in seen for n in s.answered.overwritten))
    if not written:
        return Check("inputs untouched", "right", "no array that it is handed changes")
    return Check(
        "inputs untouched", "wrong",
        f"{target.called} writes into {', '.join(written)}, which it was handed: who uses the array "
        "afterwards has another",
    )  # fmt: skip


def _names(target: Target, seen: Sequence[Seen]) -> Check:
    split = split_biases(target, seen)
    parts = [name for names in split.values() for name in names]
    unknown = list(dict.fromkeys(n for s in seen for n in s.answered.unknown if n not in parts))
    known = ", ".join(seen[0].truth)
    if not unknown and split:
        declared = {_bare(name, bias): target.layout.ours(bias) for bias, names in split.items() for name in names}
        return Check(
            "names", "right, in another convention",
            f"backward returns {' and '.join(parts)}, each of which is the gradient of {' and '.join(split)}: a split "
            f"bias; to have each handed over and judged, declare it: Layout(names={declared})",
        )  # fmt: skip
    if not unknown:
        return Check("names", "right", "every gradient has the name of an array")
    return Check(
        "names", "wrong", f"backward returns {', '.join(unknown)}, the gradient of nothing; the arrays are {known}"
    )


def _bare(name: str, bias: str) -> str:
    """The name of the array, whose gradient may be called ``dname`` or ``grad_name``."""
    return name.removeprefix("d") if name.startswith(f"d{bias}") else name.removeprefix("grad_")


def _finite(seen: Sequence[Seen]) -> Check:
    for s in seen:
        for name, array in s.answered.returned.items():
            bad = int((~np.isfinite(array)).sum())
            if bad:
                sentence = f"grad_{name} has {bad} of {array.size} numbers that are NaN or infinite, in the {s.drawn}"
                return Check("finite", "wrong", sentence)
    return Check("finite", "right", "no NaN, no infinity")


def _double(target: Target, seen: Sequence[Seen]) -> Check:
    returned = [(n, a.dtype) for s in seen for n, a in s.answered.returned.items()]
    whole = list(dict.fromkeys(n for n, dtype in returned if dtype.kind in "iub"))
    if whole:
        return Check("float64", "wrong", f"the gradients of {', '.join(whole)} are whole numbers: an array of integers")
    single = list(dict.fromkeys(n for n, dtype in returned if dtype.itemsize < 8))
    if single:
        kinds = {str(s.answered.returned[n].dtype) for s in seen for n in single if n in s.answered.returned}
        return Check(
            "float64", "wrong",
            f"the arrays are float64 and the gradients of {', '.join(single)} are {', '.join(sorted(kinds))}",
        )  # fmt: skip
    passed = [n for n in seen[0].truth if _seven_digits(target, n, seen)]
    if passed:
        return Check(
            "float64", "wrong",
            f"seven digits of {', '.join(passed)} are right and no more: somewhere inside they pass through float32",
        )  # fmt: skip
    return Check("float64", "right", "the gradients are float64, and so is what they are made of")


def _seven_digits(target: Target, name: str, seen: Sequence[Seen]) -> bool:
    have = [s for s in seen if name in s.answered.returned and s.fits(name) and s.drawn.regime == "ordinary"]
    errors = [b.error[b.decided].max(initial=0) for b in (s.blocks(target, name) for s in have)]
    return bool(errors) and 1e-9 < max(errors) < 3e-5 and not _one_factor(target, name, have[0])


def _one_factor(target: Target, name: str, s: Seen) -> bool:
    """Whether all numbers are off by one factor: rounding to float32 scatters."""
    ours, right = target.layout.to_ours(name, s.answered.returned[name]), s.truth[name].value
    with np.errstate(all="ignore"):
        off = (ours / right - 1)[right != 0]
    return bool(off.size > 1 and np.ptp(off) < 0.2 * np.abs(off).max())


def _same_again(target: Target, seen: Sequence[Seen], time_limit: float | None) -> list[Check]:
    """The same arrays again, three times at once, and after another problem in between."""
    first, other = seen[0], seen[-1]
    try:
        at_once = [ask(target, first.drawn, time_limit) for _ in range(3)]
        ask(target, other.drawn, time_limit)
        afterwards = ask(target, first.drawn, time_limit)
    except UserFailure as error:
        sentence = f"it ran once and failed when it was called again: {error.sentence}"
        return [Check("same again", "wrong", sentence, details=error.details)]
    differs = _differs(at_once[1], at_once[2])
    if differs and all(_accumulates(target, name, first, at_once) for name in differs):
        return [Check(
            "same again", "wrong",
            f"it accumulates between calls: each call adds its gradients of {', '.join(differs)} to what the call "
            "before has left there, so the second gives the sum of both; set what you add to (+=) to zero first",
        )]  # fmt: skip
    if differs:
        return [Check(
            "same again", "wrong", f"two calls with the same arrays give other gradients of {', '.join(differs)}"
        )]  # fmt: skip
    state = _differs(at_once[2], afterwards) or _differs(first.answered, at_once[1])
    if state:
        return [Check(
            "same again", "wrong",
            f"state is kept between calls: after another problem in between, the gradients of {', '.join(state)} are "
            "others",
        )]  # fmt: skip
    return [Check("same again", "right", "the same arrays give the same gradients, also after another problem")]


def _accumulates(target: Target, name: str, first: Seen, answers: Sequence[Answered]) -> bool:
    """Whether each call adds the gradient itself: the right one, or what the very first call gave."""
    arrays = [answer.returned[name] for answer in answers if name in answer.returned]
    if len(arrays) < 3 or any(array.shape != arrays[0].shape for array in arrays) or not first.fits(name):
        return False
    added = [two - one for one, two in pairwise(arrays)]
    truth = target.layout.turn(target.layout.ours(name), first.truth[name].value)
    half = np.sqrt(np.finfo(arrays[0].dtype).eps)  # of the digits: the sums may be far larger than what is added
    return any(
        all(norm(part - single) <= half * norm(single) for part in added)
        for single in (truth, first.answered.returned[name])
    )


def _differs(one: Answered, two: Answered) -> list[str]:
    """The gradients that differ by more than a parallel sum's rounding."""
    found = []
    for name, a in one.returned.items():
        b = two.returned.get(name)
        if b is None or a.shape != b.shape:
            found.append(name)
            continue
        same = np.array_equal(a, b, equal_nan=True)
        if not same and not norm(a - b) <= 1e3 * np.finfo(a.dtype).eps * norm(a):
            found.append(name)
    return found
