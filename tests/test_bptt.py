"""Backpropagation through time as a function: dtypes, batches, windows, reductions, and what it leaves alone."""

import copy
import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_rnn import cells, initialise, loss_and_gradients
from manual_rnn.network import zero_state
from manual_rnn.testing import Sizes
from manual_rnn.testing.strategies import cases

CELLS = [cells.get(name) for name in cells.names()]
RNN = cells.get("rnn")
GENTLE = ("ordinary", "smallest", "logits", "saturated")
"""Families in which two orders of the same sums stay close, so that a tolerance can be small."""
SHAPES = (Sizes(1, 1, 1, 1, 2), Sizes(1, 3, 2, 4, 3), Sizes(5, 1, 3, 1, 2), Sizes(7, 4, 3, 2, 2), Sizes(8, 2, 3, 8, 5))
any_cell = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)


def gentle(cell, **options):
    """Cases with weights of any kind, at which a right gradient moves by rounding alone."""
    return cases(cell, families=GENTLE, sizes=SHAPES, **({"dtypes": ["float64"]} | options))


def run(cell, case, **changed):
    arguments = {"params": case.params, "x": case.x, "y": case.y, "weights": case.weights, "initial": case.initial}
    return loss_and_gradients(cell, **(arguments | changed))


def one_hot(case):
    """The inputs of a case as dense rows, whichever they are."""
    return case.for_oracle()["x"]


def initial_gradients(cell):
    """The names of the gradients of the initial states."""
    return [f"{name}0" for name in cell.states]


def largest_flow(result, names):
    """The largest gradient of any node of any step."""
    return max(np.abs(result.node_gradients[name]).max() for name in names)


def nodes_of_steps(result):
    """The names of the nodes that have a row of units at every step: all but the weights that are made."""
    return [name for name in result.tape if result.tape[name].ndim == 3]


def with_tokens(case):
    s = case.spec.sizes
    tokens = np.random.default_rng(case.spec.seed).integers(0, s.n_in, (s.T, s.B))
    return dataclasses.replace(case, x=tokens)


def assert_close(ours, truth, units, scale=None):
    """To some units in the last place of the largest number of the array, or of ``scale``."""
    scale = np.abs(truth).max() if scale is None else scale
    eps, tiny = np.finfo(truth.dtype).eps, np.finfo(truth.dtype).tiny
    assert ours.shape == truth.shape
    assert np.abs(ours - truth).max() <= units * (eps * scale + tiny)


def assert_same(ours, truth):
    """Each array of two results, bit by bit."""
    assert ours.loss == truth.loss
    assert ours.gradients.keys() == truth.gradients.keys()
    for name, gradient in truth.gradients.items():
        np.testing.assert_array_equal(ours.gradients[name], gradient, err_msg=name, strict=True)
    for mine, theirs in ((ours.tape, truth.tape), (ours.node_gradients, truth.node_gradients)):
        assert set(mine) == set(theirs)
        for name in theirs:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name, strict=True)


# Dtypes


@any_cell
@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_the_dtype_of_the_parameters_is_that_of_every_result(cell, dtype, tokens):
    params = initialise(cell, n_in=3, n_hidden=4, n_out=2, dtype=dtype)
    x = np.zeros((5, 2), int) if tokens else np.ones((5, 2, 3), dtype)
    result = loss_and_gradients(cell, params, x, np.zeros((5, 2), int), inputs=True)
    assert type(result.loss) is float
    everything = {
        **result.gradients, **result.state,
        **{name: result.tape[name] for name in result.tape},
        **{f"grad_{name}": result.node_gradients[name] for name in result.node_gradients},
    }  # fmt: skip
    assert {name: array.dtype for name, array in everything.items()} == dict.fromkeys(everything, np.dtype(dtype))


@any_cell
def test_longdouble_is_not_rounded_to_float64_on_the_way(cell):
    params = initialise(cell, n_in=3, n_hidden=4, n_out=2, dtype=np.longdouble)
    if np.finfo(np.longdouble).eps == np.finfo(np.float64).eps:
        pytest.skip("longdouble is float64 on this platform")
    x = np.longdouble(1) / 3 * np.ones((5, 2, 3), np.longdouble)
    result = loss_and_gradients(cell, params, x, np.zeros((5, 2), int), inputs=True)
    for name, gradient in result.gradients.items():
        assert (gradient != gradient.astype(np.float64)).any(), name
    for name in result.node_gradients:
        array = result.node_gradients[name]
        assert (array != array.astype(np.float64)).any(), name
    assert result.tape["loss"].sum() != result.loss  # which is a float


