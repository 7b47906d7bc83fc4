"""The compiled walk against NumPy's and JAX: the same numbers within rounding, of every cell; no result is timed."""

import numpy as np
import pytest

from bptt_cases import assert_close
from manual_rnn import affine, cells, initialise, loss_and_gradients, stack
from manual_rnn.cache_folder import cache_folder
from manual_rnn.options import TrainingOptions
from manual_rnn.windows import Windows
from other_forms import with_forward
from reference import autodiff
from test_in_place import assert_same, problem
from thorough import cells_of_each_kind, only_thorough

pytest.importorskip("numba", reason='numba is not installed: pip install "manual-rnn[fast]"')

from scipy.special import expit

from manual_rnn import compiled, kernels, training

SIZES = {"one row": (9, 1, 5, 24), "rows": (6, 5, 7, 40)}
UNITS = 64
"""Of the largest number of an array: exp, tanh and the order of sums differ by a few at each of some ten steps."""
any_cell = pytest.mark.parametrize("cell", cells_of_each_kind())
sizes = pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)


@pytest.fixture
def both_compiled(monkeypatch):
    """What the compiled walk has said: of each way, whether it went it."""
    went, run = [], compiled.run

    def seen(*given, **told):
        went.append(run(*given, **told))
        return went[-1]

    monkeypatch.setattr(compiled, "run", seen)
    return went


def assert_near(ours, truth, units=UNITS):
    assert abs(ours.loss - truth.loss) <= units * np.finfo(truth.tape["loss"].dtype).eps * abs(truth.loss)
    pairs = [(ours.gradients, truth.gradients), (ours.state, truth.state)]
    for mine, other in [*pairs, (ours.tape, truth.tape), (ours.node_gradients, truth.node_gradients)]:
        assert set(mine) == set(other)
        for name in other:
            assert mine[name].dtype == other[name].dtype
            assert_close(mine[name], other[name], units)


@any_cell
@sizes
def test_it_gives_what_numpy_gives(cell, sizes, both_compiled):
    params, x, y, initial = problem(cell, sizes)
    given = {"initial": initial, "inputs": True, "every_node": False}
    truth = loss_and_gradients(cell, params, x, y, **given)
    assert_near(loss_and_gradients(cell, params, x, y, compiled=True, **given), truth)
    assert both_compiled == [True, True]


def test_token_ids_may_be_of_any_whole_numbers(both_compiled):
    """Also with their bytes the other way round, which numba does not know."""
    cell = cells.get("rnn")
    params, x, y, initial = problem(cell, SIZES["rows"])
    truth = loss_and_gradients(cell, params, x, y, initial=initial)
    for dtype in ("u1", ">i8", "<i8", "u8"):
        ids = x.astype(dtype)
        assert_near(loss_and_gradients(cell, params, ids, y, initial=initial, compiled=True), truth)
    assert both_compiled == [True] * 8


@pytest.mark.parametrize("cell", [cells.get("rnn"), *only_thorough(*map(cells.get, ("lstm", "gru_reset_before")))])
@sizes
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_gives_every_node_of_sequences_that_begin_in_the_middle(cell, sizes, dtype, both_compiled):
    params, x, y, _ = problem(cell, sizes, dtype)
    given = {"resets": np.random.default_rng(2).random(x.shape) < 0.3}
    truth = loss_and_gradients(cell, params, x, y, **given)
    assert_near(loss_and_gradients(cell, params, x, y, compiled=True, **given), truth)
    assert both_compiled == [True, True]


def test_it_gives_a_network_of_layers_in_both_directions_with_dense_inputs(both_compiled):
    rnn = cells.get("rnn")
    network = stack(rnn, layers=2, bidirectional=True)
    rng = np.random.default_rng(3)
    T, B, n, H = SIZES["rows"]
    params = initialise(network, n_in=n, n_hidden=H, n_out=n, dtype=np.float32)
    x, y = rng.standard_normal((T, B, n)).astype(np.float32), rng.integers(0, n, (T, B))
    assert_near(loss_and_gradients(network, params, x, y, compiled=True), loss_and_gradients(network, params, x, y))
    assert both_compiled == [True] * 8


@pytest.mark.parametrize("name", ["rnn", *only_thorough("lstm", "gru")])
def test_its_gradients_are_those_of_jax(name):
    cell = cells.get(name)
    params, x, y, initial = problem(cell, SIZES["one row"])
    rows, weights = np.eye(len(params["V"]), dtype=np.float32)[x], np.ones(y.shape, np.float32)
    _, truth = autodiff(name)([{"params": params, "x": rows, "y": y, "weights": weights, "initial": initial}])[0]
    ours = loss_and_gradients(cell, params, x, y, initial=initial, compiled=True)
    for key in params:
        assert_close(ours.gradients[key], truth[key], UNITS)


