"""The check of a whole backward pass, any callable: verdict, place, mistake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from manual_rnn.testing.passes.backward_report import BackwardReport
from manual_rnn.testing.passes.calling import UserFailure
from manual_rnn.testing.passes.conventions import in_another_convention
from manual_rnn.testing.passes.explain_pass import explain_pass
from manual_rnn.testing.passes.given import as_drawn, untested
from manual_rnn.testing.passes.layout import Layout
from manual_rnn.testing.passes.preflight import notes, preflight
from manual_rnn.testing.passes.regimes import REGIMES, Drawn, draw, sizes_for
from manual_rnn.testing.passes.seen import Seen, look
from manual_rnn.testing.passes.small_states import set_aside
from manual_rnn.testing.passes.smallest import shrink, three_lines
from manual_rnn.testing.passes.target import ForwardOracle, Target
from manual_rnn.testing.passes.truth import cell_of, has_cell
from manual_rnn.testing.passes.whole_pass import first_divergence, verdict
from manual_rnn.testing.problem import Oracle

CASES = 2
"""Cases of each shape: one could hide a mistake behind an accident."""


def check_backward(
    backward: Callable[..., Any],
    *,
    against: Oracle | ForwardOracle,
    loss: str = "every",
    layout: Layout | None = None,
    dtype: str = "float64",
    truncation: int | None = None,
    regimes: Sequence[str] = tuple(REGIMES),
    cases: Sequence[Mapping[str, Any]] | None = None,
    seed: int = 0,
    time_limit: float = 60.0,
) -> BackwardReport:
    """Checks a hand-derived backward pass of your own against an exact oracle.

    Args:
        backward: takes the arrays by keyword under your names, returns the gradients by name (``Wx``, ``dWx`` or
            ``grad_Wx``), as NumPy arrays or anything with DLPack or ``__array__``.
        against: ``reference.autodiff("rnn")``, ``reference.autodiff_of(your_forward_in_jax)``, or
            ``complex_step(your_forward_in_numpy)``.
        loss: "every" step, "last", their "mean" (softmax over a readout), or "random" and "some" for code that
            gets an upstream gradient of h; see :data:`manual_rnn.testing.passes.target.LOSSES`.
        layout: your names, order of axes and conventions; ours by default.
        dtype: what your arrays come in.
        truncation: k, where your code is truncated BPTT(k) and is to be held against that.
        regimes: some of "ordinary", "long", "vanished", "exploding".
        cases: cases of your own in place of those that are drawn: all arrays by your names. What they leave
            untested (T = 1, h0 = 0, a symmetric W, …) is noted.
        seed: the same seed draws the same cases.
        time_limit: seconds for one call of your function.

    A block is right when it is off by at most 1e-12 of its largest number and what rounding was measured to do there;
    a block is a time step of one sequence where the array has a time axis, else the whole array. There is no absolute
    tolerance: a gradient of 1e-200 is judged as one of 1 is.

    What it cannot see: a mistake in a parameter's gradient that is 1e-12 of that gradient's largest number; one that
    needs masks, saturation or other sizes than were drawn; where the forward pass loses the digits of small states
    (a note says so), one that shows in exploding gradients alone; with an oracle of your own forward, one in that.

    Raises:
        ValueError: an argument makes no sense; the sentence names it. Whatever your function does is reported.
    """
    target = Target(
        backward=backward, against=against, loss=loss, layout=layout or Layout(), dtype=dtype, truncation=truncation
    )
    return check_target(target, regimes=regimes, cases=cases, seed=seed, time_limit=time_limit)


def check_target(
    target: Target,
    *,
    regimes: Sequence[str] = tuple(REGIMES),
    cases: Sequence[Mapping[str, Any]] | None = None,
    seed: int = 0,
    time_limit: float = 60.0,
) -> BackwardReport:
    """The same check of a :class:`Target`; see :func:`check_backward`."""
    unknown = [regime for regime in regimes if regime not in REGIMES]
    if unknown or not regimes:
        raise ValueError(f"There is no regime {', '.join(unknown) or 'given'}; the regimes are {', '.join(REGIMES)}.")
    cell = cell_of(target)
    given = [as_drawn(target, cell, case, number) for number, case in enumerate(cases or ())]
    seen, failures = _look_at_all(target, given or _drawn(target, regimes, seed), time_limit)
    seen, lost = set_aside(target, seen, time_limit)
    promises = preflight(target, seen, failures, time_limit)
    names = list(seen[0].truth) if seen else []
    gradients = in_another_convention(target, seen, [verdict(target, name, seen) for name in names])
    still_wrong = any(check.outcome == "wrong" for check in gradients)
    failing = [s for s in seen if still_wrong and s.wrong(target)]
    # The smallest of those in which everything shows: at T = 1 nothing is carried back.
    telling = min(failing, key=lambda s: (-len(s.wrong(target)), s.drawn.sizes), default=None)
    doubles = all(promise.agree for promise in promises if promise.name == "float64")
    explained: list[str] = []
    if failing and has_cell(target) and doubles:  # rounding to float32 is no formula
        # An explanation is held to cases that it was not found on, which cases of one's own may not offer.
        more = _look_at_all(target, _drawn(target, ["ordinary"], seed), time_limit)[0] if given else []
        explained = explain_pass(target, [*seen, *more])
    small = shrink(target, telling, time_limit=time_limit) if telling and not given else None
    return BackwardReport(
        target=target,
        gradients=tuple(gradients),
        preflight=tuple(promises),
        cases=Counter(s.drawn.regime for s in seen),
        first_divergence=first_divergence(target, telling) if telling else "",
        smallest=small.drawn if small else None,
        reproduce=three_lines(target, small) if small else "",
        diagnosis=tuple(explained),
        notes=(*(untested(given) if given else ()), *getattr(target.against, "notes", ()), *lost, *notes(seen)),
    )


def _drawn(target: Target, regimes: Sequence[str], seed: int) -> Iterator[Drawn]:
    for regime in regimes:
        for sizes in sizes_for(target.layout, regime):
            for k in range(CASES):
                yield draw(target, cell_of(target), regime, sizes, seed + k)


def _look_at_all(
    target: Target, cases: Iterable[Drawn], time_limit: float
) -> tuple[list[Seen], list[UserFailure]]:
    seen: list[Seen] = []
    failures: list[UserFailure] = []
    for drawn in cases:
        try:
            seen.append(look(target, drawn, time_limit))
        except UserFailure as error:
            failures.append(error)
            if "did not come back" in str(error):
                break  # the thread that hangs would slow all that follows
    return seen, failures
