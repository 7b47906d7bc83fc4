"""Which process judges which target: a user's code never runs in ours."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from manual_rnn.cli import memory
from manual_rnn.cli.apart import judge_apart
from manual_rnn.cli.apart_worker import Job
from manual_rnn.cli.class_targets import Targets
from manual_rnn.cli.failed import Failed
from manual_rnn.cli.judge_cell import EXAMPLES, WORTH_PROCESSES
from manual_rnn.cli.kinds import judge_target
from manual_rnn.cli.setting import Setting
from manual_rnn.cli.task import Task, cores
from manual_rnn.cli.verdict import Verdict

SHOWN_OUTPUT = 2000
"""Characters of what one target's code printed that are shown: the last ones."""


def judge_all(
    targets: Targets,
    *,
    examples: int | None,
    seed: int,
    setting: Setting,
    time_limit: float,
    memory_limit: float | None,
    progress: Callable[[int], None],
) -> list[Verdict]:
    """The verdict on each target, in their order.

    In a class a target that fails has its row; elsewhere it ends the command.

    Raises:
        CommandError: the one target that is a user's own failed.
    """
    cases = examples or EXAMPLES
    # Where one target takes all cores for itself, it tells of its progress by whole shapes only.
    alone = cases >= WORTH_PROCESSES
    at_once = cores() if alone or targets.are_a_class else 1
    bytes_ = memory.share(at_once) if memory_limit is None else int(memory_limit * memory.GIGABYTE)
    # The reference of several layers takes as many times as long to compile, which is not the code's fault.
    limit = time_limit * max(1.0, cases / WORTH_PROCESSES) * setting.layers * (1 + setting.bidirectional)
    job = Job(examples, seed, limit, bytes_, share=not alone, setting=setting)
    if targets.are_a_class:
        return [verdict for verdict, _ in judge_apart(targets.names, job, progress, workers=1 if alone else cores())]
    found: dict[str, Verdict] = {}
    for name in targets.own:
        job = replace(job, share=False)
        ((verdict, printed),) = judge_apart([name], job, progress, workers=1)
        _pass_on(name, printed)
        if isinstance(verdict, Failed):
            raise verdict.error
        found[name] = verdict
    for name in targets.names:
        if name not in found:
            found[name] = judge_target(name, Task(examples, seed, 0.0, progress, setting=setting))
    return [found[name] for name in targets.names]


def _pass_on(name: str, printed: str) -> None:
    """What a user's code prints is no result of ours: on stderr, and not all of an endless print."""
    if len(printed) > SHOWN_OUTPUT:
        printed = f"… (the last {SHOWN_OUTPUT} characters of what {name} printed)\n{printed[-SHOWN_OUTPUT:]}"
    if printed:
        print(printed, file=sys.stderr)
