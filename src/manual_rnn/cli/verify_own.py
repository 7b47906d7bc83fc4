"""Which process judges which target: a user's code never runs in ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from manual_rnn.cli import memory
from manual_rnn.cli.apart import judge_apart
from manual_rnn.cli.apart_worker import Job
from manual_rnn.cli.class_targets import Targets
from manual_rnn.cli.failed import Failed
from manual_rnn.testing.report import Report

SHOWN_OUTPUT = 2000
"""Characters of what one target's code printed that are shown: the last ones."""


def judge_all(
    targets: Targets,
    *,
    examples: int,
    seed: int,
    time_limit: float,
    memory_limit: float | None,
    progress: Callable[[int], None],
) -> list[Report | Failed]:
    """The verdict on each target, in their order.

    In a class a target that fails has its row; elsewhere it ends the command.

    Raises:
        CommandError: the one target that is a user's own failed.
    """
    from manual_rnn.cli.verify import WORTH_PROCESSES, judge_target

    # Where one target takes all cores for itself, it tells of its progress by whole shapes only.
    alone = examples >= WORTH_PROCESSES
    at_once = cores() if alone or targets.are_a_class else 1
    bytes_ = memory.share(at_once) if memory_limit is None else int(memory_limit * memory.GIGABYTE)
    job = Job(examples, seed, time_limit * max(1.0, examples / WORTH_PROCESSES), bytes_, share=not alone)
    if targets.are_a_class:
        return [verdict for verdict, _ in judge_apart(targets.names, job, progress, workers=1 if alone else cores())]
    found: dict[str, Report | Failed] = {}
    for name in targets.own:
        job = replace(job, share=False)
        ((verdict, printed),) = judge_apart([name], job, progress, workers=1)
        _pass_on(name, printed)
        if isinstance(verdict, Failed):
            raise verdict.error
        found[name] = verdict
    for name in targets.names:
        if name not in found:
            found[name] = judge_target(name, examples, seed, progress)
    return [found[name] for name in targets.names]


def exit_code(verdicts: Sequence[Report | Failed]) -> int:
    """1 if some gradient disagrees; else what the failures would end with alone: 4 before 3 before 2; else 0."""
    if any(isinstance(verdict, Report) and not verdict.agree for verdict in verdicts):
        return 1
    return max((verdict.error.exit_code for verdict in verdicts if isinstance(verdict, Failed)), default=0)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pass_on(name: str, printed: str) -> None:
    """What a user's code prints is no result of ours: on stderr, and not all of an endless print."""
    if len(printed) > SHOWN_OUTPUT:
        printed = f"… (the last {SHOWN_OUTPUT} characters of what {name} printed)\n{printed[-SHOWN_OUTPUT:]}"
    if printed:
        print(printed, file=sys.stderr)
