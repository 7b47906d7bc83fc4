"""RTRL, forward in time, against BPTT and autodiff, for every cell; and mistakes planted in its recursion."""

import tracemalloc

import numpy as np
import pytest

from manual_rnn import cells, ways
from manual_rnn.testing.problem import Sizes
from manual_rnn.ways import real_time
from reference import autodiff
from way_cases import any_cell, arguments, assert_close, assert_differ, draw, off, plain

OF_THE_CELL = ("U", "W", "b", "h0", "x")


def found(name, case, **changed):
    return ways.rtrl(cells.get(name), **arguments(case, **changed))


@any_cell
@pytest.mark.parametrize("dense", [False, True])
def test_is_what_bptt_gives(name, dense):
    case = draw(name, dense=dense)
    truth, ours = plain(name, case), found(name, case)
    assert list(ours.gradients) == list(truth.gradients)
    assert_close(ours.gradients, truth.gradients)
    assert ours.loss == pytest.approx(truth.loss, rel=1e-14)
    for state in truth.state:
        np.testing.assert_array_equal(ours.state[state], truth.state[state])


@any_cell
def test_is_what_autodiff_gives(name):
    case = draw(name)
    _, full = autodiff(name)([case.for_oracle()])[0]
    ours = found(name, case).gradients
    assert_close(ours, {variable: full[variable] for variable in ours})


def test_a_gradient_that_has_vanished_is_right_in_all_its_digits():
    """Of the loss of the last step; ∇h(0) is about 1e-150 and below."""
    case = draw("rnn", family="vanished")
    weights = np.zeros_like(case.weights)
    weights[-1] = 1
    truth = plain("rnn", case, weights=weights).gradients
    assert 0 < np.abs(truth["h0"]).max() < 1e-100
    assert_close(found("rnn", case, weights=weights).gradients, truth)


@pytest.mark.parametrize("dtype", ["float32", "longdouble"])
def test_every_dtype_stays_what_it_is(dtype):
    case = draw("lstm").astype(dtype)
    ours = found("lstm", case)
    assert {array.dtype for array in ours.gradients.values()} == {np.dtype(dtype)}
    assert "x" not in found("lstm", case, inputs=False).gradients


def test_its_memory_is_that_of_the_tensor_however_long_the_sequence():
    def peak(T):
        case = draw("lstm", sizes=Sizes(T, 2, 3, 12, 3))
        found("lstm", case, inputs=False)  # what is kept from the first run on, of any length, is not the sequence's
        tracemalloc.start()
        found("lstm", case, inputs=False)
        measured = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        numbers = sum(array.size for name, array in case.params.items() if name not in ("V", "c"))
        return measured, 8 * 2 * 24 * numbers

    short, tensor = peak(20)
    assert tensor <= short <= 2.5 * tensor  # and one parameter's, new beside old, and the steps back
    assert peak(200)[0] <= 1.05 * short


# Planted mistakes


def test_an_influence_that_is_not_carried_is_bptt_of_one_step(monkeypatch):
    """R2 without J: of every step its direct part alone, which is BPTT(1, 1)."""
    case = draw("rnn")
    truth, right = plain("rnn", case).gradients, real_time.jacobians
    monkeypatch.setattr(real_time, "jacobians", lambda *a: (0 * right(*a)[0], right(*a)[1]))
    wrong = found("rnn", case).gradients
    assert_differ(wrong, truth, OF_THE_CELL)
    one_step = ways.truncated_bptt(cells.get("rnn"), k1=1, k2=1, **arguments(case)).gradients
    assert max(error for name, error in off(wrong, one_step).items() if name != "h0") < 1e-12


def test_a_transposed_jacobian_is_seen(monkeypatch):
    case = draw("rnn")
    truth, right = plain("rnn", case).gradients, real_time.jacobians
    monkeypatch.setattr(real_time, "jacobians", lambda *a: (right(*a)[0].swapaxes(1, 2), right(*a)[1]))
    assert_differ(found("rnn", case).gradients, truth, OF_THE_CELL)


@pytest.mark.parametrize("parameter", ["b_f", "W_i", "U_g", "p_o"])
def test_a_direct_part_that_is_missing_is_seen_in_that_parameter(parameter, monkeypatch):
    case = draw("lstm_peephole")
    truth, right = plain("lstm_peephole", case).gradients, real_time._add_direct

    def forgets(given, P, *rest):
        kept = P[parameter].copy()
        right(given, P, *rest)
        P[parameter][...] = kept

    monkeypatch.setattr(real_time, "_add_direct", forgets)
    assert_differ(found("lstm_peephole", case).gradients, truth, [parameter])


def test_what_bptt_refuses_is_refused_here():
    with pytest.raises(ValueError, match="y has the shape"):
        found("rnn", draw("rnn"), y=np.zeros((1, 1), int))