def test_a_relu_takes_zero_for_its_slope_at_zero():
    """The judge decides nothing there."""
    relu = cells.get("rnn_relu")
    params = initialise(relu, n_in=3, n_hidden=4, n_out=2)
    result = loss_and_gradients(relu, params, np.zeros((5, 2, 3)), np.zeros((5, 2), int))
    assert (result.tape["a"] == 0).all()
    assert result.node_gradients["h"].any()
    assert not result.node_gradients["a"].any()


@any_cell
@given(data=st.data())
def test_float64_is_the_gradient_of_80_bits_but_for_rounding(cell, data):
    case = data.draw(cases(cell, families=["ordinary", "smallest"], sizes=SHAPES, dtypes=["float64"]))
    ours, truth = run(cell, case, inputs=True), run(cell, case.astype(np.longdouble), inputs=True)
    # An error made anywhere reaches a gradient through the nodes' gradients and what they are multiplied with;
    # where ŷ − 1 cancels, it is an error of the size of the weight.
    flow = largest_flow(truth, truth.node_gradients)
    flow += np.abs(case.weights).max() * (1 + np.abs(case.params["V"]).sum())
    states = [truth.tape[cell.full(name)] for name in cell.states]
    size = 1 + max(np.abs(array).max() for array in (*states, *case.initial.values(), one_hot(case)))
    made = {w.name: truth.tape[w.name] for w in cell.weights}
    recurrent = {term.weight for m in cell.maps for term in m.terms}
    W = 1 + sum(np.abs((case.params | made)[name]).sum() for name in recurrent)
    scale = case.y.size * flow * size * W
    # What a weight is made of may be short, and the weight not: its gradient is longer by as much.
    longer = {w.of: 1 + 1 / np.linalg.norm(case.params[w.of], axis=1).min() for w in cell.weights}
    for name, gradient in truth.gradients.items():
        assert_close(ours.gradients[name], gradient.astype(float), 1000, scale=scale * longer.get(name, 1))


# Inputs


@any_cell
@given(data=st.data())
def test_tokens_are_one_hot_rows(cell, data):
    case = with_tokens(data.draw(gentle(cell)))
    tokens, dense = run(cell, case, inputs=True), run(cell, case, x=one_hot(case), inputs=True)
    # U x is a column of U either way; ∇U alone is summed in another order.
    assert tokens.loss == dense.loss
    node_of = {m.U: cell.full(m.node) for m in cell.maps if m.U}
    for name in dense.gradients:
        if name in node_of:
            grad_a = np.abs(dense.node_gradients[node_of[name]]).sum(axis=(0, 1)).max()
            assert_close(tokens.gradients[name], dense.gradients[name], case.y.size, scale=grad_a)
        else:
            np.testing.assert_array_equal(tokens.gradients[name], dense.gradients[name])


@any_cell
def test_the_gradient_of_the_input_is_given_only_where_it_is_asked_for(cell):
    params = initialise(cell, n_in=3, n_hidden=4, n_out=2)
    x, y = np.ones((5, 2, 3)), np.zeros((5, 2), int)
    without, with_x = loss_and_gradients(cell, params, x, y), loss_and_gradients(cell, params, x, y, inputs=True)
    assert set(without.gradients) == {*params, *initial_gradients(cell)}
    assert "x" not in set(without.node_gradients)
    assert set(with_x.gradients) == {*params, *initial_gradients(cell), "x"}
    assert with_x.gradients["x"].shape == x.shape
    for name, gradient in without.gradients.items():
        np.testing.assert_array_equal(gradient, with_x.gradients[name])


@any_cell
@given(data=st.data())
def test_each_gradient_has_the_shape_of_its_variable_at_the_smallest_sizes_too(cell, data):
    shape = data.draw(st.sampled_from([Sizes(1, 1, 1, 1, 2), Sizes(1, 1, 1, 1, 1), Sizes(1, 2, 3, 1, 1), SHAPES[3]]))
    case = data.draw(cases(cell, families=["ordinary"], sizes=[shape]))
    result = run(cell, case, inputs=True)
    s = case.spec.sizes
    for name, array in case.params.items():
        assert result.gradients[name].shape == array.shape
    for name in cell.states:
        assert result.gradients[f"{name}0"].shape == result.state[name].shape == (s.B, s.n_hidden)
    assert result.gradients["x"].shape == (s.T, s.B, s.n_in)
    assert {cell.full(name) for name in cell.nodes} <= set(result.tape)
    for name in set(result.tape) - {"loss"}:
        made = name in {w.name for w in cell.weights}
        width = s.n_out if name == "o" else s.n_hidden
        for tape in (result.tape, result.node_gradients):
            assert tape[name].shape == ((s.n_hidden, s.n_hidden) if made else (s.T, s.B, width)), name
    assert result.tape["loss"].shape == (s.T, s.B)


