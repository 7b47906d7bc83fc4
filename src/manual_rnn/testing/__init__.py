"""The checker, public: for your own derivations and your own test suites. The oracle is an argument."""

from manual_rnn.testing.backward_report import BackwardReport, Check, WrongBackward
from manual_rnn.testing.check_backward import check_backward, check_target
from manual_rnn.testing.diagnosis import diagnose, witnesses
from manual_rnn.testing.judge import CellFailure, judge, verdicts, verify
from manual_rnn.testing.layout import Layout
from manual_rnn.testing.oracles.own_forward import complex_step
from manual_rnn.testing.problem import Case, Oracle, Sizes, Spec
from manual_rnn.testing.report import Report
from manual_rnn.testing.second_order import check_hvp
from manual_rnn.testing.smallest import Example, example
from manual_rnn.testing.target import Target

__all__ = [
    "BackwardReport",
    "Case",
    "CellFailure",
    "Check",
    "Example",
    "Layout",
    "Oracle",
    "Report",
    "Sizes",
    "Spec",
    "Target",
    "WrongBackward",
    "check_backward",
    "check_hvp",
    "check_target",
    "complex_step",
    "diagnose",
    "example",
    "judge",
    "verdicts",
    "verify",
    "witnesses",
]
