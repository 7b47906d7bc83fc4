"""The judge: draws cases, asks the oracle, passes both verdicts on each, and keeps count of everything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np

from manual_rnn.bptt import forward_and_backward
from manual_rnn.cell import Cell
from manual_rnn.testing.diagnosis import diagnose
from manual_rnn.testing.end_to_end import BlockCheck, end_to_end_verdict
from manual_rnn.testing.families import build
from manual_rnn.testing.local import EquationCheck, Manual, local_verdict
from manual_rnn.testing.problem import Answer, Case, Oracle, Sizes, Spec
from manual_rnn.testing.report import Report
from manual_rnn.testing.scales import natural_scales
from manual_rnn.testing.tally import Tally

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

    tally = judge(cell, oracle, draw_specs(cell, examples, seed), manual=manual, progress=progress)
    return tally.report(diagnose(cell, oracle, tally, manual=manual))


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
        if "read-only" in str(error):
            raise CellFailure(
                f"The cell {cell.name!r} writes into an array that it was handed (a node of the tape, a state of the "
                f"step before, or an incoming gradient), at {case.spec.sizes}; it must make a new one"
            ) from error
        raise ValueError(f"The cell {cell.name!r} at {case.spec.sizes}: {error}") from error
    except Exception as error:
        raise CellFailure(
            f"The cell {cell.name!r} raised {type(error).__name__} at {case.spec.sizes}: {error}"
        ) from error
