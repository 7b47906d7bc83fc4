"""Initial parameters: each way has the property that it is for, in every format, and what makes no sense is refused."""

import numpy as np
import pytest
from scipy import stats

from manual_rnn import cells, initialise, loss_and_gradients
from manual_rnn.initialisation import NON_ZEROS, RECURRENT, chrono_biases, orthogonal, radius_of, sparse
from manual_rnn.network import parameter_shapes

N = 60
WITH_A_GATE = [name for name in cells.names() if cells.get(name).keep]
MADE = [name for name in cells.names() if cells.get(name).weights]


def drawn(cell="rnn", *, n_in=40, n_hidden=N, n_out=30, **options):
    return initialise(cells.get(cell), n_in=n_in, n_hidden=n_hidden, n_out=n_out, **options)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("cell", cells.names())
def test_every_cell_starts_with_parameters_that_fit_and_are_finite(cell, dtype):
    params = drawn(cell, n_in=3, n_hidden=5, n_out=2, dtype=dtype)
    shapes = parameter_shapes(cells.get(cell), n_in=3, n_hidden=5, n_out=2)
    assert {name: array.shape for name, array in params.items()} == shapes
    assert {array.dtype for array in params.values()} == {np.dtype(dtype)}
    ids = np.arange(8).reshape(4, 2) % 2
    assert np.isfinite(loss_and_gradients(cells.get(cell), params, ids, ids).loss)
    for name, shape in shapes.items():  # biases and peepholes at zero, matrices not
        assert params[name].any() == (len(shape) == 2), name


@pytest.mark.parametrize("cell", [name for name in cells.names() if name not in MADE])
@pytest.mark.parametrize("recurrent", RECURRENT)
def test_every_way_is_for_every_cell_whose_W_is_a_parameter(cell, recurrent):
    params = drawn(cell, recurrent=recurrent, n_hidden=8)
    maps = cells.get(cell).maps
    for W in [params[m.W] for m in maps if m.W]:
        if recurrent == "identity":
            np.testing.assert_array_equal(W, np.eye(8))
        if recurrent == "orthogonal":
            assert np.abs(W.T @ W - np.eye(8)).max() < 1e-14


def test_gaussian_entries_have_the_variance_one_over_the_width_of_the_input():
    params = drawn(n_hidden=300, n_in=200, gain=1.5)
    for name, width in {"W": 300, "U": 200, "V": 300}.items():
        entries = params[name].ravel()
        assert stats.kstest(entries * np.sqrt(width) / 1.5, "norm").pvalue > 1e-3, name


def test_glorot_s_entries_are_uniform_with_variance_two_over_the_sum_of_the_widths():
    params = drawn(recurrent="glorot", n_hidden=300, n_in=200, n_out=100)
    for name, widths in {"W": 600, "U": 500, "V": 400}.items():
        limit = np.sqrt(6 / widths)
        entries = params[name].ravel()
        assert stats.kstest(entries, "uniform", args=(-limit, 2 * limit)).pvalue > 1e-3, name
        assert entries.var() == pytest.approx(2 / widths, rel=0.02)  # a few standard errors of 30,000 entries


# A product of n terms rounds to about √n units of the format.
@pytest.mark.parametrize(("dtype", "allowed"), [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("n", [1, 2, 15, 200])
def test_an_orthogonal_start_keeps_every_length(dtype, allowed, n):
    W = drawn(recurrent="orthogonal", n_hidden=n, dtype=dtype)["W"]
    assert W.dtype == dtype
    assert np.abs(W.T @ W - np.eye(n)).max() < allowed * 3
    twice = drawn(recurrent="orthogonal", n_hidden=n, dtype=dtype, gain=2.0)["W"]
    np.testing.assert_array_equal(twice, 2 * W)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_made_W_is_orthogonal_or_antisymmetric_from_the_start(dtype):
    Y = drawn("rnn_orthogonal", dtype=dtype)["Y"]
    (made,) = cells.get("rnn_orthogonal").weights
    W = made.forward(Y)
    assert W.dtype == dtype
    assert np.abs(W.T @ W - np.eye(N)).max() < 50 * np.finfo(dtype).eps
    A = drawn("antisymmetric_rnn", dtype=dtype, gain=3.0, n_hidden=300)["A"]
    assert (A - A.T)[np.triu_indices(300, 1)].var() == pytest.approx(9 / 300, rel=0.05)


def _made_of_reflections(rng, n):
    (made,) = cells.get("rnn_orthogonal").weights
    return made.forward(made.start(rng, n, 1.0))


@pytest.mark.parametrize("draw", [orthogonal, _made_of_reflections])
@pytest.mark.parametrize("n", [2, 5])
def test_orthogonal_starts_are_uniform(draw, n):
    # An entry of a uniform direction, (w + 1)/2, has the beta distribution of parameters (n − 1)/2. Signs that QR
    # leaves as they come fail in the diagonal, independent directions for all reflections too.
    rng = np.random.default_rng(7)
    entries = np.array([draw(rng, n) for _ in range(2000)])
    for i, j in [(0, 0), (n - 1, n - 1), (0, n - 1), (n - 1, 0)]:
        fit = stats.kstest((entries[:, i, j] + 1) / 2, stats.beta((n - 1) / 2, (n - 1) / 2).cdf)
        assert fit.pvalue > 1e-3, (i, j)


@pytest.mark.parametrize("n", [1, 2, 40])
def test_a_made_W_has_the_determinant_of_its_number_of_reflections(n):
    assert np.linalg.det(_made_of_reflections(np.random.default_rng(0), n)) == pytest.approx((-1) ** n)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 7, 100])
