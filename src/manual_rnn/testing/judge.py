"""The judge: draws cases, asks the oracle, passes both verdicts on each, and keeps count of everything."""

from __future__ import annotations

import traceback
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from manual_rnn.cell import Cell
from manual_rnn.errors import said_by
from manual_rnn.gradients import forward_and_backward
from manual_rnn.network import Network
from manual_rnn.testing.diagnosis import diagnose
from manual_rnn.testing.end_to_end import BlockCheck, end_to_end_verdict
from manual_rnn.testing.families import build
from manual_rnn.testing.goes_on import check_that_it_goes_on
from manual_rnn.testing.local import EquationCheck, Manual, local_verdict
from manual_rnn.testing.partner import called, check_asked_for, check_given
from manual_rnn.testing.problem import Answer, Case, Oracle, Sizes, Spec
from manual_rnn.testing.report import Report
from manual_rnn.testing.returned import wrong_return
from manual_rnn.testing.scales import natural_scales
from manual_rnn.testing.tally import Tally

CHUNK = 64
"""Cases of one shape that are built and answered at a time: bounds the memory."""
AHEAD = 3
"""Chunks that the oracle may be working on while one is judged."""


class CellFailure(Exception):
    """The manual pass raised an exception, which is this one's cause; the sentence says on which case."""


def verify(
    model: Cell | Network,
    oracle: Oracle,
    *,
    examples: int = 300,
    seed: int = 0,
    loss: str = "softmax",
    resets: bool = False,
    dropout: bool = False,
    manual: Manual = forward_and_backward,
    progress: Callable[[int], None] = lambda count: None,
) -> Report:
    """Judges a cell, or a network of several, on drawn cases of every family that applies to it.

    Args:
        model: the derivation to be judged: a cell, or ``stack(cell, layers=2)``.
        oracle: the source of truth, ``reference.autodiff("rnn")`` for example, or of two layers
            ``reference.autodiff("rnn", layers=2)``; it is called from several threads.
        examples: how many cases; each family gets its even share.
        seed: the same seed draws the same cases.
        loss: the name of one of :mod:`manual_rnn.losses`; the problems that the oracle gets say which.
        resets: whether sequences begin in mid-array and have lengths of their own; ``manual`` is handed ``begins``.
        dropout: whether the inputs of the layers above the first are masked; ``manual`` is handed ``masks``.
        manual: the pass through time to be judged, with the signature of ``gradients.forward_and_backward``; it records
            every node by ``tap`` and goes on with what that returns. It is told of a loss that is not the softmax.
        progress: called with the number of cases judged since the last call.

    Raises:
        ValueError: there is nothing to judge, or nothing to mask; the model and the oracle do not have the same nodes;
            an array has the wrong shape; or ``manual`` goes on with values of its own.
        CellFailure: the cell's own code, or the oracle's, raised an exception.
    """
    if examples < 1:
        raise ValueError(f"examples is {examples}; it must be at least 1, or nothing is judged.")
    # Drawing needs Hypothesis; a judge that is handed its cases does not.
    from manual_rnn.testing.strategies import draw_specs

    specs = draw_specs(model, examples, seed, loss, resets=resets, dropout=dropout)
    tally = judge(model, oracle, specs, manual=manual, progress=progress)
    return tally.report(diagnose(model, oracle, tally, manual=manual))


def judge(
    model: Cell | Network,
    oracle: Oracle,
    specs: Iterable[Spec],
    *,
    manual: Manual = forward_and_backward,
    progress: Callable[[int], None] = lambda count: None,
) -> Tally:
    """Judges the cases of these specs, in groups of one shape, and returns the count. Raises as :func:`verify` does."""
    groups: dict[tuple[Sizes, str, bool, bool], list[Spec]] = defaultdict(list)
    specs = list(specs)
    loss = _the_one_loss(specs)
    check_that_it_goes_on(model, manual, loss)
    _check_oracle(model, oracle, specs)
    for spec in specs:
        groups[spec.sizes, spec.dtype, spec.resets, spec.dropout].append(spec)
    chunks = [group[start : start + CHUNK] for group in groups.values() for start in range(0, len(group), CHUNK)]
    tally = Tally(model, loss)
    for answered in _answered_ahead(model, oracle, chunks):
        check_given(model, oracle, answered[0][1])
        for i, (case, answer) in enumerate(answered):  # of each shape the first is judged as users run it
            tally.add(case, *verdicts(model, case, answer, manual=manual, in_place=i == 0))
        progress(len(answered))
    return tally


