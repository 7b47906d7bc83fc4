"""Mean-field theory: against its own equations solved another way, known limits, and networks that are drawn."""

import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from manual_rnn import cells
from manual_rnn.diagnostics import (
    Slope,
    driven_network,
    extrapolated,
    gaussian,
    lyapunov_exponents,
    norms_by_lag,
    orthogonal,
    typical_slope,
)
from manual_rnn.diagnostics.trajectory import Trajectory
from manual_rnn.theory import (
    critical_gain,
    log_quantile_of_power,
    mean_field,
    quarter_circle,
    relative_variance,
    slopes,
)
from thorough import in_every_run, only_thorough


def gaussian_mean(function, q, nodes=400_001):
    """E[function(√q z)] by a trapezoid so fine that nothing is missed: another way than the library's."""
    z = np.linspace(-12, 12, nodes)
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


def critical_gain_by_q(input_std):
    """On the critical line q decides both: g from χ = 1, then σ from the fixed point. Bisection for the σ asked for."""
    low, high = 0.0, 30.0
    for _ in range(60):
        q = (low + high) / 2
        gain = gaussian_mean(lambda a: np.cosh(a) ** -4, q, nodes=20_001) ** -0.5
        above = q - gain**2 * gaussian_mean(lambda a: np.tanh(a) ** 2, q, nodes=20_001) > input_std**2
        low, high = (low, q) if above else (q, high)
    return gain


@pytest.mark.parametrize(("input_std", "gain"), [(0.1, 1.193), (0.3, 1.396), (0.5, 1.550), (1.0, 1.856)])
def test_input_moves_the_critical_gain_up(input_std, gain):
    assert critical_gain(input_std) == pytest.approx(gain, abs=5e-4)
    assert critical_gain(input_std) == pytest.approx(critical_gain_by_q(input_std), abs=1e-9)


def test_critical_gains_that_are_known():
    assert critical_gain(0.0) == 1
    assert [critical_gain(s, activation="relu") for s in (0.0, 0.5)] == [np.sqrt(2)] * 2
    assert [critical_gain(s, activation="linear") for s in (0.0, 0.5)] == [1, 1]


def test_the_phase_diagram_is_a_grid_of_slopes():
    grid = slopes([0.8, 1.5, 2.0], [0.1, 0.5], activation="tanh")
    np.testing.assert_allclose(grid[1], [-0.9047, -0.0335, 0.2408], atol=5e-5)
    assert grid.shape == (2, 3)
    assert (grid[0] > grid[1]).all()  # the stronger input is the calmer


@pytest.mark.parametrize(("activation", "share"), [("relu", 0.5), ("linear", 1.0)])
def test_homogeneous_networks_have_a_fixed_point_only_below_the_critical_gain(activation, share):
    kappa = 0.7**2 * share
    theory = mean_field(0.7, 0.5, activation=activation)
    assert theory.chi == kappa
    assert theory.q == pytest.approx(0.25 * sum(kappa**j for j in range(200)), rel=1e-12)  # the noise of all steps past
    assert mean_field(0.7, 0.0, activation=activation).q == 0
    assert mean_field(1.6, 0.5, activation=activation).q == np.inf
    assert mean_field(1.6, 0.5, activation=activation).chi == pytest.approx(1.6**2 * share)
    assert np.isnan(mean_field(1.0, 0.0, activation="linear").q)
    phi = {"relu": lambda a: np.maximum(a, 0), "linear": lambda a: a}[activation]
    q = 0.7**2 * gaussian_mean(lambda a: phi(a) ** 2, theory.q) + 0.25
    assert q == pytest.approx(theory.q, rel=1e-9)


