"""Every planted bug of the backward pass, in every regime, for one checker: which does it detect?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import manual_rnn
from mistakes import MISTAKES
from peer_checks.checkers import CHECKERS
from peer_checks.regimes import PLANTED, REGIMES
from peer_checks.subject import Subject
from planting import planted

BACKWARD = [mistake for mistake in MISTAKES if all(name.startswith("grad_") for name in mistake.equations)]
"""The mistakes that leave the forward pass as it is: what a gradient check is for."""


def detections(checker: str, mistakes: list[Any] = BACKWARD) -> dict[str, Any]:
    """Per regime, and per mistake: on how many of the cases the checker fails the gradients; likewise right code."""
    accepts = CHECKERS[checker].accepts
    cases = {name: regime.cases() for name, regime in REGIMES.items()}
    with np.errstate(all="ignore"):
        alarms = {
            name: sum(not accepts(Subject(case, manual_rnn)) for case in of_regime)
            for name, of_regime in cases.items()
        }
        detected: dict[str, dict[str, int]] = {name: {} for name in PLANTED}
        for mistake in mistakes:
            with tempfile.TemporaryDirectory() as folder, planted(mistake, Path(folder)) as package:
                for name in PLANTED:
                    subjects = [Subject(case, package) for case in cases[name]]
                    detected[name][str(mistake)] = sum(not accepts(subject) for subject in subjects)
    return {"false_alarms": alarms, "detected": detected}


def effects(mistakes: list[Any] = BACKWARD) -> dict[str, dict[str, float]]:
    """Per regime and mistake, how wrong its gradients are: the largest relative error of any array at any step.

    An array's error is taken relative to its largest entry, by time step for x. What is zero here no checker can see.
    """
    from peer_checks.ours import answer

    found: dict[str, dict[str, float]] = {name: {} for name in PLANTED}
    cases = {name: regime.cases() for name, regime in PLANTED.items()}
    for mistake in mistakes:
        with tempfile.TemporaryDirectory() as folder, planted(mistake, Path(folder)) as package:
            for name in PLANTED:
                errors = []
                for case in cases[name]:
                    subject, truth = Subject(case, package), answer(case)[1]
                    grads = subject.gradients(subject.arrays)
                    errors += [_error(grads[v], truth[v], by_step=v == "x") for v in grads]
                found[name][str(mistake)] = max(errors)
    return found


def _error(ours: np.ndarray, truth: np.ndarray, *, by_step: bool) -> float:
    shape = (len(truth), -1) if by_step else (1, -1)
    difference, size = (np.abs(array).reshape(shape).max(axis=1) for array in (ours - truth, truth))
    return float(np.max(difference / np.where(size > 0, size, 1)))


def magnitudes() -> dict[str, dict[str, float]]:
    """Per regime the largest |∂L/∂h(0)| and |∂L/∂x(1)|, the median of the cases: which regime is it really?"""
    from peer_checks.ours import answer

    found = {}
    for name, regime in REGIMES.items():
        grads = [answer(case)[1] for case in regime.cases()]
        found[name] = {
            "h0": float(np.median([np.abs(g["h0"]).max() for g in grads])),
            "x1": float(np.median([np.abs(g["x"][0]).max() for g in grads])),
        }
    return found


def explanations(mistakes: list[Any] = BACKWARD) -> dict[str, Any]:
    """What this project's judge adds to "wrong": the equations it blames in each regime, and the mistake in words."""
    from peer_checks.ours import blamed, sentences

    cases = {name: regime.cases() for name, regime in PLANTED.items()}
    rows = {}
    for mistake in mistakes:
        with tempfile.TemporaryDirectory() as folder, planted(mistake, Path(folder)) as package:
            rows[str(mistake)] = {
                "planted_in": sorted(mistake.equations),
                "blamed": {name: blamed([Subject(case, package) for case in cases[name]]) for name in PLANTED},
                "said": sentences([Subject(case, package) for case in cases["ordinary"]]),
            }
    return rows
