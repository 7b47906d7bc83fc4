"""The check behind the figures: right gradients pass at any magnitude, wrong ones fail, and some cannot be decided."""

from dataclasses import replace

import numpy as np
import pytest

from manual_rnn import cells
from manual_rnn.diagnostics import cross_check, driven_network
from reference import autodiff

RNN = cells.get("rnn")
ORACLE = autodiff("rnn")


def network(gain):
    """Always of one shape, so that the oracle is compiled once."""
    return driven_network(12, gain=gain, input_std=0.5, steps=40, batch=2, seed=7)


def check(gain, *, cell=RNN, against=ORACLE, **options):
    net = network(gain)
    return cross_check(cell, net.params, net.x, net.y, initial=net.initial, against=against, **options)


def off(**factors):
    """An oracle whose gradients are off by these factors."""

    def oracle(problems):
        return [(nodes, {k: g * factors.get(k, 1) for k, g in grads.items()}) for nodes, grads in ORACLE(problems)]

    return oracle


@pytest.mark.parametrize("gain", [0.03, 0.8, 1.5, 3.0])
@pytest.mark.parametrize("reduction", ["last", "sum"])
def test_right_gradients_agree_vanished_and_exploding_alike(gain, reduction):
    result = check(gain, reduction=reduction)
    assert result.agree
    assert result.undecided == 0
    assert result.error.shape == (41, 2)
    assert str(result).startswith("manual and autodiff agree: worst relative error")


def test_one_wrong_step_fails_even_where_the_gradient_has_vanished():
    factor = np.ones((40, 1, 1))
    factor[3] = 1 + 1e-9  # at gain .03 ∇h(4) is about 1e-55
    result = check(0.03, against=off(h=factor), reduction="last")
    assert not result.agree
    assert np.argwhere((result.error > result.allowance).all(axis=1)).ravel().tolist() == [4]
    assert "DISAGREE" in str(result)


def test_a_wrong_initial_gradient_fails():
    assert not check(1.0, against=off(h0=1 + 1e-9)).agree


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_that_only_one_side_has_fails(value):
    assert not check(1.0, against=off(h=value)).agree


def test_a_wrong_backward_pass_fails():
    def backward(node, prev, grad, tap):
        return {"a": tap("a", (1 - node.h**2 * (1 + 1e-9)) * grad.h)}

    assert not check(1.0, cell=replace(RNN, backward=backward)).agree


def test_chaos_is_undecided_not_passed_and_not_failed():
    result = check(40.0, reduction="last")
    assert result.undecided > 0
    assert not (result.decided & ~(result.error <= result.allowance)).any()


def test_where_nothing_can_be_decided_it_does_not_agree():
    net = network(1.0)
    weights = np.full((40, 2), 1e-320)  # every gradient has underflowed
    result = cross_check(RNN, net.params, net.x, net.y, against=ORACLE, weights=weights)
    assert result.undecided == result.error.size
    assert not result.agree
    assert "nothing to decide" in str(result)


def test_gradients_that_are_all_zero_are_nothing_to_decide_and_no_nan():
    net = network(1.0)
    result = cross_check(RNN, net.params, net.x, net.y, against=ORACLE, weights=np.zeros((40, 2)))
    assert not result.agree
    assert (result.error == 0).all()
    assert "nan" not in str(result)
    assert str(result).startswith("nothing to decide: the gradients are zero")


def test_where_only_one_side_is_zero_it_disagrees():
    late = np.zeros((40, 2))
    late[20:] = 1
    one = cross_check(RNN, *_some(), against=off(h0=0.0), weights=late)
    assert not one.agree
    assert one.worst == np.inf


def _some():
    net = network(1.0)
    return net.params, net.x, net.y


def test_tokens_are_given_to_the_oracle_as_one_hot_rows():
    net, tokens = network(1.0), np.random.default_rng(0).integers(0, 12, (40, 2))
    assert cross_check(RNN, net.params, tokens, net.y, against=ORACLE).agree