@pytest.mark.parametrize(("cell", "activation"), [("rnn", "tanh"), ("rnn_relu", "relu"), ("rnn_identity", "linear")])
@pytest.mark.parametrize("recurrent", [gaussian, orthogonal])
def test_fresh_weights_have_the_variance_and_the_factor_of_the_theory(cell, activation, recurrent):
    gain, std, n, rng = 0.9, 0.5, 100, np.random.default_rng(0)
    theory = mean_field(gain, std, activation=activation)
    readout = {"U": std * np.eye(n), "b": np.zeros(n), "V": np.zeros((1, n)), "c": np.zeros(1)}
    squares, factors = [], []
    for _ in range(100):  # independent networks of two steps, from the stationary state
        phi = {"tanh": np.tanh, "relu": lambda a: np.maximum(a, 0), "linear": lambda a: a}[activation]
        initial = {"h": phi(np.sqrt(theory.q) * rng.standard_normal((4, n)))}
        bundle, runs = {"h": rng.standard_normal((8, 4, n))}, []
        for _ in range(2):
            params = {"W": recurrent(n, gain, rng), **readout}
            runs.append(Trajectory.of(cells.get(cell), params, rng.standard_normal((1, 4, n)), initial))
            initial = {"h": runs[-1].states("h")[-1]}
        squares.append((runs[-1].tape["a"] ** 2).mean())
        before = (bundle["h"] ** 2).sum(axis=-1)
        for run in reversed(runs):
            bundle, _ = run.back(0, bundle)
        factors.append(((bundle["h"] ** 2).sum(axis=-1) / before).mean())
    for measured, expected in ((squares, theory.q), (factors, theory.chi**2)):
        standard_error = np.std(measured, ddof=1) / np.sqrt(len(measured))
        assert standard_error < 0.02 * expected
        assert abs(np.mean(measured) - expected) < 3 * standard_error


@pytest.mark.parametrize("weights", [gaussian, orthogonal])
@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
@pytest.mark.parametrize("lag", [3, *only_thorough(1)])
def test_singular_values_spread_as_the_theory_says(weights, activation, lag):
    n, gain, std, rng = 200, 0.9, 0.5, np.random.default_rng(0)
    theory = mean_field(gain, std, activation=activation)
    slope = {"tanh": lambda a: np.cosh(a) ** -2.0, "relu": lambda a: (a > 0) * 1.0, "linear": np.ones_like}[activation]
    moments = []  # of the squared singular values of one product each
    for _ in range(60):
        J = np.eye(n)
        for _ in range(lag):
            a = np.sqrt(theory.q) * rng.standard_normal(n)
            J = slope(a)[:, None] * weights(n, gain, rng) @ J
        moments.append([(J**2).mean() * n, ((J @ J.T) ** 2).mean() * n])
    spread = relative_variance(lag, gain, std, weights=weights.__name__, activation=activation)
    expected = np.array([theory.chi**lag, (1 + spread) * theory.chi ** (2 * lag)])
    standard_error = np.std(moments, axis=0, ddof=1) / np.sqrt(len(moments))
    assert (standard_error < 0.03 * expected).all()
    assert (np.abs(np.mean(moments, axis=0) - expected) <= 3 * standard_error + 1e-13).all()


def test_one_gaussian_matrix_spreads_as_fresh_ones_do():
    W = gaussian(600, 1.0, np.random.default_rng(1))
    s2 = np.linalg.svd(np.linalg.matrix_power(W, 3), compute_uv=False) ** 2
    assert s2.var() / s2.mean() ** 2 == pytest.approx(relative_variance(3, 1.0, 0.5, activation="linear"), rel=0.1)
    assert relative_variance(3, 1.0, 0.5, activation="linear") == 3  # the Fuss–Catalan moments 1, 4
    assert relative_variance(9, 1.0, 0.0, weights="orthogonal", activation="linear") == 0  # isometry
    assert relative_variance(9, 0.7, 0.0, weights="orthogonal") == 0  # tanh where nothing moves


