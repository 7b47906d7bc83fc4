"""The check behind the figures: right gradients pass at any magnitude, wrong ones fail, and some cannot be decided."""

from dataclasses import replace

import numpy as np
import pytest

from manual_rnn import cells, initialise, losses
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
    assert result.where.startswith("step 4, sequence ")
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


def of_rows(loss, *, wrong=None, **options):
    """The check with targets that are rows of numbers; ``wrong`` stands in the place of the loss's ∇o."""
    net, y = network(0.8), np.random.default_rng(3).uniform(0, 1, (40, 2, 10))
    with pytest.MonkeyPatch.context() as patch:
        if wrong:
            planted = replace(losses.get(loss), backward=wrong)
            patch.setattr(losses, "get", lambda name: planted)
        return cross_check(RNN, net.params, net.x, y, initial=net.initial, against=ORACLE, loss=loss, **options)


@pytest.mark.parametrize("reduction", ["last", "sum", "mean"])
@pytest.mark.parametrize("loss", ["squared", "bernoulli"])
def test_every_loss_is_held_against_the_same_of_the_oracle(loss, reduction):
    result = of_rows(loss, reduction=reduction)
    assert result.agree
    assert result.undecided == 0


@pytest.mark.parametrize(("loss", "wrong"), [
    ("squared", lambda residual, y, w: -w[..., None] * residual),
    ("squared", lambda residual, y, w: 2 * w[..., None] * residual),
    ("squared", lambda residual, y, w: w[..., None] * residual / y.shape[-1]),
    ("bernoulli", lambda sides, y, w: w[..., None] * (y - sides[0])),
    ("bernoulli", lambda sides, y, w: w[..., None] * (sides[0] - y) * sides[0] * sides[1]),
    ("bernoulli", lambda sides, y, w: w[..., None] * sides[0]),
], ids=["y − o", "twice", "mean over n_out", "y − ŷ", "σ′ besides", "without y"])  # fmt: skip
def test_a_wrong_gradient_of_a_loss_fails(loss, wrong):
    assert not of_rows(loss, wrong=wrong).agree


def test_the_oracle_of_another_loss_disagrees():
    net, y = network(0.8), np.random.default_rng(3).uniform(0, 1, (40, 2, 10))
    other = {"squared": "bernoulli", "bernoulli": "squared"}

    def mistaken(problems):
        return ORACLE([{**problem, "loss": other[problem["loss"]]} for problem in problems])

    for loss in other:
        assert not cross_check(RNN, net.params, net.x, y, against=mistaken, loss=loss).agree


def test_weights_beside_a_reduction_are_refused():
    net = network(1.0)
    with pytest.raises(ValueError, match="Both weights and reduction='last' are given"):
        cross_check(RNN, net.params, net.x, net.y, against=ORACLE, weights=np.ones((40, 2)), reduction="last")


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


def test_a_state_whose_name_is_the_networks_too_is_the_cells():
    """An LSTM's c: the network's own c is the bias of the logits."""
    cell, rng = cells.get("lstm"), np.random.default_rng(0)
    params = initialise(cell, n_in=2, n_hidden=4, n_out=3)
    x, y = rng.standard_normal((6, 2, 2)), rng.integers(0, 3, (6, 2))
    assert cross_check(cell, params, x, y, state="c", against=autodiff("lstm")).agree
