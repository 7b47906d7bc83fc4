"""The closed-form theory: against its own equations solved another way, known limits, and networks that are drawn."""

import sys

import numpy as np
import pytest

from manual_rnn.diagnostics import (
    critical_gain,
    driven_network,
    extrapolated,
    mean_field,
    norms_by_lag,
    orthogonal,
    typical_slope,
)


def gaussian_mean(function, q):
    """E[function(√q z)] by a trapezoid so fine that nothing is missed: another way than the library's."""
    z = np.linspace(-12, 12, 400_001)
    return np.trapezoid(function(np.sqrt(q) * z) * np.exp(-(z**2) / 2), z) / np.sqrt(2 * np.pi)


@pytest.mark.parametrize("gain", [0.2, 0.8, 1.0, 1.5, 2.0, 5.0, 40.0])
@pytest.mark.parametrize("input_std", [0.01, 0.5, 3.0])
def test_q_and_chi_solve_their_equations(gain, input_std):
    theory = mean_field(gain, input_std)
    q = gain**2 * gaussian_mean(lambda a: np.tanh(a) ** 2, theory.q) + input_std**2
    assert q == pytest.approx(theory.q, rel=1e-10)
    assert gain**2 * gaussian_mean(lambda a: np.cosh(a) ** -4, theory.q) == pytest.approx(theory.chi, rel=1e-10)
    assert theory.lyapunov_exponent == theory.slope / 2


@pytest.mark.parametrize(("gain", "slope"), [(0.8, -0.9047), (1.5, -0.0335), (2.0, 0.2408)])
def test_slopes_with_input_of_one_half(gain, slope):
    assert mean_field(gain, 0.5).slope == pytest.approx(slope, abs=5e-5)


@pytest.mark.parametrize(("input_std", "gain"), [(0.0, 1.0), (0.1, 1.193), (0.3, 1.396), (0.5, 1.550), (1.0, 1.856)])
def test_input_moves_the_critical_gain_up(input_std, gain):
    assert critical_gain(input_std) == pytest.approx(gain, abs=5e-4)
    assert mean_field(critical_gain(input_std), input_std).chi == pytest.approx(1, abs=1e-10)


def test_large_gain_is_where_gauss_hermite_goes_wrong():
    theory = mean_field(5.0, 0.5)
    nodes, weights = np.polynomial.hermite.hermgauss(121)
    by_hermite = 25 * (weights @ np.cosh(np.sqrt(2 * theory.q) * nodes) ** -4) / np.sqrt(np.pi)
    assert theory.lyapunov_exponent == pytest.approx(0.529, abs=5e-4)
    assert np.log(by_hermite) / 2 > 0.57


def test_limits_without_input():
    assert mean_field(0.7, 0.0).q == 0  # nothing moves, and χ is that of the linear network
    assert mean_field(0.7, 0.0).chi == pytest.approx(0.7**2, rel=1e-14)
    assert mean_field(1.001, 0.0).q == pytest.approx(0.001, rel=0.01)  # (g² − 1)/2g² just above g = 1
    assert mean_field(1e4, 0.0).chi == pytest.approx(1e4 * 4 / (3 * np.sqrt(2 * np.pi)), rel=1e-3)


@pytest.mark.parametrize(
    ("gain", "input_std"), [(0.0, 1.0), (-1.0, 1.0), (np.nan, 1.0), (np.inf, 1.0), (1.0, -0.1), (1.0, np.nan)]
)
def test_impossible_arguments_get_a_sentence(gain, input_std):
    with pytest.raises(ValueError, match=r"must be .*finite"):
        mean_field(gain, input_std)


def test_without_scipy_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .manual-rnn\[figures\]"):
        mean_field(1.0, 1.0)


@pytest.mark.parametrize("gain", [0.8, 1.5, 2.0])
def test_measured_slopes_extrapolate_to_the_theory(gain):
    options = {"networks": 60, "gain": gain, "input_std": 0.5, "steps": 40}
    slopes = [typical_slope(norms_by_lag(n, **options)) for n in (75, 150)]
    measured = extrapolated(*slopes)
    # Sixty networks of each width leave a standard error of about .01; without the extrapolation the networks of
    # 75 units are .05 short at gain 2, which no number of seeds would mend. The seeds are fixed.
    assert measured.standard_error < 0.015
    assert abs(measured.value - mean_field(gain, 0.5).slope) < 3 * measured.standard_error


@pytest.mark.parametrize("gain", [0.8, 2.0])
def test_orthogonal_weights_follow_the_same_slope(gain):
    norms = norms_by_lag(100, networks=30, gain=gain, input_std=0.5, steps=40, recurrent=orthogonal)
    measured = typical_slope(norms)
    assert abs(measured.value - mean_field(gain, 0.5).slope) < 0.03  # the width of 100 costs .025 at gain 2


def test_a_driven_network_starts_in_the_stationary_state():
    net = driven_network(2000, gain=1.5, input_std=0.5, steps=1, seed=0)
    a = net.params["W"] @ net.initial["h"][0] + net.params["U"] @ net.x[0, 0]
    q = mean_field(1.5, 0.5).q
    assert a.var() == pytest.approx(q, rel=0.15)  # a variance from 2,000 numbers: √(2/2000) = .03, and h(0)'s own


def test_orthogonal_is_orthogonal():
    W = orthogonal(20, 1.5, np.random.default_rng(0))
    np.testing.assert_allclose(W @ W.T, 2.25 * np.eye(20), atol=1e-14)