@pytest.mark.parametrize("lag", [1, 4])
def test_the_singular_values_of_a_power_lie_on_the_fuss_catalan_law(lag):
    s = np.linalg.svd(np.linalg.matrix_power(gaussian(600, 1.1, np.random.default_rng(3)), lag), compute_uv=False)
    for below in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert (np.log(s) < log_quantile_of_power(below, lag, 1.1)).mean() == pytest.approx(below, abs=0.01)
    assert np.log(s[0]) == pytest.approx(log_quantile_of_power(1.0, lag, 1.1), abs=0.05)


def test_quantiles_of_powers_in_closed_form():
    grid = np.linspace(0, 2, 400_001)
    below = np.trapezoid(np.where(grid <= 1.3, quarter_circle(grid, 1.0), 0), grid)
    assert np.exp(log_quantile_of_power(below, 1, 1.0)) == pytest.approx(1.3, abs=2e-5)  # the quarter circle
    assert np.exp(log_quantile_of_power(1.0, 2, 1.0)) == pytest.approx(np.sqrt(27 / 4))
    # The moments of Fuss and Catalan, E[s²] = 1 and E[s⁴] = k + 1, from the quantiles by the midpoint rule.
    shares = (np.arange(800) + 0.5) / 800
    for lag in (1, 3):
        squares = np.exp([2 * log_quantile_of_power(share, lag, 1.0) for share in shares])
        assert squares.mean() == pytest.approx(1, rel=5e-3)
        assert (squares**2).mean() == pytest.approx(lag + 1, rel=0.03)
    assert log_quantile_of_power(0.5, 100, 1.0) == pytest.approx(-50 * np.log(2), abs=0.01)  # 2^{−k/2}
    assert log_quantile_of_power(0.5, 7, 3.0) == pytest.approx(log_quantile_of_power(0.5, 7, 1.0) + 7 * np.log(3))
    with pytest.raises(ValueError, match=r"The share is 1\.5; it is at most 1"):
        log_quantile_of_power(1.5, 3, 1.0)
    with pytest.raises(ValueError, match="The share is 0; it must be"):
        log_quantile_of_power(0, 3, 1.0)


def test_singular_values_of_one_matrix_lie_on_the_quarter_circle():
    s = np.linalg.svd(gaussian(600, 1.5, np.random.default_rng(2)), compute_uv=False)
    grid = np.linspace(0, 3, 300_001)
    density = quarter_circle(grid, 1.5)
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-7)
    assert list(quarter_circle(np.array([-0.1, 3.1]), 1.5)) == [0, 0]
    shares = np.interp(np.sort(s), grid, np.cumsum(density) * (grid[1] - grid[0]))
    assert np.abs(shares - (np.arange(600) + 0.5) / 600).max() < 0.01  # rigid: independent draws would be .04 off


def test_the_quarter_circle_at_any_scale():
    at_one = quarter_circle(np.array([0.5]), 1.0)
    for gain in (1e-200, 1e200):
        assert quarter_circle(np.array([0.5 * gain]), gain) * gain == pytest.approx(at_one, rel=1e-14)
    assert np.isnan(quarter_circle(np.array([np.nan]), 1.0)).all()  # which was 0, a density


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


def test_input_whose_square_underflows_is_as_good_as_none():
    assert mean_field(1.5, 1e-200).chi == mean_field(1.5, 0.0).chi  # not g² of the fixed point q = 0, which is unstable
    assert mean_field(0.7, 1e-200).chi == mean_field(0.7, 0.0).chi


@pytest.mark.parametrize(
    ("gain", "input_std"),
    [(0.0, 1.0), (-1.0, 1.0), (np.nan, 1.0), (np.inf, 1.0), ("1", 1.0), (None, 1.0), (1.0, -0.1), (1.0, np.nan)],
)
def test_impossible_arguments_get_a_sentence(gain, input_std):
    with pytest.raises(ValueError, match=r"must be .*finite"):
        mean_field(gain, input_std)