def test_one_class_alone_costs_nothing_and_teaches_nothing():
    params = initialise(RNN, n_in=2, n_hidden=3, n_out=1)
    result = loss_and_gradients(RNN, params, np.ones((4, 1, 2)), np.zeros((4, 1), int))
    assert result.loss == 0
    assert all((gradient == 0).all() for gradient in result.gradients.values())


# Time and batch


@any_cell
@given(data=st.data(), cut=st.integers(1, 6))
def test_a_state_carried_over_two_windows_is_one_long_pass(cell, data, cut):
    case = data.draw(cases(cell, families=GENTLE[:1], sizes=SHAPES[3:], dtypes=["float64"]))
    whole = run(cell, case)
    first = run(cell, case, x=case.x[:cut], y=case.y[:cut], weights=case.weights[:cut])
    second = run(cell, case, x=case.x[cut:], y=case.y[cut:], weights=case.weights[cut:], initial=first.state)
    # BLAS may sum in another order for another number of rows, and the difference is carried on.
    for name in nodes_of_steps(whole):
        both = np.concatenate([first.tape[name], second.tape[name]])
        assert_close(both, whole.tape[name], 1e4, scale=1 + np.abs(whole.tape[name]).max())
    for name, state in whole.state.items():
        assert_close(second.state[name], state, 1e4, scale=1 + np.abs(state).max())
    np.testing.assert_allclose(first.loss + second.loss, whole.loss, rtol=1e-11, atol=1e-11)


@any_cell
@given(data=st.data(), cut=st.integers(1, 6))
def test_the_gradient_of_the_first_window_continues_with_that_of_the_second_ones_initial_state(cell, data, cut):
    """∂L/∂h0 of the second window is what the first window's truncated ∇h(cut) lacks.

    Of h alone: a further state's gradient is made of that of h as well, which the first window lacks too.
    """
    case = data.draw(cases(cell, families=GENTLE[:1], sizes=SHAPES[3:], dtypes=["float64"]))
    whole = run(cell, case)
    first = run(cell, case, x=case.x[:cut], y=case.y[:cut], weights=case.weights[:cut])
    second = run(cell, case, x=case.x[cut:], y=case.y[cut:], weights=case.weights[cut:], initial=first.state)
    joined = first.node_gradients["h"][-1] + second.gradients["h0"]
    scale = np.abs(whole.node_gradients["h"]).max() + np.abs(second.gradients["h0"]).max()
    assert_close(joined, whole.node_gradients["h"][cut - 1], 1e5, scale=scale)


@pytest.mark.parametrize("cell", [cell for cell in CELLS if not cell.kinks], ids=lambda cell: cell.name)
@given(data=st.data(), cut=st.integers(1, 6))
def test_what_every_state_carries_over_the_cut_is_what_its_gradient_there_says(cell, data, cut):
    """Along any direction in the initial states: the first window's own loss, and the second's by way of each state."""
    case = data.draw(cases(cell, families=GENTLE[:1], sizes=SHAPES[3:], dtypes=["float64"]))
    rng = np.random.default_rng(case.spec.seed)
    along = {name: rng.standard_normal(array.shape) for name, array in case.initial.items()}
    moved = {name: array + 1e-200j * along[name] for name, array in case.initial.items()}
    whole = run(cell, case)
    params = {name: array.astype(complex) for name, array in case.params.items()}
    window = {"x": case.x[:cut], "y": case.y[:cut], "weights": case.weights[:cut]}
    first = run(cell, case, **window, params=params, initial=moved)
    states = {name: array.real for name, array in first.state.items()}
    second = run(cell, case, x=case.x[cut:], y=case.y[cut:], weights=case.weights[cut:], initial=states)
    terms = [(first.gradients[f"{name}0"].real * along[name]).sum() for name in cell.states]
    terms += [(second.gradients[f"{name}0"] * array.imag / 1e-200).sum() for name, array in first.state.items()]
    expected = sum((whole.gradients[f"{name}0"] * along[name]).sum() for name in cell.states)
    flow = largest_flow(whole, nodes_of_steps(whole)) + max(map(abs, terms))
    assert abs(sum(terms) - expected) <= 1e5 * np.finfo(float).eps * flow


