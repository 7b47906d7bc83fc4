"""The check of a whole backward pass, any callable: verdict, place, mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from manual_rnn.testing.passes.backward_report import BackwardReport
from manual_rnn.testing.passes.calling import Hung, UserFailure
from manual_rnn.testing.passes.conventions import in_another_convention
from manual_rnn.testing.passes.counting import families
from manual_rnn.testing.passes.explain_own import explain_own
from manual_rnn.testing.passes.explain_pass import explain_pass
from manual_rnn.testing.passes.given import as_drawn, untested
from manual_rnn.testing.passes.known_names import check_names
from manual_rnn.testing.passes.layout import Layout
from manual_rnn.testing.passes.preflight import notes, preflight
from manual_rnn.testing.passes.regimes import REGIMES, Drawn, draw, regimes_of, sizes_for
from manual_rnn.testing.passes.seen import Seen, look
from manual_rnn.testing.passes.small_states import set_aside
from manual_rnn.testing.passes.smallest import shrink, three_lines
from manual_rnn.testing.passes.target import ForwardOracle, Target
from manual_rnn.testing.passes.truth import cell_of, has_cell
from manual_rnn.testing.passes.whole_pass import first_divergence, verdict
from manual_rnn.testing.problem import Oracle

CASES = 2
"""Cases of each shape, where nobody says how many: one could hide a mistake behind an accident."""


def check_backward(
    backward: Callable[..., Any],
    *,
    against: Oracle | ForwardOracle,
    loss: str = "every",
    step_loss: str = "softmax",
    layout: Layout | None = None,
    dtype: str = "float64",
    truncation: int | None = None,
    ragged: str = "",
    regimes: Sequence[str] = tuple(REGIMES),
    cases: Sequence[Mapping[str, Any]] | None = None,
    examples: int | None = None,
    seed: int = 0,
    time_limit: float | None = 60.0,
) -> BackwardReport:
    """Checks a hand-derived backward pass of your own against an exact oracle.

    Args:
        backward: takes the arrays by keyword under your names, returns the gradients by name (``Wx``, ``dWx`` or
            ``grad_Wx``), as NumPy arrays or anything with DLPack or ``__array__``.
        against: ``reference.autodiff("rnn")``, ``reference.autodiff_of(your_forward_in_jax)``, or
            ``complex_step(your_forward_in_numpy)``.
        loss: "every" step, "last", their "mean" (of a readout), or "random" and "some" for code that
            gets an upstream gradient of h; see :data:`manual_rnn.testing.passes.target.LOSSES`.
        step_loss: of one step with a readout: "softmax" (y is ids), "squared" (½ Σ (o − y)²) or "bernoulli" (the
            binary cross-entropy from the logits; for both y is rows of numbers, as o).
        layout: your names, order of axes and conventions; ours by default.
        dtype: what your arrays come in.
        truncation: k, where your code is truncated BPTT(k) and is to be held against that. With an oracle of your own
            forward, that forward must take h0 and return h at every step: it is run on windows of k steps.
        ragged: "lengths" or "mask", where your code takes sequences of several lengths: it is handed that array too,
            the rows past the end are filled, and the loss counts the others only; see
            :mod:`manual_rnn.testing.passes.lengths`.
        regimes: some of "ordinary", "long", "vanished", "exploding".
        cases: cases of your own in place of those that are drawn: all arrays by your names. What they leave
            untested (T = 1, h0 = 0, a symmetric W, one that commutes, …) is noted.
        examples: how many cases are drawn, in even shares over the shapes of the regimes; two of each shape by default.
        seed: the same seed draws the same cases.
        time_limit: seconds for one call of your backward, and for the gradients of one case that are made of a
            forward of your own. None: no limit.

    A block is right when it is off by at most 1e-12 of its largest number and what rounding was measured to do there;
    a block is a time step of one sequence where the array has a time axis, else the whole array. There is no absolute
    tolerance: a gradient of 1e-200 is judged as one of 1 is.

    What it cannot see: a mistake in a parameter's gradient that is 1e-12 of that gradient's largest number; one that
    needs saturation or other sizes than were drawn; where the forward pass loses the digits of small states (a note
    says so), one that shows in exploding gradients alone; with an oracle of your own forward, one in the forward. With
    ragged lengths, a mask that is forgotten in the carry: nothing comes from the padding then, masked or not, except in
    code for the loss "last" that keeps states past the end and reads them at row T − 1.

    The steps alone, forward and backward, are checked by :func:`manual_rnn.testing.check_step`.

    Raises:
        ValueError: an argument makes no sense; the sentence names it. Whatever your function does is reported.
    """
    target = Target(
        backward=backward, against=against, loss=loss, step_loss=step_loss, layout=layout or Layout(), dtype=dtype,
        truncation=truncation, ragged=ragged,
    )  # fmt: skip
    return check_target(target, regimes=regimes, cases=cases, examples=examples, seed=seed, time_limit=time_limit)


def check_target(
    target: Target,
    *,
    regimes: Sequence[str] | None = None,
    cases: Sequence[Mapping[str, Any]] | None = None,
    examples: int | None = None,
    seed: int = 0,
    time_limit: float | None = 60.0,
    progress: Callable[[int], None] = lambda count: None,
    named: str = "report.target",
) -> BackwardReport:
    """The same check of a :class:`Target`; see :func:`check_backward`.

    Args:
        progress: told how many cases have been judged since the last time, and of the steps of our own that follow
            (0). What raises there ends the check.
        named: what the lines that reproduce a failure call the target.
    """
    known = regimes_of(target)
    regimes = tuple(known) if regimes is None else regimes
    unknown = [regime for regime in regimes if regime not in known]
    if unknown or not regimes:
        what = f"There is no regime {', '.join(unknown)}" if unknown else "regimes is empty"
        raise ValueError(f"{what}; the regimes are {', '.join(known)}.")
    if seed < 0 or (time_limit is not None and not time_limit > 0):
        what = f"seed is {seed}" if seed < 0 else f"time_limit is {time_limit}"
        raise ValueError(f"{what}; a seed is not negative, and a time limit is more than 0 seconds, or None.")
    cell = cell_of(target)
    check_names(target, cell)
    given = [as_drawn(target, cell, case, number) for number, case in enumerate(cases or ())]
    if examples is not None and examples < 1:
        raise ValueError(f"examples is {examples}; there is at least one case to be drawn.")
    seen, failures = _look_at_all(target, given or _drawn(target, regimes, examples, seed), time_limit, progress)
    seen, lost = set_aside(target, seen, time_limit)
    promises = preflight(target, seen, failures, time_limit)
    progress(0)
    names = list(seen[0].truth) if seen else []
    gradients = in_another_convention(target, seen, [verdict(target, name, seen) for name in names])
    still_wrong = any(check.outcome == "wrong" for check in gradients)
    failing = [s for s in seen if still_wrong and s.wrong(target)]
    # The smallest of those in which everything shows: at T = 1 nothing is carried back.
    telling = min(failing, key=lambda s: (-len(s.wrong(target)), s.drawn.sizes), default=None)
    # Rounding to float32 is no formula, nor is what another call has left.
    can_be_replayed = all(promise.agree for promise in promises if promise.name in ("float64", "same again"))
    explained: list[str] = []
    if failing and has_cell(target) and can_be_replayed:
        # An explanation is held to cases that it was not found on, which cases of one's own may not offer.
        more = _look_at_all(target, _drawn(target, ["ordinary"], None, seed), time_limit, progress)[0] if given else []
        explained = explain_pass(target, [*seen, *more])
    elif failing and can_be_replayed:
        explained = explain_own(target, seen)
    progress(0)
    chosen = given or ([s.drawn for s in seen] if examples is not None else [])
    blind = untested(target, chosen, cell if has_cell(target) else None) if chosen else []
    small = shrink(target, telling, time_limit=time_limit) if telling and not given else None
    return BackwardReport(
        target=target,
        gradients=tuple(gradients),
        preflight=tuple(promises),
        families=families(target, seen),
        shapes=len({s.drawn.sizes for s in seen}),
        max_length=max((s.drawn.sizes.T for s in seen), default=0),
        first_divergence=first_divergence(target, telling) if telling else "",
        smallest=small.drawn if small else None,
        reproduce=three_lines(target, small, named) if small else "",
        diagnosis=tuple(explained),
        notes=(*blind, *_of_padding(target), *getattr(target.against, "notes", ()), *lost, *notes(seen)),
    )


def _of_padding(target: Target) -> list[str]:
    if not target.ragged or target.has_readout:
        return []
    return [
        "The upstream gradient is zero past the end of each sequence, so no padding reaches a gradient: a mask that "
        "backward leaves out is not seen, and does no harm there."
    ]


def _drawn(target: Target, regimes: Sequence[str], examples: int | None, seed: int) -> Iterator[Drawn]:
    shapes = [(regime, sizes) for regime in regimes for sizes in sizes_for(target, regime)]
    for i, (regime, sizes) in enumerate(shapes):
        share = CASES if examples is None else examples // len(shapes) + (i < examples % len(shapes))
        for k in range(share):
            yield draw(target, cell_of(target), regime, sizes, seed + k)


def _look_at_all(
    target: Target, cases: Iterable[Drawn], time_limit: float | None, progress: Callable[[int], None]
) -> tuple[list[Seen], list[UserFailure]]:
    seen: list[Seen] = []
    failures: list[UserFailure] = []
    for drawn in cases:
        try:
            seen.append(look(target, drawn, time_limit))
        except UserFailure as error:
            failures.append(error)
            if isinstance(error, Hung):
                break  # the thread that hangs would slow all that follows
        progress(1)
    return seen, failures