@pytest.mark.parametrize(("gains", "stds", "named"), [(1.0, [0.5], "gains"), ([1.0], 0.5, "input_stds")])
def test_a_grid_of_one_number_gets_a_sentence(gains, stds, named):
    with pytest.raises(ValueError, match=rf"{named} is \d\.\d; expected a sequence of numbers"):
        slopes(gains, stds)


def test_unknown_names_get_a_sentence():
    with pytest.raises(ValueError, match=r"activation 'gelu'; for tanh, relu, linear"):
        mean_field(1.0, 1.0, activation="gelu")
    with pytest.raises(ValueError, match=r"weights are 'sparse'; expected one of gaussian, orthogonal"):
        relative_variance(1, 1.0, 1.0, weights="sparse")


def test_without_scipy_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .manual-rnn\[figures\]"):
        mean_field(1.0, 1.0)


SOME = {(0.8, 0.1), (0.8, 1.0), (1.0, 0.3), (1.5, 0.3), (1.5, 1.0), (2.0, 0.1), (2.0, 0.5)}
"""On either side of the critical gain and near it, with weak input and with strong."""
GRID = [(gain, std) for gain in (0.8, 1.0, 1.5, 2.0) for std in (0.1, 0.3, 0.5, 1.0)]


@pytest.mark.parametrize(("gain", "input_std"), in_every_run(SOME, GRID))
def test_measured_slopes_extrapolate_to_the_theory(gain, input_std):
    """Of lags 2 to 12: before, the gradient still turns; far later, the largest eigenvalue of W decides, not χ."""
    options = {"networks": 16, "gain": gain, "input_std": input_std, "steps": 36, "batch": 4}
    options["seed"] = GRID.index((gain, input_std))  # its own networks
    widths = [n * (2 if input_std < 0.2 else 1) for n in (50, 100, 200)]  # weak noise needs wider ones for a line
    with threadpool_limits(1):  # products this small only wait for further threads
        measured = extrapolated({n: typical_slope(norms_by_lag(n, **options)[:, 2:13]) for n in widths})
    assert measured.standard_error < 0.02
    assert abs(measured.value - mean_field(gain, input_std).slope) < 3 * measured.standard_error
    assert measured.chi_squared < 12  # of one degree of freedom: one in two thousand
    if gain == 2:  # what no number of networks would mend: without the extrapolation 50 units are .06 short
        assert measured.trend.value < -2 * measured.trend.standard_error


def test_the_largest_exponent_extrapolates_to_half_the_slope():
    by_width, cell = {}, cells.get("rnn")
    for n in (60, 120, 240):
        found = []
        for i in range(40):  # of some ten, the standard error itself is too rough for three of them to mean much
            net = driven_network(n, gain=2.0, input_std=0.5, steps=200, seed=(n, i))
            with threadpool_limits(1):
                exponents = lyapunov_exponents(cell, net.params, net.x, initial=net.initial, count=1)
            found.append(exponents.exponent.item())
        by_width[n] = Slope(value=np.mean(found), standard_error=np.std(found, ddof=1) / np.sqrt(40))
    measured, theory = extrapolated(by_width), mean_field(2.0, 0.5).lyapunov_exponent
    assert measured.standard_error < 0.004
    assert abs(measured.value - theory) < 3 * measured.standard_error
    assert by_width[60].value < theory - 3 * by_width[60].standard_error


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


def test_an_input_whose_variance_underflows_is_none():
    assert mean_field(1.5, 1e-200).q == mean_field(1.5, 0).q > 0.7
    assert mean_field(0.9, 1e-200).q == 0


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(("gain", "input_std"), [(1e300, 0.0), (0.5, 1e300)])
def test_what_has_no_square_in_float64_is_a_sentence(gain, input_std, activation):
    with pytest.raises(ValueError, match=r"1e\+300.*Take smaller ones"):
        mean_field(gain, input_std, activation=activation)
