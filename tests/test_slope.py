"""Slopes and their standard errors, on made-up norms whose slope is known."""

import numpy as np
import pytest

from manual_rnn.diagnostics import Slope, extrapolated, mean_slope, typical_slope


def test_straight_lines_are_found_exactly():
    lag = np.arange(50)
    log_norms = np.array([1.0 - 0.25 * lag, 2.0 - 0.35 * lag])
    slope = typical_slope(log_norms)
    assert slope.value == pytest.approx(-0.6)  # of the square: twice
    assert slope.standard_error == pytest.approx(0.1)  # two networks at −.5 and −.7


def test_the_standard_error_covers_walks_that_a_line_fit_would_trust():
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.normal(-0.2, 0.1, (400, 60)), axis=1)
    slope = typical_slope(walks)
    assert abs(slope.value + 0.4) < 3 * slope.standard_error
    trials = [typical_slope(walks[i : i + 20]).value for i in range(0, 400, 20)]
    assert np.std(trials) == pytest.approx(typical_slope(walks[:20]).standard_error, rel=0.5)


def test_the_mean_square_grows_faster_than_the_typical_one():
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.normal(0, 0.1, (2000, 20)), axis=1)
    typical, mean = typical_slope(walks), mean_slope(walks)
    assert abs(typical.value) < 3 * typical.standard_error
    assert mean.value == pytest.approx(0.02, abs=3 * mean.standard_error)  # E[e^{2s}] = e^{2·.01} each step
    assert mean.standard_error < 0.005


def test_mean_slope_neither_underflows_nor_overflows():
    log_norms = np.outer(np.full(3, -40.0), np.arange(30))  # squares down to 1e-1007
    assert mean_slope(log_norms).value == pytest.approx(-80)
    assert mean_slope(-log_norms).value == pytest.approx(80)


def test_extrapolation_takes_off_what_goes_as_one_over_n():
    at = {n: Slope(value=0.24 - 3 / n, standard_error=0.001) for n in (200, 400)}
    limit = extrapolated(at)
    assert limit.value == pytest.approx(0.24)
    assert limit.standard_error == pytest.approx(np.sqrt(5) * 0.001)
    assert limit.trend.value == pytest.approx(-3)
    assert limit.trend.standard_error == pytest.approx(np.sqrt(2) * 0.001 * 400)  # of a difference, over 1/200 − 1/400
    assert (limit.freedom, limit.chi_squared) == (0, pytest.approx(0, abs=1e-18))  # two points lie on a line


def test_extrapolation_of_several_widths_weighs_them_by_their_errors():
    rng, widths, errors = np.random.default_rng(0), (100, 200, 400), (0.004, 0.002, 0.001)
    limits = []
    for _ in range(2000):
        values = [0.24 - 3 / n + error * rng.standard_normal() for n, error in zip(widths, errors, strict=True)]
        at = {n: Slope(value=v, standard_error=e) for n, v, e in zip(widths, values, errors, strict=True)}
        limits.append(extrapolated(at))
    trends = np.array([limit.trend.value for limit in limits])
    assert abs(trends.mean() + 3) < 4 * trends.std() / np.sqrt(len(trends))
    assert trends.std() == pytest.approx(limits[0].trend.standard_error, rel=0.06)
    chi_squared = np.array([limit.chi_squared for limit in limits])
    assert limits[0].freedom == 1
    assert chi_squared.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / 2000))
    assert (chi_squared > 3.841).mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 2000))
    found = np.array([limit.value for limit in limits])
    assert abs(found.mean() - 0.24) < 4 * found.std() / np.sqrt(len(found))
    assert found.std() == pytest.approx(limits[0].standard_error, rel=0.06)  # 1.6 % is its standard error
    with pytest.raises(ValueError, match=r"The widths are \[200\]; a line in 1/n needs at least two"):
        extrapolated({200: Slope(value=1.0, standard_error=0.1)})


def test_a_bias_that_is_not_one_over_n_shows_in_chi_squared():
    at = {n: Slope(value=0.24 - 1 / np.sqrt(n), standard_error=0.001) for n in (100, 200, 400, 800)}
    limit = extrapolated(at)
    assert limit.freedom == 2
    assert limit.chi_squared > 20
    line = np.polyfit([1 / n for n in at], [slope.value for slope in at.values()], 1)  # another way to it
    assert [limit.trend.value, limit.value] == pytest.approx(line)
    misses = [slope.value - np.polyval(line, 1 / n) for n, slope in at.items()]
    assert limit.chi_squared == pytest.approx((np.array(misses) ** 2).sum() / 0.001**2)


@pytest.mark.parametrize("fit", [typical_slope, mean_slope])
def test_what_cannot_be_fitted_gets_a_sentence(fit):
    with pytest.raises(ValueError, match=r"shape \(1, 10\); expected \(networks, lags\)"):
        fit(np.zeros((1, 10)))
    norms = np.zeros((3, 10))
    norms[1, 4] = -np.inf
    with pytest.raises(ValueError, match="network 1 at lag 4 is -inf"):
        fit(norms)
