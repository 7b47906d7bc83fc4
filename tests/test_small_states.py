"""A tanh that loses small numbers makes no derivation wrong; what is wrong at any size of the states stays wrong."""

import numpy as np
import pytest

import strangers
from cs231n import GRADIENTS, MISTAKES, changed, check, cs231n
from test_truncation import cut_every_loss


def lossy(a):
    return 2 / (1 + np.exp(-2 * a)) - 1


@pytest.fixture
def with_a_lossy_tanh(monkeypatch):
    """Strangers' code with tanh by the logistic function: zero for every |a| below 1e-16."""

    def of(backward):
        def run(**arrays):
            with monkeypatch.context() as patch:
                patch.setattr(np, "tanh", lossy)
                return backward(**arrays)

        return run

    return of


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_tanh_that_loses_small_numbers_is_not_failed_and_it_is_said(with_a_lossy_tanh, dtype):
    report = check(with_a_lossy_tanh(cs231n), dtype=dtype)
    assert report.agree, str(report)
    assert "exploding" not in report.cases
    assert any("loses their digits" in note for note in report.notes)


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_beside_it_is_still_wrong(with_a_lossy_tanh, what):
    assert not check(with_a_lossy_tanh(changed(*MISTAKES[what]))).agree


def test_a_truncation_beside_it_is_still_named(with_a_lossy_tanh):
    report = check(with_a_lossy_tanh(cut_every_loss(3)))
    assert "goes back through 3 steps only" in report.diagnosis[0]


@pytest.mark.parametrize("limit", [30.0, 1e6, 1e50])
def test_what_is_wrong_with_large_gradients_only_is_wrong(limit):
    def clipped(**arrays):
        return {name: np.clip(g, -limit, limit) for name, g in cs231n(**arrays).items()}

    report = check(clipped)
    assert report.wrong
    assert not any("digits" in note for note in report.notes)


def test_right_code_loses_no_case():
    report = check(cs231n)
    assert report.cases["exploding"] == 2
    assert set(report.right) == {f"grad_{name}" for name in GRADIENTS}


def test_where_nothing_else_was_judged_nothing_is_set_aside(with_a_lossy_tanh):
    assert check(with_a_lossy_tanh(cs231n), regimes=["exploding"]).wrong
    assert strangers.np.tanh is np.tanh
