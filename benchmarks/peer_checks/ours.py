"""This project's judge on a subject: both verdicts, the equations that it blames, and what it says the mistake is."""

from __future__ import annotations

from typing import Any

from manual_rnn.cli.caches import use_compilation_cache
from manual_rnn.testing import diagnose, verdicts
from manual_rnn.testing.problem import Answer, Case
from manual_rnn.testing.tally import Tally
from peer_checks.subject import Subject
from reference import autodiff

use_compilation_cache()
ORACLE = autodiff("rnn")
_ANSWERS: dict[int, tuple[Case, Answer]] = {}


def answer(case: Case) -> Answer:
    """The reference's nodes and gradients of a case, asked for once: the mistake is never in the reference."""
    if id(case) not in _ANSWERS:
        _ANSWERS[id(case)] = (case, ORACLE([case.for_oracle()])[0])
    return _ANSWERS[id(case)][1]


def judged(subject: Subject) -> tuple[dict[str, Any], dict[str, Any]]:
    """The local and the end-to-end verdict on the package's pass."""
    package = subject.package
    return verdicts(
        package.cells.get("rnn"), subject.case, answer(subject.case), manual=package.gradients.forward_and_backward
    )


def tally_of(subjects: list[Subject]) -> Tally:
    """The count over some cases of one package."""
    tally = Tally(subjects[0].package.cells.get("rnn"))
    for subject in subjects:
        tally.add(subject.case, *judged(subject))
    return tally


def blamed(subjects: list[Subject]) -> list[str]:
    """The equations that are wrong by themselves."""
    return sorted(equation.name for equation in tally_of(subjects).report().equations if not equation.local_agree)


def sentences(subjects: list[Subject]) -> list[str]:
    """What the judge says of the mistake."""
    package = subjects[0].package
    cell = package.cells.get("rnn")
    return diagnose(cell, ORACLE, tally_of(subjects), manual=package.gradients.forward_and_backward)
