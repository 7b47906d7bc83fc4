"""What a name may stand for, and who judges it: the one place where the kinds of target are told apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from manual_rnn.cli.targets import find
from manual_rnn.cli.task import Task
from manual_rnn.cli.verdict import Judged
from manual_rnn.errors import InputError


@dataclass(frozen=True)
class Kind:
    """One kind of target. Its judge gives a verdict that can be sent to another process: it holds no functions."""

    type: type
    words: str
    judge: Callable[[str, Any, Task], Judged]


def kinds() -> tuple[Kind, ...]:
    """All kinds, the commonest first."""
    from manual_rnn import Cell
    from manual_rnn.cli.judge_cell import judge_cell
    from manual_rnn.cli.judge_pass import judge_pass
    from manual_rnn.testing import StepTarget, Target

    return (
        Kind(Cell, "a manual_rnn.Cell (named equations)", judge_cell),
        Kind(Target, "a manual_rnn.testing.Target (a whole backward pass)", judge_pass),
        Kind(StepTarget, "a manual_rnn.testing.StepTarget (a step)", judge_pass),
    )


def find_target(name: str) -> Any:
    """What a name stands for; raises as :func:`manual_rnn.cli.targets.find` does."""
    return find(name, tuple(kind.type for kind in kinds()))


def judge_target(name: str, task: Task) -> Judged:
    """The verdict on what a name stands for.

    Raises:
        UsageError: there is no such name, or a setting is asked for that is a cell's, and it is none.
        InputError: it stands for something else than what can be judged.
        RunError: the user's code failed.
    """
    from manual_rnn import Cell
    from manual_rnn.network import Network

    found = find_target(name)
    for kind in kinds():
        if isinstance(found, kind.type):
            if kind.type is not Cell:
                task.setting.check_is_for_cells(name, kind.type.__name__)
            return kind.judge(name, found, task)
    if isinstance(found, Network):
        raise InputError(
            f"{name} is a Network; verify takes the cell that it is made of and stacks it by --layers, --bidirectional "
            "and --learned-initial. In Python, manual_rnn.testing.verify takes the network itself."
        )
    expected = " or ".join(kind.words for kind in kinds())
    raise InputError(f"{name} is of the type {type(found).__name__}; expected {expected}.")
