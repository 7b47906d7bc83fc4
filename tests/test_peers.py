"""The comparison with other checkers: the harness itself, small. The figures are those of benchmarks/peers.py."""

import json

import numpy as np
import pytest

import manual_rnn
from manual_rnn.testing.problem import Sizes
from mistakes import MISTAKES
from peer_checks import ROOT, timing
from peer_checks.checkers import CHECKERS
from peer_checks.page import cell_of, page_of
from peer_checks.planted_bugs import BACKWARD, detections
from peer_checks.regimes import PLANTED, Regime
from peer_checks.subject import Subject
from planting import planted
from reference import autodiff

SMALL = Regime("", "", "ordinary", 50, Sizes(5, 2, 2, 3, 2))


@pytest.fixture(params=CHECKERS)
def checker(request):
    if not CHECKERS[request.param].available:
        pytest.skip("torch is missing")
    return CHECKERS[request.param]


@pytest.fixture
def transposed(tmp_path):
    with planted(next(m for m in MISTAKES if m.what == "W for Wᵀ on the way back"), tmp_path) as package:
        yield package


def test_a_checker_accepts_right_code_at_ordinary_sizes(checker):
    assert checker.accepts(Subject(SMALL.case(0), manual_rnn))


def test_a_checker_detects_a_gross_mistake_and_leaves_the_arrays_alone(checker, transposed):
    subject = Subject(SMALL.case(0), transposed)
    before = {name: array.copy() for name, array in subject.arrays.items()}
    assert not checker.accepts(subject)
    assert all(np.array_equal(before[name], array) for name, array in subject.arrays.items())


@pytest.mark.parametrize("regime", PLANTED)
def test_the_loss_is_that_of_the_pass_and_the_gradients_are_the_references(regime):
    case = PLANTED[regime].case(0)
    subject = Subject(case, manual_rnn)
    nodes, truth = autodiff("rnn")([case.for_oracle()])[0]
    assert subject.loss(subject.arrays) == pytest.approx(nodes["loss"].sum(), rel=1e-12)
    for name, ours in subject.gradients(subject.arrays).items():
        np.testing.assert_allclose(ours, truth[name], rtol=1e-6, atol=1e-9 * np.abs(truth[name]).max())
    assert {array.dtype for array in subject.arrays.values()} == {np.dtype(float)}


def test_the_regimes_are_what_they_are_called():
    sizes = {}
    for name, regime in PLANTED.items():
        grads = Subject(regime.case(0), manual_rnn).gradients(Subject(regime.case(0), manual_rnn).arrays)
        sizes[name] = np.abs(grads["h0"]).max(), np.abs(grads["x"][0]).max()
    assert sizes["ordinary"][0] > 1e-3
    assert 1e-54 < sizes["vanished8"][0] < 1e-46
    assert 1e-54 < sizes["vanished60"][1] < 1e-46


def test_what_absolute_tolerances_pass_is_failed_here(transposed):
    subject = Subject(PLANTED["vanished8"].case(0), transposed)
    assert CHECKERS["autodiff_allclose"].accepts(subject)
    assert not CHECKERS["end_to_end"].accepts(subject)
    assert not CHECKERS["judge"].accepts(subject)


def test_central_differences_are_the_gradient():
    subject = Subject(SMALL.case(1), manual_rnn)
    for name, slope in subject.central_differences(1e-5).items():
        np.testing.assert_allclose(slope, subject.gradients(subject.arrays)[name], atol=1e-8)


def test_only_mistakes_of_the_backward_pass_are_compared():
    assert 30 <= len(BACKWARD) < len(MISTAKES)


def test_detections_count_cases():
    found = detections("judge", BACKWARD[:1])
    assert set(found["false_alarms"].values()) == {0}
    assert found["detected"]["ordinary"] == {str(BACKWARD[0]): 3}


def test_a_letter_says_what_happened():
    def results(size, count, alarms):
        found = {"false_alarms": {"ordinary": alarms}, "detected": {"ordinary": {"m": count}}}
        return {"effects": {"ordinary": {"m": size}}, "checkers": {"c": found}}

    letters = [cell_of(results(*row), "c", "ordinary", "m") for row in [(1, 3, 0), (1, 0, 0), (0, 0, 0), (1, 3, 1)]]
    assert letters == ["o", "–", "·", "🐺"]


def test_a_time_is_measured(monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", 2)
    row = timing.measure("judge", 4)
    assert row["accepts"]
    assert row["low"] <= row["median"] <= row["high"]


def test_the_page_is_that_of_the_numbers():
    results = json.loads((ROOT / "benchmarks" / "results" / "peers.json").read_text(encoding="utf-8"))
    assert page_of(results) == (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
