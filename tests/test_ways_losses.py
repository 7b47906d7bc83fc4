"""Every way to the gradient with every loss: against full BPTT and autodiff; mistakes planted in what a loss adds."""

import dataclasses
from itertools import product

import numpy as np
import pytest

import reference
from manual_rnn import cells, losses, ways
from reference import autodiff
from thorough import in_every_run
from way_cases import arguments, assert_close, assert_differ, draw, plain

any_loss = pytest.mark.parametrize("loss", losses.names())
some_cell = pytest.mark.parametrize("name", ["rnn", "lstm_peephole", "rnn_orthogonal"])
WAYS = {
    "truncated, all steps": (ways.truncated_bptt, {"k1": 2, "k2": 50}),
    "checkpointed": (ways.checkpointed_bptt, {}),
    "checkpointed, binomial": (ways.checkpointed_bptt, {"snapshots": 2}),
    "rtrl": (ways.rtrl, {}),
    "parallel": (ways.parallel_bptt, {"blocks": 4}),
    "hessian": (ways.hessian_vector, {"direction": {}}),
}
any_way = pytest.mark.parametrize("way", WAYS)


def found(way, name, case, **changed):
    function, options = WAYS[way]
    return function(cells.get(name), **arguments(case, **options, **changed))


def of_window(name, case):
    """BPTT(2, 4) and its oracle."""
    truth = reference.truncated_bptt(name, k1=2, k2=4)(case.for_oracle())
    return ways.truncated_bptt(cells.get(name), k1=2, k2=4, **arguments(case)).gradients, truth


def of_direction(name, case):
    """H v and its oracle, everything moving."""
    rng = np.random.default_rng(1)
    moving = {**case.params, **{f"{state}0": h for state, h in case.initial.items()}, "x": case.x}
    along = {variable: rng.standard_normal(array.shape) for variable, array in moving.items()}
    truth = reference.hessian_vector(autodiff(name))(case.for_oracle(), along)
    ours = ways.hessian_vector(cells.get(name), direction=along, **arguments(case)).product
    return ours, {variable: truth[variable] for variable in ours}


WITH = {("rnn", loss) for loss in losses.names()} | {("lstm_peephole", "squared"), ("rnn_orthogonal", "bernoulli")}
"""A loss adds at the readout what no cell sees: all of them with one cell, the others with one of them each."""


@pytest.mark.parametrize(
    ("name", "loss"), in_every_run(WITH, product(["rnn", "lstm_peephole", "rnn_orthogonal"], losses.names()))
)
@any_way
def test_is_what_bptt_and_autodiff_give(way, name, loss):
    case = draw(name, loss=loss)
    ours, bptt = found(way, name, case), plain(name, case)
    assert list(ours.gradients) == list(bptt.gradients)
    assert_close(ours.gradients, bptt.gradients)
    assert ours.loss == pytest.approx(bptt.loss, rel=1e-13)
    _, truth = autodiff(name)([case.for_oracle()])[0]
    assert_close(ours.gradients, {variable: truth[variable] for variable in ours.gradients})


@any_loss
@some_cell
@pytest.mark.parametrize("of", [of_window, of_direction])
def test_what_is_no_gradient_is_what_its_own_oracle_gives(of, name, loss):
    assert_close(*of(name, draw(name, loss=loss)))


@any_loss
@any_way
@pytest.mark.parametrize("dtype", ["float32", "longdouble"])
def test_every_dtype_stays_what_it_is(way, loss, dtype):
    case = draw("lstm", loss=loss).astype(dtype)
    assert {array.dtype for array in found(way, "lstm", case).gradients.values()} == {np.dtype(dtype)}


@any_loss
def test_the_curvature_of_the_logits_is_never_negative(loss):
    """The losses are convex in o: with V, c and h(0) alone moving in a cell that stands still, ⟨v, H v⟩ ≥ 0."""
    case = draw("rnn", loss=loss)
    case = dataclasses.replace(case, weights=np.abs(case.weights))
    rng = np.random.default_rng(2)
    for _ in range(20):
        along = {name: rng.standard_normal(case.params[name].shape) for name in ("V", "c")}
        product = ways.hessian_vector(cells.get("rnn"), direction=along, **arguments(case)).product
        assert sum((along[name] * product[name]).sum() for name in along) > 0


# Planted mistakes

EVERYTHING = {"U", "W", "b", "V", "c", "h0", "x"}
WRONG_TANGENTS = {
    "softmax, its diagonal alone": ("softmax", lambda y_hat, R_o, w: w[..., None] * y_hat * (1 - y_hat) * R_o),
    "softmax, without ŷŷᵀ": ("softmax", lambda y_hat, R_o, w: w[..., None] * y_hat * R_o),
    "softmax, transposed sign": ("softmax", lambda y_hat, R_o, w: -losses.softmax.tangent(y_hat, R_o, w)),
    "squared, factor 2": ("squared", lambda residual, R_o, w: 2 * w[..., None] * R_o),
    "squared, times its residual": ("squared", lambda residual, R_o, w: w[..., None] * residual * R_o),
    "squared, unweighted": ("squared", lambda residual, R_o, w: R_o),
    "bernoulli, ŷ alone": ("bernoulli", lambda sides, R_o, w: w[..., None] * sides[0] * R_o),
    "bernoulli, ŷ²": ("bernoulli", lambda sides, R_o, w: w[..., None] * sides[0] ** 2 * R_o),
    "bernoulli, taken for linear": ("bernoulli", lambda sides, R_o, w: 0 * R_o),
}


def planted(monkeypatch, name, **changed):
    right = losses.get(name)
    monkeypatch.setattr(losses, "get", lambda asked: dataclasses.replace(right, **changed))


@pytest.mark.parametrize("mistake", WRONG_TANGENTS)
def test_a_wrong_second_derivative_is_seen(mistake, monkeypatch):
    loss, wrong = WRONG_TANGENTS[mistake]
    case = draw("rnn", loss=loss)
    assert_close(*of_direction("rnn", case))
    planted(monkeypatch, loss, tangent=wrong)
    assert_differ(*of_direction("rnn", case), EVERYTHING)


@any_loss
@any_way
def test_a_loss_whose_gradient_is_doubled_is_seen_in_every_way(way, loss, monkeypatch):
    """So each way asks the loss that it was given, and no other."""
    case, right = draw("rnn", loss=loss), losses.get(loss)
    truth = plain("rnn", case).gradients
    planted(monkeypatch, loss, backward=lambda *given: 2 * right.backward(*given))
    assert_differ(found(way, "rnn", case).gradients, truth, EVERYTHING)


# Bad input


@any_way
@pytest.mark.parametrize(("changed", "sentence"), [
    ({"loss": "absolute"}, "There is no loss named 'absolute'; the losses are bernoulli, softmax, squared"),
    ({"loss": "squared"}, "the loss 'squared' takes floating-point targets"),
    ({"reduction": "mean"}, "Both weights and reduction='mean' are given; the weights say all a reduction can"),
], ids=["no such loss", "targets of another loss", "weights and a reduction"])  # fmt: skip
def test_a_loss_that_does_not_fit_is_named(way, changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        found(way, "rnn", draw("rnn"), **changed)
