"""Several seeds: each is what it is alone, a failed one is recorded and the rest goes on, the interval is Student's."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from manual_rnn import cells, diagnostics, initialise
from manual_rnn.diagnostics import Disagreement, Unmeasurable, mean_over_seeds, over_seeds
from reference import autodiff

CELL = cells.get("rnn_identity")
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 2, 3)), RNG.integers(0, 4, (40, 2))


def parameters(seed, gain=1.0):
    return initialise(CELL, n_in=3, n_hidden=5, n_out=4, gain=gain, seed=seed)


MEASURES = {
    "norms": lambda seed, **gain: diagnostics.gradient_norms(CELL, parameters(seed, **gain), X, Y),
    "matrix": lambda seed, **gain: diagnostics.loss_by_state(CELL, parameters(seed, **gain), X, Y),
    "parts": lambda seed, **gain: diagnostics.contributions(CELL, parameters(seed, **gain), X, Y),
    "values": lambda seed, **gain: diagnostics.jacobian_singular_values(CELL, parameters(seed, **gain), X, every=20),
    "exponents": lambda seed, **gain: diagnostics.lyapunov_exponents(CELL, parameters(seed, **gain), X),
    "matrices": lambda seed, **gain: diagnostics.recurrent_matrices(CELL, parameters(seed, **gain)),
}
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)


@every_measure
def test_each_seed_is_what_it_is_alone(measure):
    together = over_seeds(measure, [3, 1, 4])
    assert list(together.seed) == [3, 1, 4]
    assert not together.failed.any()
    assert together.attrs["failures"] == ()
    for seed in (3, 1, 4):
        alone = together.sel(seed=seed).drop_vars(["seed", "failed"]).drop_attrs()
        assert alone.equals(measure(seed).drop_attrs())


@every_measure
def test_a_seed_that_overflows_is_recorded_and_the_rest_goes_on(measure):
    def with_one_that_fails(seed):
        if seed == 1:
            diagnostics.saturation(cells.get("rnn_relu"), parameters(0, gain=1e200), X)
        return measure(seed)

    together = over_seeds(with_one_that_fails, range(3))
    assert list(together.failed) == [False, True, False]
    (sentence,) = together.attrs["failures"]
    assert sentence.startswith("seed 1: The state h is not finite from step ")
    variables = [together] if isinstance(together, xr.DataArray) else together.values()
    numbers = [one for one in variables if one.dtype.kind == "f"]
    assert all(np.isnan(one.sel(seed=1)).all() for one in numbers)
    kept = together.sel(seed=[0, 2]).drop_attrs().drop_vars("failed")
    assert kept.equals(over_seeds(measure, [0, 2]).drop_attrs().drop_vars("failed"))
    mean = mean_over_seeds(together)
    assert mean.attrs["seeds"] == 2
    assert any(np.isfinite(one).any() for one in mean.values())


def test_where_all_fail_the_first_sentence_is_said():
    with pytest.raises(Unmeasurable, match=r"^All 2 seeds have failed, the first so: The state h is not finite from"):
        over_seeds(lambda seed: MEASURES["norms"](seed, gain=1e200), range(2))


def test_what_is_wrong_with_the_arguments_ends_the_whole():
    with pytest.raises(ValueError, match="y has the shape"):
        over_seeds(lambda seed: diagnostics.gradient_norms(CELL, parameters(seed), X, Y[:3]), range(2))
    with pytest.raises(ValueError, match="seeds is empty"):
        over_seeds(MEASURES["norms"], [])


def test_the_worst_cross_check_of_all_seeds_is_kept_and_a_disagreement_is_no_failed_seed():
    def measure(seed, against):
        return diagnostics.gradient_norms(CELL, parameters(seed), X, Y, against=against)

    oracle = autodiff("rnn_identity")
    together = over_seeds(lambda seed: measure(seed, oracle), range(3))
    worst = [measure(seed, oracle).attrs["worst_relative_error"] for seed in range(3)]
    assert together.attrs["worst_relative_error"] == max(worst)
    assert together.attrs["cross_check"].startswith(f"seed {np.argmax(worst)}: ")

    def mistaken(problems):
        return [(nodes, {name: 1.001 * g for name, g in grads.items()}) for nodes, grads in oracle(problems)]

    with pytest.raises(Disagreement):
        over_seeds(lambda seed: measure(seed, mistaken), range(3))


def test_the_interval_is_students():
    numbers = np.random.default_rng(1).standard_normal((7, 4))
    several = over_seeds(lambda seed: xr.DataArray(numbers[seed], dims="lag"), range(7))
    found = mean_over_seeds(several, level=0.9)
    np.testing.assert_allclose(found["mean"], numbers.mean(axis=0))
    np.testing.assert_allclose(found.standard_error, stats.sem(numbers))
    low, high = stats.t.interval(0.9, 6, loc=numbers.mean(axis=0), scale=stats.sem(numbers))
    np.testing.assert_allclose(found.low, low)
    np.testing.assert_allclose(found.high, high)


def test_the_interval_holds_what_it_promises():
    draws = np.random.default_rng(2).standard_normal((5, 4000))
    found = mean_over_seeds(over_seeds(lambda seed: xr.DataArray(draws[seed], dims="case"), range(5)))
    inside = ((found.low < 0) & (found.high > 0)).mean()
    assert abs(float(inside) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 4000)


def test_one_seed_has_a_mean_and_no_interval():
    found = mean_over_seeds(over_seeds(MEASURES["norms"], [0]))
    assert np.isfinite(found.log_norm_mean).all()
    assert np.isnan(found.log_norm_low).all()


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: mean_over_seeds(MEASURES["norms"](0)), "has no axis 'seed'"),
    (lambda: mean_over_seeds(over_seeds(MEASURES["norms"], [0]), level=95), "level is 95; it is a probability"),
])  # fmt: skip
def test_impossible_arguments_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
