"""The reference's answers, computed once for a class: fifty cells named "rnn" have the same cases and the same truth.

Half of a first verdict is the reference's: tracing, compiling, differentiating. It depends on the partner and the
cases alone, not on whose cell is judged. So a process that has never seen a user's file computes the answers of a
built-in partner and writes them to a file; the process of each cell looks them up by the digest of the problem. A
problem that is not there (another state, another map) goes to the reference itself.
"""

from __future__ import annotations

import hashlib
import pickle
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from manual_rnn import cells
from manual_rnn.cli.setting import Setting

Problem = Mapping[str, Any]
Answer = tuple[dict[str, np.ndarray[Any, Any]], dict[str, np.ndarray[Any, Any]]]
Oracle = Callable[[Sequence[Problem]], list[Answer]]

COMPILERS = 3
"""Shapes that are compiled at a time: the compiler runs beside Python."""

_KEPT: ContextVar[tuple[str, Oracle] | None] = ContextVar("kept", default=None)


def kept_for(partner: object) -> Oracle | None:
    """The oracle that looks up, if this process was handed the answers of that partner."""
    kept = _KEPT.get()
    return kept[1] if kept is not None and kept[0] == partner else None


def use_kept(partner: str, path: Path, setting: Setting) -> None:
    """From now on this process takes the answers of that built-in partner from the file."""
    with path.open("rb") as file:
        answers: dict[bytes, Answer] = pickle.load(file)
    for nodes, grads in answers.values():
        for array in (*nodes.values(), *grads.values()):
            array.flags.writeable = False  # as the reference's own are: a cell that writes into them is found out

    def look_up(problems: Sequence[Problem]) -> list[Answer]:
        found = [answers.get(digest(problem)) for problem in problems]
        known = [answer for answer in found if answer is not None]
        return known if len(known) == len(problems) else _ask_reference(partner, setting, problems)

    _KEPT.set((partner, look_up))


def keep(partner: str, examples: int, seed: int, path: Path, setting: Setting) -> None:
    """Writes the answers to all cases that a cell with this partner is judged and diagnosed on."""
    from manual_rnn.cli.caches import keep_hypothesis_out_of_the_way
    from manual_rnn.testing.families import build
    from manual_rnn.testing.mistakes.explain import observe

    keep_hypothesis_out_of_the_way()
    cell = cells.get(partner)
    network = setting.network(cell)
    answers: dict[bytes, Answer] = {}

    def ask(problems: Sequence[Problem]) -> list[Answer]:
        answered = _ask_reference(partner, setting, problems)
        answers.update(zip(map(digest, problems), answered, strict=True))
        return answered

    groups: dict[object, list[Problem]] = defaultdict(list)
    for spec in setting.specs(cell, examples, seed):
        groups[spec.sizes, spec.dtype].append(build(network, spec).for_oracle())
    with ThreadPoolExecutor(COMPILERS) as pool:
        list(pool.map(ask, groups.values()))
    observe(network, ask, loss=setting.loss)
    with path.open("wb") as file:
        pickle.dump(answers, file, protocol=pickle.HIGHEST_PROTOCOL)


def digest(problem: Problem) -> bytes:
    """Of the loss, and of every array's name, dtype, shape and bytes."""
    found = hashlib.sha256(f"{problem['loss']};".encode())
    for name, array in sorted(_arrays(problem).items()):
        found.update(f"{name} {array.dtype} {array.shape};".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.digest()


def _arrays(problem: Problem) -> dict[str, np.ndarray[Any, Any]]:
    flat = {name: problem[name] for name in ("x", "y", "weights", "begins") if name in problem}
    for group in ("params", "initial", "masks"):
        flat |= {f"{group} {name}": array for name, array in problem.get(group, {}).items()}
    return flat


def _ask_reference(partner: str, setting: Setting, problems: Sequence[Problem]) -> list[Answer]:
    from manual_rnn.cli.targets import find_autodiff

    answered: list[Answer] = find_autodiff(cells.get(partner), setting)(problems)
    return answered