@any_cell
@given(data=st.data())
def test_a_batch_is_the_sum_of_its_sequences(cell, data):
    case = data.draw(cases(cell, families=GENTLE[:1], sizes=SHAPES, dtypes=["float64"]))
    whole = run(cell, case, inputs=True)
    alone = [
        run(
            cell, case, inputs=True, initial={name: array[i : i + 1] for name, array in case.initial.items()},
            **{name: getattr(case, name)[:, i : i + 1] for name in ("x", "y", "weights")},
        )
        for i in range(case.spec.sizes.B)
    ]  # fmt: skip
    np.testing.assert_allclose(sum(one.loss for one in alone), whole.loss, rtol=1e-11, atol=1e-11)
    for name in case.params:
        scale = sum(np.abs(one.gradients[name]).max() for one in alone)
        assert_close(sum(one.gradients[name] for one in alone), whole.gradients[name], 1e4, scale=scale)
    for name, axis in (*((name, 0) for name in initial_gradients(cell)), ("x", 1)):
        joined = np.concatenate([one.gradients[name] for one in alone], axis=axis)
        assert_close(joined, whole.gradients[name], 1e4)


@any_cell
def test_without_an_initial_state_the_walk_starts_from_zeros(cell):
    params = initialise(cell, n_in=3, n_hidden=4, n_out=2)
    x, y = np.ones((5, 2, 3)), np.zeros((5, 2), int)
    zeros = zero_state(cell, params, 2)
    assert {name: (array.shape, array.dtype) for name, array in zeros.items()} == dict.fromkeys(
        cell.states, ((2, 4), np.float64)
    )
    assert_same(loss_and_gradients(cell, params, x, y), loss_and_gradients(cell, params, x, y, initial=zeros))


# Reductions and weights


@any_cell
@given(data=st.data())
def test_a_named_reduction_is_its_weights(cell, data):
    case = data.draw(gentle(cell))
    T, B = case.y.shape
    last = np.zeros((T, B))
    last[-1] = 1
    for reduction, weights in (("sum", np.ones((T, B))), ("mean", np.full((T, B), 1 / (T * B))), ("last", last)):
        assert_same(run(cell, case, weights=None, reduction=reduction), run(cell, case, weights=weights))
    assert_same(run(cell, case, weights=None), run(cell, case, weights=np.ones((T, B))))


def test_the_mean_is_over_time_and_batch_and_the_last_step_is_a_sum():
    params = initialise(RNN, n_in=3, n_hidden=4, n_out=2, seed=3)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((5, 2, 3)), rng.integers(0, 2, (5, 2))
    each = loss_and_gradients(RNN, params, x, y).tape["loss"]
    results = {name: loss_and_gradients(RNN, params, x, y, reduction=name) for name in ("sum", "mean", "last")}
    assert results["sum"].loss == pytest.approx(each.sum(), rel=1e-14)
    assert results["mean"].loss == pytest.approx(each.sum() / 10, rel=1e-14)
    assert results["last"].loss == pytest.approx(each[-1].sum(), rel=1e-14)
    np.testing.assert_allclose(results["mean"].gradients["W"], results["sum"].gradients["W"] / 10, rtol=1e-13)


@any_cell
@given(data=st.data(), exponent=st.integers(-30, 30), sign=st.sampled_from([-1, 1]))
def test_the_gradient_is_linear_in_the_weights_to_the_last_bit(cell, data, exponent, sign):
    """A power of two changes no digit: nothing in the backward pass is clipped, floored or squared."""
    case = data.draw(cases(cell, families=GENTLE[:1], sizes=SHAPES, dtypes=["float64"]))
    factor = sign * 2.0**exponent
    ours, scaled = run(cell, case), run(cell, case, weights=factor * case.weights)
    for name, gradient in ours.gradients.items():
        np.testing.assert_array_equal(scaled.gradients[name], factor * gradient)


@any_cell
@given(data=st.data(), seen=st.integers(1, 7))
def test_steps_after_the_last_loss_change_no_gradient(cell, data, seen):
    """Ragged lengths by a mask: the result is that of the shorter sequence, and zeros after it."""
    case = data.draw(cases(cell, families=GENTLE[:1], sizes=SHAPES[3:], dtypes=["float64"]))
    weights = np.where(np.arange(len(case.y))[:, None] < seen, 1.0, 0.0) * np.ones(case.y.shape)
    masked = run(cell, case, weights=weights, inputs=True)
    short = run(cell, case, x=case.x[:seen], y=case.y[:seen], weights=weights[:seen], inputs=True)
    for name in nodes_of_steps(masked):
        assert (masked.node_gradients[name][seen:] == 0).all(), name
    assert (masked.gradients["x"][seen:] == 0).all()
    flow = largest_flow(short, nodes_of_steps(short))
    for name in (*case.params, *initial_gradients(cell)):
        scale = flow + np.abs(short.gradients[name]).max()
        assert_close(masked.gradients[name], short.gradients[name], 1e5, scale=scale)