@sizes
def test_a_pass_over_the_memory_of_one_before_reads_what_is_new(sizes):
    rnn, over = cells.get("rnn"), None
    for k in range(3):
        params, x, y, initial = problem(rnn, sizes)
        params = {name: theta * np.float32(1 + k / 8) for name, theta in params.items()}
        given = (rnn, params, np.asfortranarray(np.roll(x, k, axis=0)), np.roll(y, k, axis=0))
        fresh = loss_and_gradients(*given, initial=initial, every_node=False, compiled=True)
        over = loss_and_gradients(*given, initial=initial, every_node=False, compiled=True, over=over)
        assert over.loss == fresh.loss
        assert_same((over.gradients, over.state), (fresh.gradients, fresh.state))


def test_ids_that_are_changed_where_they_lie_are_read_again():
    rnn = cells.get("rnn")
    params, x, y, _ = problem(rnn)
    x = np.asfortranarray(x)
    first = loss_and_gradients(rnn, params, x, y, every_node=False, compiled=True)
    again = loss_and_gradients(rnn, params, x, y, every_node=False, compiled=True, over=first)
    x[:] = x[::-1].copy()
    again = loss_and_gradients(rnn, params, x, y, every_node=False, compiled=True, over=again)
    assert again.loss == loss_and_gradients(rnn, params, x, y, every_node=False, compiled=True).loss


def test_what_has_no_compiled_form_is_numpy_s_to_the_last_bit(both_compiled):
    """Numbers of a format that numba does not have, and a function that it does not know."""
    rnn = cells.get("rnn")
    params, x, y, _ = problem(rnn, dtype=np.longdouble)
    ours = loss_and_gradients(rnn, params, x, y, compiled=True)
    assert_same((ours.gradients,), (loss_and_gradients(rnn, params, x, y).gradients,))
    stranger = with_forward(expit)
    params, x, y, _ = problem(stranger)
    ours = loss_and_gradients(stranger, params, x, y, compiled=True)
    assert_same((ours.tape,), (loss_and_gradients(stranger, params, x, y).tape,))
    assert both_compiled == [False, False, False, True]  # the way back has nothing that is strange


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_its_exp_and_tanh_are_within_three_units_of_the_truth(dtype):
    exp, tanh = kernels.functions(dtype)
    rng = np.random.default_rng(0)
    least, most = (-87, 88) if dtype is np.float32 else (-708, 709)
    tiny = rng.standard_normal(2000) * 10.0 ** rng.integers(-30, 0, 2000)
    for ours, truth, rows in (
        (exp, np.exp, rng.uniform(least, most, 4000)), (tanh, np.tanh, rng.uniform(-12, 12, 4000)),
        (exp, np.exp, tiny), (tanh, np.tanh, tiny),
    ):  # fmt: skip
        given = rows.astype(dtype)
        wanted = truth(given.astype(np.longdouble))
        found = np.array([ours(number) for number in given], np.longdouble)
        assert (np.abs(found - wanted) <= 3 * np.spacing(np.abs(wanted).astype(dtype))).all()
    for value in (0.0, -0.0, np.inf, -np.inf, np.nan):
        np.testing.assert_array_equal([exp(dtype(value)), tanh(dtype(value))], [np.exp(value), np.tanh(value)])


def test_it_is_compiled_once_for_all_sizes_and_kept():
    rnn = cells.get("rnn")
    compiled._function.cache_clear()
    for sizes in ((5, 3, 4, 8), (9, 6, 7, 24)):
        params, x, y, _ = problem(rnn, sizes)
        loss_and_gradients(rnn, params, x, y, every_node=False, compiled=True)
    assert compiled._function.cache_info().misses == 2  # forward and back
    assert list((cache_folder().parent / "compiled").glob("*.py"))


@sizes
def test_the_sum_by_token_is_numpy_s(sizes):
    T, B, n, H = sizes
    rng = np.random.default_rng(4)
    x = np.asfortranarray(rng.integers(0, n, (T, B)))
    for grad_a in (rng.standard_normal((3, T, B, H)), rng.standard_normal((T, 3, B, H)).swapaxes(0, 1)[1:]):
        ours, truth = compiled.sum_by_token(grad_a, x, n), affine.weight_gradients(grad_a, x, n)
        assert_close(ours, truth, 2)


def test_training_by_a_compiled_function_is_training():
    text = np.random.default_rng(0).integers(0, 5, 400)
    losses = []
    for by_function in (False, True):
        options = TrainingOptions(cell="rnn", layers=1, hidden=16, seq_len=5, batch=4, steps=3, compiled=by_function)
        model = training.start(options, 5)
        windows = Windows.of(text, T=5, B=4)
        losses.append([training.one_update(model, windows[k], lr=0.01, clip=1.0).nats for k in range(3)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
