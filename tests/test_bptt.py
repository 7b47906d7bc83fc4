"""Backpropagation through time as a function: dtypes, inputs, derivatives, and what it leaves alone."""

import copy
import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bptt_cases import (
    RNN,
    SHAPES,
    any_cell,
    assert_close,
    assert_same,
    gentle,
    initial_gradients,
    largest_flow,
    nodes_of_steps,
    one_hot,
    run,
    smooth_cell,
    with_tokens,
)
from manual_rnn import cells, initialise, loss_and_gradients
from manual_rnn.testing import Sizes
from manual_rnn.testing.strategies import cases

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


# Derivatives


@smooth_cell
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
