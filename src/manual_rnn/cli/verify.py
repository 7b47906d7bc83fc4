"""``manual-rnn verify``: each equation of a cell against the reference, and the whole gradient end to end."""

from __future__ import annotations

import json as jsonlib
import multiprocessing
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from manual_rnn.cli.users_code import users_code
from manual_rnn.errors import InputError

if TYPE_CHECKING:
    from manual_rnn.testing import Report, Spec
    from manual_rnn.testing.tally import Tally

WORTH_PROCESSES = 3000
"""Cases from which on a process a core pays for its start."""


def verify(
    *targets: str,
    examples: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 300,
    seed: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 0,
    json: bool = False,
    csv: Path | None = None,
    time_limit: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 30.0,
    memory_limit: Annotated[float | None, Parameter(validator=validators.Number(gte=0))] = None,
    report: Annotated[Path | None, Parameter(negative=())] = None,
) -> int:
    """Compare a hand-derived cell with jax.grad: every equation alone, at every step, and the whole gradient.

    Exit code 0: all agree. 1: some equation disagrees; the table says which, where, and by how much.
    4: none disagrees, but the code of a target failed: an exception, a crash, the time limit.

    Parameters
    ----------
    targets
        Built-in cells (rnn, rnn_relu, ...), path/to/file.py:NAME or module:NAME, NAME being a manual_rnn.Cell.
        None: all built-in cells. students/*.py:NAME stands for each file that matches. Code of your own runs in a
        process of its own; several files, or a pattern, are a class: one row each, and one that fails spoils no other.
    examples
        Cases drawn for each target, in even shares over the families.
    seed
        The same seed draws the same cases.
    json
        One JSON document on stdout, and no table.
    csv
        A file for the verdicts, a row a target, beside the table or the JSON document.
    time_limit
        Seconds that code of your own may take to load, and again for each group of up to 64 cases. 0: no limit.
    memory_limit
        Gigabytes that each process with code of your own may take, on Linux. 0: no limit. Unless you say otherwise, an
        even share of the machine's memory, and not less than 2.
    report
        Also write the verdict as a page, FILE.html: equations, error by time step, diagnosis. One file that needs no
        network; a file that is there is replaced.
    """
    from manual_rnn.cli.class_table import check_csv, show_class, write_csv
    from manual_rnn.cli.class_targets import expand
    from manual_rnn.cli.counting import counting
    from manual_rnn.cli.verify_own import exit_code, judge_all
    from manual_rnn.cli.verify_table import show
    from manual_rnn.html_report.place import check_place
    from manual_rnn.testing import Report

    chosen = expand(targets)  # what can be wrong about a target's name is said before the first one is judged
    if csv is not None:
        check_csv(csv)
    if report is not None:
        check_place(report)
    start = time.monotonic()
    with counting("judging", examples * len(chosen.names), "cases") as progress:
        reports = judge_all(
            chosen,
            examples=examples,
            seed=seed,
            time_limit=time_limit,
            memory_limit=memory_limit,
            progress=progress,
        )
    seconds = time.monotonic() - start
    if csv is not None:
        write_csv(csv, reports)
    judged = [found for found in reports if isinstance(found, Report)]
    agree = all(found.agree for found in reports)
    if report is not None:
        _write_page(report, judged, examples, seed, seconds)
        if len(judged) < len(reports):
            print(f"Not in it: {len(reports) - len(judged)} targets that failed.", file=sys.stderr)
    if json:
        document = {
            "version": 1,
            "agree": agree,
            "seconds": round(seconds, 3),
            "targets": [found.as_dict() for found in reports],
        }
        print(jsonlib.dumps(document, allow_nan=False))
    elif chosen.are_a_class:
        show_class(reports, seconds)
    else:
        show(judged, seconds)
    return exit_code(reports)


def _write_page(path: Path, reports: Sequence[Report], examples: int, seed: int, seconds: float) -> None:
    from manual_rnn.html_report import render, write

    facts = {
        "command": shlex.join(["manual-rnn", *sys.argv[1:]]),
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "examples": f"{examples} a target",
        "seed": str(seed),
        "BLAS threads while judging": "1",
    }
    write(path, render(reports, facts=facts, seconds=seconds))
    print(f"The report is in {path}", file=sys.stderr)


def judge_target(target: str, examples: int, seed: int, progress: Callable[[int], None]) -> Report:
    """Judges one target, on all cores where there are cases enough."""
    from manual_rnn.cli.caches import keep_hypothesis_out_of_the_way
    from manual_rnn.cli.targets import find_cell, find_oracle
    from manual_rnn.testing import diagnose
    from manual_rnn.testing.strategies import draw_specs

    keep_hypothesis_out_of_the_way()
    specs = draw_specs(find_cell(target), examples, seed)
    workers = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)
    if len(specs) < WORTH_PROCESSES or workers == 1:
        tally = judge_specs(target, specs, progress)
    else:
        tally = _judge_on_all_cores(target, specs, workers, progress)
    cell = find_cell(target)
    with users_code():
        return replace(tally.report(diagnose(cell, find_oracle(cell), tally)), name=target)


def judge_specs(target: str, specs: Sequence[Spec], progress: Callable[[int], None] = lambda count: None) -> Tally:
    """Judges these cases of a target in this process."""
    from manual_rnn.cli.targets import find_cell, find_oracle
    from manual_rnn.testing import judge

    cell = find_cell(target)
    with users_code():
        return judge(cell, find_oracle(cell), specs, progress=progress)


def _judge_on_all_cores(target: str, specs: Sequence[Spec], workers: int, progress: Callable[[int], None]) -> Tally:
    # Whole shapes go to one process each, so that no shape is compiled twice; JAX forbids fork.
    order = sorted(specs, key=lambda spec: (spec.sizes, spec.dtype))
    by_shape: dict[object, list[Spec]] = {}
    for spec in order:
        by_shape.setdefault((spec.sizes, spec.dtype), []).append(spec)
    heaviest_first = sorted(by_shape.values(), key=lambda part: -part[0].sizes.T * len(part))
    total: Tally | None = None
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        waiting = {pool.submit(judge_specs, target, part): len(part) for part in heaviest_first}
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