# Derivatives


@pytest.mark.parametrize("cell", [cell for cell in CELLS if not cell.kinks], ids=lambda cell: cell.name)
@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@given(data=st.data())
def test_the_gradient_is_the_complex_step_of_the_loss_along_any_direction(cell, dtype, data):
    """To the last digits of either dtype: an array that is rounded to a lesser one on the way back is seen."""
    case = data.draw(cases(cell, families=["ordinary"], sizes=SHAPES, dtypes=["float64"]))
    case = dataclasses.replace(case, x=one_hot(case)).astype(dtype)
    rng = np.random.default_rng(case.spec.seed)
    at = {**case.params, **{f"{name}0": array for name, array in case.initial.items()}, "x": case.x}
    along = {name: rng.standard_normal(array.shape).astype(dtype) for name, array in at.items()}
    step = dtype(1e-200)
    moved = {name: at[name] + 1j * (step * along[name]) for name in at}
    gradients = run(cell, case, inputs=True).gradients
    params = {name: moved[name] for name in case.params}
    initial = {name: moved[f"{name}0"] for name in cell.states}
    complex_run = run(cell, case, params=params, x=moved["x"], initial=initial)
    ours = sum((gradients[name] * along[name]).sum() for name in at)
    terms = sum(np.abs(gradients[name] * along[name]).sum() for name in at)
    truth = complex_run.tape["loss"].sum().imag / step
    steps = nodes_of_steps(complex_run)
    grown = largest_flow(complex_run, steps) + max(np.abs(complex_run.tape[name]).max() for name in steps)
    assert type(ours) is type(truth) is dtype
    assert abs(truth - ours) <= 64 * np.finfo(dtype).eps * (terms + grown)


# What is left alone


@any_cell
@pytest.mark.parametrize("tokens", [False, True])
def test_nothing_that_was_handed_in_is_changed_or_shared(cell, tokens):
    rng = np.random.default_rng(1)
    params = initialise(cell, n_in=3, n_hidden=4, n_out=2)
    given_ = {
        "params": params,
        "x": rng.integers(0, 3, (5, 2)) if tokens else rng.standard_normal((5, 2, 3)),
        "y": rng.integers(0, 2, (5, 2)),
        "initial": {name: rng.standard_normal((2, 4)) for name in cell.states},
        "weights": rng.standard_normal((5, 2)),
    }
    before = copy.deepcopy(given_)
    result = loss_and_gradients(cell, **given_, inputs=True)
    for array in (*result.gradients.values(), *result.state.values()):
        array[...] = 7  # writing into a result must not reach what it came from
    for name in ("x", "y", "weights"):
        np.testing.assert_array_equal(given_[name], before[name])
    for name in ("params", "initial"):
        for key, array in before[name].items():
            np.testing.assert_array_equal(given_[name][key], array)


def test_read_only_and_strided_arrays_are_taken():
    rng = np.random.default_rng(2)
    params = initialise(RNN, n_in=3, n_hidden=4, n_out=2)
    x, y = rng.standard_normal((5, 2, 3)), rng.integers(0, 2, (5, 2))
    expected = loss_and_gradients(RNN, params, x, y, inputs=True)
    for array in (*params.values(), x, y):
        array.flags.writeable = False
    assert_same(loss_and_gradients(RNN, params, x, y, inputs=True), expected)
    strided = loss_and_gradients(RNN, params, np.asfortranarray(x), y.T.copy().T, inputs=True)
    for name, gradient in expected.gradients.items():
        assert_close(strided.gradients[name], gradient, 1000)


@any_cell
@given(data=st.data())
def test_the_same_call_gives_the_same_bits(cell, data):
    case = data.draw(cases(cell, sizes=SHAPES))
    with np.errstate(all="ignore"):
        assert_same(run(cell, case, inputs=True), run(cell, case, inputs=True))


def test_the_gradients_of_two_results_share_no_memory():
    params = initialise(RNN, n_in=3, n_hidden=4, n_out=2)
    x, y = np.ones((5, 2, 3)), np.zeros((5, 2), int)
    first, second = (loss_and_gradients(RNN, params, x, y) for _ in range(2))
    for name, gradient in first.gradients.items():
        assert not np.shares_memory(gradient, second.gradients[name])
