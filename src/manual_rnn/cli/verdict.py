"""What came of a target: a report of its kind, or that it failed."""

from __future__ import annotations

from collections.abc import Sequence

from manual_rnn.cli.failed import Failed
from manual_rnn.errors import RunError
from manual_rnn.testing.passes.pass_report import PassReport
from manual_rnn.testing.report import Report

Judged = Report | PassReport
"""The reports, one class for each way to judge; all have name, agree, blame, diagnosis, total, and as_dict."""
Verdict = Judged | Failed


def code_of(verdict: Verdict) -> int:
    """The exit code of this target alone: 1 if it is wrong, else that of its failure, else 0."""
    if isinstance(verdict, Failed):
        return verdict.error.exit_code
    if isinstance(verdict, PassReport) and verdict.only_failed:
        return RunError.exit_code
    return 0 if verdict.agree else 1


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """1 if some gradient disagrees; else what the failures would end with alone: 4 before 3 before 2; else 0."""
    codes = [code_of(verdict) for verdict in verdicts]
    return 1 if 1 in codes else max(codes, default=0)


def word_of(verdict: Verdict) -> str:
    """In one word: agrees, WRONG, or failed, which is neither."""
    return {0: "agrees", 1: "WRONG"}.get(code_of(verdict), "failed")
