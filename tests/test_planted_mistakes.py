"""Each planted mistake fails, and the local verdict names exactly the equation that the wrong line computes."""

from functools import cache

import numpy as np
import pytest

import manual_rnn
from manual_rnn.testing import Case, Sizes, Spec, judge, verdicts
from manual_rnn.testing.families import build
from manual_rnn.testing.problem import Answer
from mistakes import MISTAKES
from planting import Mistake, planted
from reference import autodiff

RNN = manual_rnn.cells.get("rnn")
SHAPES = (Sizes(7, 4, 3, 2, 2), Sizes(8, 2, 3, 8, 5))
SPECS = [
    Spec(family, sizes, "float64", seed, severity)
    for family, severity in [("ordinary", 40), ("ordinary", 90), ("logits", 80), ("saturated", 10)]
    for sizes in SHAPES
    for seed in range(3)
]
ABOUT_1E50 = [Spec("vanished", Sizes(8, 2, 3, 8, 5), "float64", seed, 12) for seed in range(4)]
"""Of the last step's loss, the gradient of h(0) is about 1e-50 in these."""


@cache
def answers(specs: tuple[Spec, ...]) -> dict[Spec, Answer]:
    given: dict[Spec, Answer] = {}
    for sizes in {spec.sizes for spec in specs}:
        group = [spec for spec in specs if spec.sizes == sizes]
        solved = autodiff("rnn")([build(RNN, spec).for_oracle() for spec in group])
        given |= dict(zip(group, solved, strict=True))
    return given


def report_on(mistake: Mistake | None, specs: list[Spec], tmp_path):
    known = answers(tuple(specs))

    def oracle(problems):
        return [known[spec] for spec in by_shape[problems[0]["y"].shape]]

    by_shape: dict[tuple[int, int], list[Spec]] = {}
    for spec in specs:
        by_shape.setdefault((spec.sizes.T, spec.sizes.B), []).append(spec)
    if mistake is None:
        return judge(RNN, oracle, specs).report()
    with planted(mistake, tmp_path) as package:
        cell, manual = package.cells.get("rnn"), package.gradients.forward_and_backward
        return judge(cell, oracle, specs, manual=manual).report()


def test_without_a_mistake_nothing_is_blamed(tmp_path):
    assert report_on(None, SPECS, tmp_path).agree
    assert report_on(None, ABOUT_1E50, tmp_path).agree


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_planted_mistake_is_named(mistake, tmp_path):
    report = report_on(mistake, SPECS, tmp_path)
    assert not report.agree
    assert set(report.blame) == set(mistake.equations)


def test_there_are_enough_of_them_and_no_equation_is_left_out():
    assert len(MISTAKES) >= 20
    planted_in = {equation for mistake in MISTAKES for equation in mistake.equations}
    assert planted_in == {equation.name for equation in report_on(None, SPECS, None).equations}


VANISHED = [m for m in MISTAKES if m.what in {
    "W for Wᵀ on the way back", "the carried gradient never added", "the derivative of tanh forgotten",
    "the pre-activation in the derivative", "accidental truncation after three steps", "the carry's sign",
    "off by one part in a thousand", "the initial state's gradient is zeros", "h(t) for h(t−1)", "∇h for ∇a",
}]  # fmt: skip


@pytest.mark.parametrize("mistake", VANISHED, ids=str)
def test_a_mistake_is_named_where_the_gradient_is_about_1e_50(mistake, tmp_path):
    report = report_on(mistake, ABOUT_1E50, tmp_path)
    assert set(report.blame) == set(mistake.equations)


def test_what_is_named_at_1e_50_passes_an_absolute_tolerance(tmp_path):
    """What other checkers do: the wrong gradient of h(0) differs by half of itself, and allclose passes it."""
    wrong_transpose = next(m for m in MISTAKES if m.what == "W for Wᵀ on the way back")
    case = build(RNN, ABOUT_1E50[0])
    truth = answers(tuple(ABOUT_1E50))[case.spec][1]["h0"]
    assert 1e-56 < np.abs(truth).max() < 1e-46
    with planted(wrong_transpose, tmp_path) as package:
        ours = gradient_of_h0(package, case)
    assert np.abs(ours - truth).max() > 0.5 * np.abs(truth).max()
    assert np.allclose(ours, truth)


def gradient_of_h0(package, case: Case):
    """By the lines that the mistakes are planted in: on a plain tape the walk in place has lines of its own."""

    class Watched(package.bptt.Tape):
        pass

    tape, grads = Watched(case.spec.sizes.T), Watched(case.spec.sizes.T)
    arguments = (case.params, case.x, case.y, case.weights, case.initial)
    cell = package.cells.get("rnn")
    package.gradients.forward_and_backward(cell, *arguments, inputs=False, tape=tape, grads=grads)
    return grads["h0"]


@pytest.mark.parametrize(("what", "t"), [
    ("carry dropped at the first step only", 0),
    ("the readout's part counted twice at the last step", 7),
])  # fmt: skip
def test_the_step_is_named(what, t, tmp_path):
    mistake = next(m for m in MISTAKES if m.what == what)
    specs = [spec for spec in SPECS if spec.sizes.T == 8]
    equations = {equation.name: equation for equation in report_on(mistake, specs, tmp_path).equations}
    assert equations["grad_h"].worst.t == t


def test_a_mistake_of_one_step_makes_no_other_step_wrong(tmp_path):
    mistake = next(m for m in MISTAKES if m.what == "carry dropped at the first step only")
    case = build(RNN, SPECS[-1])
    answer = answers(tuple(SPECS))[case.spec]
    with planted(mistake, tmp_path) as package:
        cell, manual = package.cells.get("rnn"), package.gradients.forward_and_backward
        local, _ = verdicts(cell, case, answer, manual=manual)
    wrong_steps = np.flatnonzero(local["grad_h"].wrong.any(axis=(1, 2)))
    assert wrong_steps.tolist() == [0]
