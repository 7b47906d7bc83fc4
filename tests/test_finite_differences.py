"""Finite differences: right where they decide, and silent where the loss cannot show the gradient."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manual_rnn import cells
from manual_rnn.testing.families import build, families_for
from manual_rnn.testing.oracles import finite_differences as module
from manual_rnn.testing.oracles.complex_step import complex_step
from manual_rnn.testing.oracles.estimate import ENOUGH, norm, widest_dtype
from manual_rnn.testing.oracles.finite_differences import extrapolate, finite_differences, noise_of
from manual_rnn.testing.problem import Spec
from oracle_cases import (
    SMALL,
    USUAL,
    autodiff_gradients,
    chaotic,
    draw,
    means_nothing,
    vanished,
    variables,
    well_conditioned,
)

RNN, RELU, IDENTITY = (cells.get(name) for name in ("rnn", "rnn_relu", "rnn_identity"))


# Of the gated cells two, with few cases: a ladder of steps for each of some hundred parameters takes a second a case.
@pytest.mark.parametrize(
    ("name", "examples"),
    [("rnn", 4), ("rnn_relu", 4), ("rnn_orthogonal", 2), ("lstm_peephole", 1), ("gru", 1)]
    + [pytest.param(name, n, marks=pytest.mark.thorough) for name, n in (("rnn_identity", 100), ("gru", 30))],
)
def test_agree_with_autodiff_on_well_conditioned_cases(name, examples):
    @settings(deadline=None, max_examples=examples)
    @given(well_conditioned(name))
    def holds(case):
        ours, truth = finite_differences(cells.get(name), case), autodiff_gradients(name, case)
        assert tuple(ours) == variables(case)
        for variable, estimate in ours.items():
            # Every unit of the ReLU is off, or the parameter means nothing: a zero, which differences cannot know.
            if not truth[variable].any() or means_nothing(cells.get(name), case, variable):
                assert estimate.cannot_decide
                continue
            assert not estimate.cannot_decide, (variable, estimate.cannot_decide)
            # Autodiff's own rounding: 1e-12 is a fair demand of right float64 code on a well-conditioned case.
            allowed = norm(estimate.error) + 1e-12 * norm(truth[variable])
            assert norm(estimate.value - truth[variable]) <= allowed, variable

    holds()


@given(st.sampled_from(families_for(RNN)), st.integers(0, 2**32 - 1), st.integers(0, 100))
def test_their_error_is_an_upper_bound_in_every_family(family, seed, severity):
    case = build(RNN, Spec(family, USUAL, "float64", seed, severity))
    truth = complex_step(RNN, case, names=["W", "h0", "b"])
    for name, estimate in finite_differences(RNN, case, names=["W", "h0", "b"]).items():
        if not estimate.cannot_decide and not truth[name].cannot_decide:
            assert norm(estimate.value - truth[name].value) <= norm(estimate.error)
            assert estimate.relative_error <= ENOUGH


@pytest.mark.parametrize("exponent", [-50, -250, -280])
def test_cannot_decide_where_the_gradient_has_vanished(exponent):
    estimate = finite_differences(RNN, vanished(RNN, exponent), names=["h0"])["h0"]
    assert "rounding hides it" in estimate.cannot_decide
    assert norm(estimate.error) > norm(estimate.value)


def test_cannot_tell_an_exact_zero_from_a_vanished_gradient():
    case = draw(RNN)
    case = dataclasses.replace(case, params={**case.params, "W": np.zeros((4, 4))})
    assert finite_differences(RNN, case, names=["h0"])["h0"].cannot_decide


@pytest.mark.parametrize("offset", [0.0, 1e-9, -1e-12])
def test_cannot_decide_at_and_near_a_kink(offset):
    """At the kink itself all step sizes agree on the mean of the two slopes: only the jump tells."""
    case = draw(RELU, sizes=SMALL, seed=3)
    params = {**case.params, "U": np.ones((1, 1)), "b": np.zeros(1), "V": np.array([[1.0], [-1.0]])}
    case = dataclasses.replace(
        case, params=params, initial={"h": np.zeros((1, 1))}, x=np.full((1, 1, 1), offset), y=np.zeros((1, 1), int)
    )
    estimate = finite_differences(RELU, case, names=["b"])["b"]
    assert "the slopes on its two sides differ" in estimate.cannot_decide


def test_a_kink_between_two_steps_does_not_mislead():
    case = draw(RELU, sizes=SMALL, seed=3)
    params = {**case.params, "U": np.ones((1, 1)), "b": np.zeros(1)}
    for distance in np.geomspace(1e-7, 1, 15):
        x, initial = np.full((1, 1, 1), distance), {"h": np.zeros((1, 1))}
        moved = dataclasses.replace(case, params=params, initial=initial, x=x)
        estimate = finite_differences(RELU, moved, names=["b"])["b"]
        truth = autodiff_gradients("rnn_relu", moved)["b"]
        assert estimate.cannot_decide or norm(estimate.value - truth) <= norm(estimate.error)


def test_cannot_decide_where_tanh_is_saturated():
    case = draw(RNN, "saturated", severity=95)
    estimates = finite_differences(RNN, case, names=["W", "b", "V"])
    assert "rounding hides it" in estimates["W"].cannot_decide
    assert "rounding hides it" in estimates["b"].cannot_decide
    assert not estimates["V"].cannot_decide  # the readout is not saturated


def test_cannot_decide_in_a_chaotic_network():
    assert finite_differences(RNN, chaotic(RNN), names=["h0"])["h0"].cannot_decide


def test_the_noise_of_a_loss_of_zero_is_that_of_its_logarithm():
    """With one logit far above the others the loss is exactly zero at every point, and still not known to 1e-4000."""
    case = draw(RNN)
    V, c = np.zeros((3, 4)), np.array([20000.0, 0.0, 0.0])
    case = dataclasses.replace(case, params={**case.params, "V": V, "c": c}, y=np.zeros_like(case.y))
    flat = noise_of(lambda at: np.zeros(case.y.shape), {"V": V.astype(widest_dtype())}, case.weights)
    assert flat == np.finfo(widest_dtype()).eps / 2 * case.y.size
    assert finite_differences(RNN, case, names=["c"])["c"].cannot_decide


def test_extrapolation_is_exact_for_the_powers_that_it_takes_out():
    steps = module.RATIO ** -np.arange(-1.0, 5.0)
    for first in (1, 2):
        values = 5 + sum((2 + k) * steps ** (first + 2 * k) for k in range(5))
        table = extrapolate(values, first_power=first)
        assert table[-1][5] == pytest.approx(5, rel=1e-6)
        assert table[-1][0] == values[-1]


def test_steps_too_long_for_the_function_disagree():
    """sin(1e7 v) around zero: odd, so that the slopes on both sides are alike, and wild at every step of the ladder."""
    at = {"V": np.zeros(1, widest_dtype())}
    found = module.estimate_of(lambda at: np.sin(1e7 * at["V"]), at, "V", np.longdouble(1e-19), ENOUGH)
    assert "the step sizes disagree" in found.cannot_decide


def test_the_step_is_what_the_format_made_of_it():
    """1/3 ± 2⁻¹⁸ is rounded: a straight line has its own slope at each step, to a unit or two, if that is minded."""
    at = {"V": np.array([1 / 3])}
    D, J = module._differences(lambda at: 8 * at["V"], at, "V", scale=1 / 3)
    assert np.abs(D - 8).max() <= 8 * 4e-16
    assert np.abs(J).max() <= 1e-9


def test_noise_is_measured_to_a_small_factor():
    """A slope of 1e3 and a noise of 1e-12: the slope does not count."""
    at = {"V": np.array([1 / 3], widest_dtype())}
    noisy = lambda at: 1e3 * at["V"] + 1e-12 * np.sin(1e22 * at["V"])  # noqa: E731
    assert 0.3e-12 < noise_of(noisy, at, np.ones(1)) < 3e-12


def test_only_the_forward_step_is_used_and_nothing_is_overwritten():
    def backward(*_):
        raise AssertionError("the backward step was called")

    case = draw(RNN, sizes=SMALL)
    before = {name: array.copy() for name, array in case.params.items()}
    finite_differences(dataclasses.replace(RNN, backward=backward), case)
    assert all(np.array_equal(case.params[name], array) for name, array in before.items())


def test_work_in_float64_where_the_platform_has_no_more(monkeypatch):
    monkeypatch.setattr(module, "widest_dtype", lambda: np.dtype(np.float64))
    case = draw(RNN, seed=2)
    truth = autodiff_gradients("rnn", case)
    for name, estimate in finite_differences(RNN, case).items():
        assert estimate.value.dtype == np.float64
        assert not estimate.cannot_decide, estimate.cannot_decide
        assert norm(estimate.value - truth[name]) <= norm(estimate.error)
    assert finite_differences(RNN, vanished(RNN, -50), names=["h0"])["h0"].cannot_decide


def test_tokens_have_no_gradient_of_x():
    case = draw(RNN)
    tokens = dataclasses.replace(case, x=np.zeros((8, 2), int))
    assert list(finite_differences(RNN, tokens, names=None)) == ["U", "W", "b", "V", "c", "h0"]
    with pytest.raises(ValueError, match=r"There is no variable x, Q; the variables are U, W, b, V, c, h0\."):
        finite_differences(RNN, tokens, names=["x", "W", "Q"])
