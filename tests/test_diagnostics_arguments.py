"""Arguments of the diagnostics that are wrong: one sentence each, and never a number that means nothing."""

import numpy as np
import pytest

from manual_rnn import cells, diagnostics, initialise
from manual_rnn.diagnostics import Unmeasurable
from reference import autodiff

LSTM = cells.get("lstm")
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((30, 2, 3)), RNG.integers(0, 5, (30, 2))
OF_LOSS = ("gradient_norms", "loss_by_state", "contributions", "gradient_ways")
OF_RUN = ("jacobian_singular_values", "lyapunov_exponents", "saturation", "gate_memory")


def params(seed=1, dtype=np.float64):
    return {k: v.astype(dtype) for k, v in initialise(LSTM, n_in=3, n_hidden=4, n_out=5, seed=seed).items()}


def measured(diagnostic, cell=LSTM, *, dtype=np.float64, **options):
    problem = (params(dtype=dtype), X.astype(dtype), *([Y] if diagnostic in OF_LOSS else []))
    return getattr(diagnostics, diagnostic)(cell, *problem, **options)


@pytest.mark.parametrize("diagnostic", OF_LOSS + OF_RUN)
def test_the_oracle_of_another_cell_is_refused_with_what_it_looks_for(diagnostic):
    with pytest.raises(ValueError, match=r"looks for 'W', and is given the parameters U_i, .* of another cell"):
        measured(diagnostic, against=autodiff("rnn"))
    with pytest.raises(ValueError, match=r"^against is 'lstm'; expected an oracle, such as autodiff"):
        measured(diagnostic, against="lstm")


@pytest.mark.parametrize("diagnostic", [*OF_LOSS, *OF_RUN, "perturbation_exponent"])
def test_a_name_is_no_cell(diagnostic):
    with pytest.raises(ValueError, match=r"^cell is .*; expected a Cell, such as cells\.get"):
        measured(diagnostic, "lstm")


@pytest.mark.parametrize("diagnostic", ["loss_by_state", "contributions"])
def test_longdouble_has_the_numbers_of_float64(diagnostic):
    ours, longer = (measured(diagnostic, dtype=dtype) for dtype in (np.float64, np.longdouble))
    logs, others = (one if diagnostic == "loss_by_state" else one.log_norm for one in (ours, longer))
    np.testing.assert_allclose(logs.values.astype(float), others.values.astype(float), rtol=1e-12)


@pytest.mark.skipif(np.finfo(np.longdouble).eps == np.finfo(np.float64).eps, reason="longdouble is float64 here")
@pytest.mark.parametrize("diagnostic", ["jacobian_singular_values", "lyapunov_exponents"])
def test_longdouble_where_numpy_decomposes_none(diagnostic):
    with pytest.raises(ValueError, match=r"^The parameters are .* NumPy takes singular .* hand in float64\.$"):
        measured(diagnostic, dtype=np.longdouble)


@pytest.mark.parametrize("diagnostic", [*OF_LOSS, *OF_RUN, "perturbation_exponent"])
@pytest.mark.parametrize("wider", [np.complex128, np.float64])
def test_inputs_of_a_wider_format_than_the_parameters(diagnostic, wider):
    dtype = np.float64 if wider == np.complex128 else np.float32
    problem = (params(dtype=dtype), X.astype(wider), *([Y] if diagnostic in OF_LOSS else []))
    with pytest.raises(ValueError, match=f"^The parameters are float.., and x is {wider.__name__}: the pass would be"):
        getattr(diagnostics, diagnostic)(LSTM, *problem)


MATRICES = RNG.standard_normal((30, 3, 3))