def _check_oracle(model: Cell | Network, oracle: Oracle, specs: Sequence[Spec]) -> None:
    """An oracle that can tell whether a problem is its own (``check``) is asked before one that is not fails it."""
    check = getattr(oracle, "check", None)
    if callable(check) and specs:
        check(build(model, specs[0]).for_oracle())


def _the_one_loss(specs: Sequence[Spec]) -> str:
    names = sorted({spec.loss for spec in specs}) or ["softmax"]
    if len(names) > 1:
        raise ValueError(f"The cases have the losses {', '.join(names)}; judge those of one loss at a time.")
    return names[0]


def _answered_ahead(
    model: Cell | Network, oracle: Oracle, chunks: Sequence[Sequence[Spec]]
) -> Iterator[list[tuple[Case, Answer]]]:
    """The cases of each chunk with the oracle's answers, asked for while earlier ones are judged.

    Most of an oracle's time is its compiler's, which runs beside Python: this halves a first run.
    """

    def answer(chunk: Sequence[Spec]) -> list[tuple[Case, Answer]]:
        cases = [build(model, spec) for spec in chunk]
        try:
            return list(zip(cases, oracle([case.for_oracle() for case in cases]), strict=True))
        except (Exception, SystemExit) as error:
            check_asked_for(model, oracle, cases[0], error)
            what = f"The reference of {called(model)} {_raised(error)}"
            raise CellFailure(f"{what} at {chunk[0].sizes}") from error

    pool = ThreadPoolExecutor(AHEAD)
    try:
        waiting = deque(pool.submit(answer, chunk) for chunk in chunks[:AHEAD])
        for following in [*chunks[AHEAD:], *[None] * min(AHEAD, len(chunks))]:
            yield waiting.popleft().result()
            if following is not None:
                waiting.append(pool.submit(answer, following))
    finally:  # at Ctrl-C nobody waits for what has not begun
        pool.shutdown(wait=False, cancel_futures=True)


def verdicts(
    model: Cell | Network,
    case: Case,
    answer: Answer,
    *,
    manual: Manual = forward_and_backward,
    in_place: bool = False,
) -> tuple[dict[str, EquationCheck], dict[str, BlockCheck]]:
    """Both verdicts on one case: by equation, and end to end, there of the pass in place if told so."""
    try:
        with np.errstate(all="ignore"):
            scales = natural_scales(model, case, answer)
        local = local_verdict(model, case, answer, scales, manual=manual)
        return local, end_to_end_verdict(model, case, answer, scales, manual=manual, in_place=in_place)
    except (Exception, SystemExit) as error:
        raise _as_it_is(model, case, error) from error


def _as_it_is(model: Cell | Network, case: Case, error: BaseException) -> Exception:
    """What an exception says about the cell: its own failure, or what it hands back or writes into."""
    sizes, what = case.spec.sizes, _capital(called(model))
    if "read-only" in str(error) and isinstance(error, ValueError):
        return CellFailure(
            f"{what} writes into an array that it was handed (a node of the tape, a state of the "
            f"step before, or an incoming gradient), at {sizes}; it must make a new one"
        )
    found_by_us = Path(traceback.extract_tb(error.__traceback__)[-1].filename).parent == Path(__file__).parent
    if isinstance(error, ValueError) and found_by_us:
        return ValueError(f"{what} at {sizes}: {error}")
    returned = wrong_return(model, case)  # what stumbled over it further on, NumPy say, cannot tell
    if returned or isinstance(error, ValueError):
        return ValueError(f"{what} at {sizes}: {returned or error}")
    return CellFailure(f"{what} {_raised(error)} at {sizes}")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _raised(error: BaseException) -> str:
    return "called sys.exit()" if isinstance(error, SystemExit) else f"raised {said_by(error)}"
