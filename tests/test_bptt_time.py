"""Backpropagation through time over windows, batches and masks: what a sum over time and sequences has to keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bptt_cases import (
    GENTLE,
    RNN,
    SHAPES,
    any_cell,
    assert_close,
    assert_same,
    gentle,
    initial_gradients,
    largest_flow,
    nodes_of_steps,
    run,
    smooth_cell,
)
from manual_rnn import initialise, loss_and_gradients
from manual_rnn.network import zero_state
from manual_rnn.testing.strategies import cases

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


@smooth_cell
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
