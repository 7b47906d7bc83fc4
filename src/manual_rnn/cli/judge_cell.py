"""Judges a cell: each of its equations alone, and the whole gradient; on all cores where there are cases enough."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from typing import TYPE_CHECKING

from manual_rnn.cell import Cell
from manual_rnn.cli.setting import Setting
from manual_rnn.cli.task import Task, cores
from manual_rnn.cli.users_code import users_code
from manual_rnn.errors import InputError

if TYPE_CHECKING:
    from manual_rnn.testing import Report, Spec
    from manual_rnn.testing.tally import Tally

EXAMPLES = 300
"""Cases, where nobody says how many."""
WORTH_PROCESSES = 3000
"""Cases from which on a process a core pays for its start."""


def judge_cell(target: str, cell: Cell, task: Task) -> Report:
    """The verdict on the cell that a target names."""
    from manual_rnn.cli.caches import keep_hypothesis_out_of_the_way
    from manual_rnn.cli.targets import find_oracle
    from manual_rnn.testing import diagnose

    keep_hypothesis_out_of_the_way()
    setting = task.setting
    specs = setting.specs(cell, task.examples or EXAMPLES, task.seed)
    workers = min(cores(), 8)
    if len(specs) < WORTH_PROCESSES or workers == 1:
        tally = judge_specs(target, setting, specs, task.progress)
    else:
        tally = _judge_on_all_cores(target, setting, specs, workers, task.progress)
    with users_code():
        sentences = diagnose(setting.network(cell), find_oracle(cell, setting), tally)
    return replace(tally.report(sentences), name=target, setting=setting.words)


def judge_specs(
    target: str, setting: Setting, specs: Sequence[Spec], progress: Callable[[int], None] = lambda count: None
) -> Tally:
    """Judges these cases of a target in this process."""
    from manual_rnn.cli.targets import find, find_oracle
    from manual_rnn.testing import judge

    cell: Cell = find(target, (Cell,))
    with users_code():
        return judge(setting.network(cell), find_oracle(cell, setting), specs, progress=progress)


def _judge_on_all_cores(
    target: str, setting: Setting, specs: Sequence[Spec], workers: int, progress: Callable[[int], None]
) -> Tally:
    # Whole shapes go to one process each, so that no shape is compiled twice; JAX forbids fork.
    order = sorted(specs, key=lambda spec: (spec.sizes, spec.dtype))
    by_shape: dict[object, list[Spec]] = {}
    for spec in order:
        by_shape.setdefault((spec.sizes, spec.dtype), []).append(spec)
    heaviest_first = sorted(by_shape.values(), key=lambda part: -part[0].sizes.T * len(part))
    total: Tally | None = None
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        waiting = {pool.submit(judge_specs, target, setting, part): len(part) for part in heaviest_first}
        for done in as_completed(waiting):
            if total is None:
                total = done.result()
            else:
                total.merge(done.result())
            progress(waiting[done])
        pool.shutdown()
    except BaseException:  # at Ctrl-C nobody waits for work that nobody wants
        for worker in multiprocessing.active_children():
            worker.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    if total is None:
        raise InputError("There is nothing to judge: no case was drawn.")
    return total
