"""The checker, public: for your own derivations and your own test suites. The oracle is an argument."""

from manual_rnn.testing.diagnosis import diagnose, witnesses
from manual_rnn.testing.judge import CellFailure, judge, verdicts, verify
from manual_rnn.testing.problem import Case, Oracle, Sizes, Spec
from manual_rnn.testing.report import Report

__all__ = [
    "Case",
    "CellFailure",
    "Oracle",
    "Report",
    "Sizes",
    "Spec",
    "diagnose",
    "judge",
    "verdicts",
    "verify",
    "witnesses",
]
