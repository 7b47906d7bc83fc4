"""How long a checker takes on right code, by the size of the network; each measurement in a process of its own."""

from __future__ import annotations

import statistics
import time
from typing import Any

from threadpoolctl import threadpool_limits

import manual_rnn
from manual_rnn.testing.problem import Sizes
from peer_checks.checkers import CHECKERS
from peer_checks.regimes import Regime
from peer_checks.subject import Subject

HIDDEN = (4, 8, 16, 32, 64)
ROUNDS = 5
LIMIT = 90
"""Seconds that one measurement may take before it is given up, imports included."""
WITH_ORACLE = ("autodiff_allclose", "autodiff_relative", "end_to_end", "judge")
ENOUGH = 5.0
"""A round that took longer than this many seconds is not repeated."""


def subject_of(hidden: int) -> Subject:
    """40 steps, batch 8, 16 inputs and outputs: at hidden 64 the size that the issue asks for."""
    sizes = Sizes(40, 8, 16, hidden, 16)
    return Subject(Regime("", "", "ordinary", 40, sizes).case(0), manual_rnn)


def measure(checker: str, hidden: int) -> dict[str, Any]:
    """The seconds of the first check in this process, and of later ones on the same case."""
    accepts = CHECKERS[checker].accepts
    subject = subject_of(hidden)
    start = time.perf_counter()
    _import_what_it_needs(checker)
    imports = time.perf_counter() - start
    seconds: list[float] = []
    with threadpool_limits(1):
        while not seconds or (len(seconds) <= ROUNDS and seconds[-1] < ENOUGH):
            _forget_answers(checker)
            start = time.perf_counter()
            accepted = accepts(subject)
            seconds.append(time.perf_counter() - start)
    again = seconds[1:] or seconds
    return {
        "checker": checker,
        "hidden": hidden,
        "numbers": sum(array.size for array in subject.arrays.values()),
        "accepts": bool(accepted),
        "imports": imports,
        "first": seconds[0],
        "median": statistics.median(again),
        "low": min(again),
        "high": max(again),
        "rounds": len(again),
    }


def _import_what_it_needs(checker: str) -> None:
    """Imports are timed apart: they are paid once a process, not once a check."""
    if "torch" in CHECKERS[checker].needs:
        import torch.autograd.gradcheck  # noqa: F401
    elif checker == "check_vjp":
        import jax.test_util  # noqa: F401
    elif checker in WITH_ORACLE:
        import peer_checks.ours  # noqa: F401


def _forget_answers(checker: str) -> None:
    """The oracle's answer is part of a check, so every round asks for it anew."""
    if checker in WITH_ORACLE:
        from peer_checks import ours

        ours._ANSWERS.clear()
