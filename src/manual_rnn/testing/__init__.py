"""The checker, public: for your own derivations and your own test suites. The oracle is an argument."""

from manual_rnn.testing.diagnosis import diagnose, witnesses
from manual_rnn.testing.judge import CellFailure, judge, verdicts, verify
from manual_rnn.testing.oracles.own_forward import complex_step
from manual_rnn.testing.passes.backward_report import BackwardReport, Check, WrongBackward
from manual_rnn.testing.passes.check_backward import check_backward, check_target
from manual_rnn.testing.passes.layout import Layout
from manual_rnn.testing.passes.second_order import check_hvp
from manual_rnn.testing.passes.smallest import Example, example
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.problem import Case, Oracle, Sizes, Spec
from manual_rnn.testing.report import Report
from manual_rnn.testing.steps.check_step import check_step, check_step_target
from manual_rnn.testing.steps.step_target import StepTarget

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
    "StepTarget",
    "Target",
    "WrongBackward",
    "check_backward",
    "check_hvp",
    "check_step",
    "check_step_target",
    "check_target",
    "complex_step",
    "diagnose",
    "example",
    "judge",
    "verdicts",
    "verify",
    "witnesses",
]
