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


def test_extrapolation_of_several_widths_weighs_them_by_their_errors():
    rng, widths, errors = np.random.default_rng(0), (100, 200, 400), (0.004, 0.002, 0.001)
    limits = []
    for _ in range(2000):
        values = [0.24 - 3 / n + error * rng.standard_normal() for n, error in zip(widths, errors, strict=True)]
        at = {n: Slope(value=v, standard_error=e) for n, v, e in zip(widths, values, errors, strict=True)}
        limits.append(extrapolated(at))
    found = np.array([limit.value for limit in limits])
    assert abs(found.mean() - 0.24) < 4 * found.std() / np.sqrt(len(found))
    assert found.std() == pytest.approx(limits[0].standard_error, rel=0.06)  # 1.6 % is its standard error
    with pytest.raises(ValueError, match=r"The widths are \[200\]; a line in 1/n needs at least two"):
        extrapolated({200: Slope(value=1.0, standard_error=0.1)})


@pytest.mark.parametrize("fit", [typical_slope, mean_slope])
def test_what_cannot_be_fitted_gets_a_sentence(fit):
    with pytest.raises(ValueError, match=r"shape \(1, 10\); expected \(networks, lags\)"):
        fit(np.zeros((1, 10)))
    norms = np.zeros((3, 10))
    norms[1, 4] = -np.inf
    with pytest.raises(ValueError, match="network 1 at lag 4 is -inf"):
        fit(norms)