@pytest.mark.parametrize(
    ("diagnostic", "options", "sentence"),
    [
        ("loss_by_state", {"block": 0}, "block is 0; it is a whole number, at least 1"),
        ("loss_by_state", {"block": 2.5}, r"block is 2\.5; it is a whole number"),
        ("jacobian_singular_values", {"every": 2.5}, r"every is 2\.5; it is a whole number of steps"),
        ("lyapunov_exponents", {"count": 2.5}, r"count is 2\.5; it is a whole number"),
        ("lyapunov_exponents", {"settle": -1}, "settle is -1; it is a whole number of steps, at least 0"),
        ("lyapunov_exponents", {"warm_up": 2.5}, r"warm_up is 2\.5; it is a whole number"),
        ("perturbation_exponent", {"size": 0.0}, r"size is 0\.0; it is how far the two runs are apart"),
        ("perturbation_exponent", {"size": np.nan}, "size is nan"),
        ("perturbation_exponent", {"every": 0}, "every is 0; it is a whole number of steps, at least 1"),
        ("perturbation_exponent", {"settle": 2.5}, r"settle is 2\.5; it is a whole number"),
        ("saturation", {"saturated": np.nan}, "saturated is nan; it is a part of the largest slope"),
        ("saturation", {"saturated": 0.0}, r"saturated is 0\.0; it is a part"),
    ],
)
def test_a_number_that_does_not_fit(diagnostic, options, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        measured(diagnostic, **options)


@pytest.mark.parametrize(
    ("matrices", "options", "sentence"),
    [
        (MATRICES, {"count": 7}, "count is 7; matrices of 3 rows have 3 exponents"),
        (MATRICES, {"count": 0}, "count is 0; it is a whole number, at least 1"),
        (MATRICES, {"warm_up": -1}, "warm_up is -1"),
        (MATRICES[:, :2], {}, r"The matrices have the shape \(30, 2, 3\); expected \(K, n, n\)"),
        (MATRICES[0], {}, r"The matrices have the shape \(3, 3\)"),
    ],
)
def test_a_product_that_is_none(matrices, options, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        diagnostics.exponents_of_product(matrices, **options)


def test_a_product_with_a_matrix_that_is_not_finite():
    matrices = MATRICES.copy()
    matrices[4, 0, 1] = np.inf
    with pytest.raises(Unmeasurable, match=r"^Matrix 4 of the product is not finite\.$"):
        diagnostics.exponents_of_product(matrices)


def test_the_horizon_is_of_one_seed():
    """Of several laid end to end it was a number, and none of any seed."""

    def measure(seed):
        if seed == 1:
            raise Unmeasurable("It has none.")
        return diagnostics.contributions(LSTM, params(seed), X, Y)

    several = diagnostics.over_seeds(measure, range(3))
    for of in (diagnostics.memory_horizon, diagnostics.suggested_truncation):
        with pytest.raises(ValueError, match=r"^The parts are of several seeds"):
            of(several)
        with pytest.raises(ValueError, match=r"^The parts are no numbers: this seed has failed"):
            of(several.sel(seed=1))
        with pytest.raises(ValueError, match=r"^The parts are not what contributions returns"):
            of(measured("gradient_norms"))
        assert of(several.sel(seed=2)) == of(measure(2))


def test_what_has_no_figure():
    mean = diagnostics.mean_over_seeds(diagnostics.over_seeds(lambda seed: measured("gradient_norms"), range(2)))
    with pytest.raises(ValueError, match=r"^This is a mean over seeds; there is a figure of the seeds themselves"):
        diagnostics.draw(mean)
    with pytest.raises(ValueError, match=r"^This is of the type int"):
        diagnostics.draw(1)


def test_gradients_of_updates_that_are_none():
    with pytest.raises(ValueError, match=r"^One of the updates has no gradients"):
        diagnostics.clipping_statistics([{"W": np.ones((2, 2))}, {}], [1.0])
    with pytest.raises(ValueError, match=r"^gradients are one mapping; expected a list"):
        diagnostics.clipping_statistics({"W": np.ones((2, 2))}, [1.0])


def test_a_width_without_a_standard_error_is_refused():
    exact = diagnostics.Slope(value=1.0, standard_error=0.0)
    with pytest.raises(ValueError, match=r"^The standard errors are \[0\.0, 0\.0\]"):
        diagnostics.extrapolated({10: exact, 20: exact})


def test_a_plain_list_of_log_norms_is_measured_and_what_is_none_is_told():
    rows = [[0.0, -1.0, -2.0], [0.0, -1.5, -3.0]]
    assert diagnostics.typical_slope(rows).value == pytest.approx(-2.5)
    assert diagnostics.mean_slope(rows).value == diagnostics.mean_slope(np.array(rows)).value
    with pytest.raises(ValueError, match=r"norms are list, and no array of numbers: .* Expected \(networks, lags\)"):
        diagnostics.typical_slope([[0.0, -1.0], [0.0]])
    with pytest.raises(ValueError, match=r"shape \(2,\); expected \(networks, lags\)"):
        diagnostics.typical_slope([0.0, -1.0])


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("norms_by_lag", {"networks": 0}, "networks is 0; it is a whole number, at least 1"),
        ("norms_by_lag", {"networks": 2.5}, r"networks is 2\.5; it is a whole number"),
        ("norms_by_lag", {"steps": 0}, "steps is 0; it is a whole number, at least 1"),
        ("driven_network", {"n": 0}, "n is 0; it is a whole number, at least 1"),
        ("driven_network", {"batch": 0}, "batch is 0; it is a whole number, at least 1"),
        ("driven_network", {"gain": "2"}, r"The gain is '2'; it must be a finite number above zero"),
    ],
)
def test_no_network_of_no_size(name, change, sentence):
    options = {"n": 4, "gain": 1.0, "input_std": 0.5, "steps": 3, "seed": 0}
    options |= {"networks": 2} if name == "norms_by_lag" else {}
    with pytest.raises(ValueError, match=sentence):
        getattr(diagnostics, name)(**options | change)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_cosine_of_gradients_at_the_end_of_the_format(dtype):
    """Of a few of the smallest numbers a norm has hardly a digit; their direction has all of them."""
    smallest = np.finfo(dtype).smallest_subnormal
    gradient = (np.arange(1, 8) * smallest).astype(dtype)
    found = diagnostics.clipping_statistics([{"W": gradient}], [1.0, float(4 * smallest)])
    cut = np.minimum(np.arange(1, 8), 4)
    expected = cut @ np.arange(1, 8) / np.sqrt((cut @ cut) * (np.arange(1, 8) @ np.arange(1, 8)))
    assert found.cosine.sel(kind="element").values[0] == pytest.approx([1.0, expected], rel=1e-14)
    assert (found.cosine <= 1).all()