def test_a_sparse_start_has_its_entries_and_its_radius(n, dtype):
    W = drawn(recurrent="sparse", n_hidden=n, dtype=dtype)["W"]
    assert (np.count_nonzero(W, axis=1) == min(n, NON_ZEROS)).all()
    assert radius_of(W) == pytest.approx(0.95, rel=1e-5)
    assert radius_of(drawn(recurrent="sparse", n_hidden=n, spectral_radius=1.3)["W"]) == pytest.approx(1.3)


def test_a_sparse_start_favours_no_column():
    rng = np.random.default_rng(0)
    counts = sum(np.count_nonzero(sparse(rng, 30), axis=0) for _ in range(100))
    assert stats.chisquare(counts).pvalue > 1e-3


def test_a_spectral_radius_takes_the_place_of_the_gain_in_W_alone():
    plain, scaled = drawn(), drawn(spectral_radius=0.8, gain=2.0)
    assert radius_of(scaled["W"]) == pytest.approx(0.8)
    np.testing.assert_allclose(scaled["W"] / radius_of(scaled["W"]), plain["W"] / radius_of(plain["W"]), rtol=1e-12)
    np.testing.assert_array_equal(scaled["U"], 2 * plain["U"])


@pytest.mark.parametrize("cell", WITH_A_GATE)
def test_the_gate_that_keeps_has_the_forget_bias_and_nothing_else_changes(cell):
    plain, biased = drawn(cell), drawn(cell, forget_bias=1.0)
    keep = cells.get(cell).keep
    np.testing.assert_array_equal(biased[keep], 1)
    for name in set(plain) - {keep}:
        np.testing.assert_array_equal(plain[name], biased[name])


@pytest.mark.parametrize("cell", WITH_A_GATE)
def test_with_a_large_forget_bias_the_state_stays_as_it_is(cell):
    # The name of the bias and its sign: with a gate that keeps all, what is carried does not change.
    params = drawn(cell, n_in=3, n_hidden=4, n_out=3, forget_bias=60.0)
    if cells.get(cell).write:
        params[cells.get(cell).write][:] = -60.0
    carried = cells.get(cell).states[-1]
    initial = {name: np.full((1, 4), 0.5) for name in cells.get(cell).states}
    state = loss_and_gradients(
        cells.get(cell), params, np.array([[0], [1], [2]]), np.zeros((3, 1), int), initial=initial
    ).state
    np.testing.assert_allclose(state[carried], 0.5, rtol=1e-14)


@pytest.mark.parametrize("cell", WITH_A_GATE)
def test_chrono_s_memories_are_uniform_up_to_the_longest(cell):
    params = drawn(cell, n_hidden=2000, n_in=1, n_out=1, chrono=50, recurrent="identity")
    b = params[cells.get(cell).keep]
    assert stats.kstest(np.exp(b), "uniform", args=(1, 48)).pvalue > 1e-3
    forgets = 1 - 1 / (1 + np.exp(-b))
    assert 2 <= (1 / forgets).min() < (1 / forgets).max() <= 50
    if cells.get(cell).write:
        np.testing.assert_array_equal(params[cells.get(cell).write], -b)


def test_chrono_s_function_is_drawn_from_the_generator_that_is_given():
    one, two = (chrono_biases(np.random.default_rng(3), 5, 10) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_the_cells_that_have_a_gate_that_keeps_are_those_that_one_would_name():
    assert WITH_A_GATE == ["gru", "gru_reset_before", "lstm", "lstm_peephole", "minimal_rnn"]
    assert [name for name in cells.names() if cells.get(name).write] == ["lstm", "lstm_peephole"]


@pytest.mark.parametrize(
    ("cell", "options", "sentence"),
    [
        ("rnn", {"n_hidden": 0}, "n_hidden is 0; it must be at least 1"),
        ("rnn", {"n_in": 2.0}, r"n_in is 2\.0; it must be a whole number"),
        ("rnn", {"n_out": "3"}, "n_out is '3'; it must be a whole number"),
        ("rnn", {"dtype": int}, "dtype is <class 'int'>; parameters are floating-point numbers"),
        ("rnn", {"dtype": "real"}, "dtype is 'real'; expected one of NumPy's"),
        ("rnn", {"gain": "2"}, "gain is '2'; expected a number"),
        ("rnn", {"gain": None}, "gain is None; expected a number"),
        ("lstm", {"chrono": "9"}, "chrono is '9'; expected a number"),
        ("rnn", {"recurrent": ["identity"]}, r"recurrent is \['identity'\]; it is one of"),
        ("rnn", {"recurrent": "xavier"}, "recurrent is 'xavier'; it is one of gaussian, glorot, orthogonal, "),
        ("rnn", {"gain": 0.0}, r"gain is 0\.0; it must be a positive, finite number"),
        ("rnn", {"gain": np.nan}, "gain is nan"),
        ("rnn", {"spectral_radius": -1.0}, "spectral_radius is -1"),
        ("rnn", {"forget_bias": 1.0}, r"forget_bias is 1\.0, but the cell 'rnn' has no gate that keeps its state"),
        ("rnn", {"chrono": 20}, "chrono is 20, but the cell 'rnn' has no gate"),
        ("lstm", {"forget_bias": np.inf}, "forget_bias is inf; it must be a finite number"),
        ("lstm", {"chrono": 2}, "chrono is 2; it is the length of the longest memory in steps, more than 2"),
        ("lstm", {"chrono": 9, "forget_bias": 1.0}, "forget_bias and chrono exclude each other"),
        ("rnn_orthogonal", {"recurrent": "identity"}, "recurrent is 'identity', but .* makes W of Y, with a start"),
        ("antisymmetric_rnn", {"spectral_radius": 1.0}, r"spectral_radius is 1\.0, but .* makes W of A"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(cell, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        drawn(cell, **options)
