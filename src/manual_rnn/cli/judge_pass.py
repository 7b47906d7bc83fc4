"""Judges a whole backward pass or a step, a user's ``Target`` or ``StepTarget``."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from manual_rnn.cli.task import Task
from manual_rnn.cli.users_code import users_code
from manual_rnn.errors import RunError

if TYPE_CHECKING:
    from manual_rnn.testing import StepTarget, Target
    from manual_rnn.testing.passes.pass_report import PassReport

OURS = 120.0
"""Seconds that the judge's own work between two calls of the user's code may take: compiling, explaining, shrinking."""
CALLS = 6
"""Calls, each held to the time limit, that may follow each other without a word."""


def judge_pass(name: str, target: Target | StepTarget, task: Task) -> PassReport:
    """The verdict on the target that a name stands for.

    Raises:
        RunError: its code failed on every case that was tried, so that there is nothing to judge.
        InputError: the target cannot be used: its layout and its oracle do not fit together, say.
    """
    from manual_rnn.cli.caches import use_compilation_cache
    from manual_rnn.testing import StepTarget, check_step_target, check_target
    from manual_rnn.testing.passes.pass_report import RUNS, PassReport

    if "jax" in sys.modules:  # the oracle is the user's choice: the complex step needs no JAX
        use_compilation_cache()
    if task.time_limit:  # a hang ends in a sentence; but a call that never lets go of the interpreter must be ended
        task.may_be_silent(OURS + CALLS * task.time_limit)
    expression, needed = _again(name)
    with users_code():
        options: dict[str, Any] = {
            "examples": task.examples, "seed": task.seed, "time_limit": task.time_limit or None,
            "progress": task.progress,
        }  # fmt: skip
        if isinstance(target, StepTarget):
            found = check_step_target(target, named=f"{expression}.as_pass", **options)
        else:
            found = check_target(target, named=expression, **options)
    if not found.gradients:
        (runs,) = (promise for promise in found.preflight if promise.name == RUNS)
        raise RunError(f"{name} failed on every case that was tried: {runs.message}.", details=runs.details)
    report = PassReport.of(name, found)
    return replace(report, reproduce=f"{needed}{report.reproduce}") if report.reproduce else report


def _again(name: str) -> tuple[str, str]:
    """(the target as an expression, what must be imported for it) for the lines that reproduce a failure."""
    source, _, attribute = name.rpartition(":")
    if source.endswith(".py"):
        return f"run_path({source!r})[{attribute!r}]", "from runpy import run_path; "
    return f"{source}.{attribute}", f"import {source}; "
