"""Targets that a loss cannot take are told in a sentence; reductions and weights are those of every loss."""

import numpy as np
import pytest

from manual_rnn import cells
from manual_rnn.gradients import loss_and_gradients

RNN = cells.get("rnn")
ROWS = np.linspace(-1, 1, 5 * 2 * 3).reshape(5, 2, 3)


def network(n_out=3):
    rng = np.random.default_rng(0)
    shapes = {"U": (4, 2), "W": (4, 4), "b": (4,), "V": (n_out, 4), "c": (n_out,)}
    return {n: rng.standard_normal(s) for n, s in shapes.items()}, rng.standard_normal((5, 2, 2))


@pytest.mark.parametrize(
    ("loss", "y", "sentence"),
    [
        ("mse", ROWS, "There is no loss named 'mse'; the losses are bernoulli, softmax, squared."),
        (["a"], ROWS, r"There is no loss named \['a'\]; the losses are bernoulli, softmax, squared."),
        (None, ROWS, "There is no loss named None; the losses are"),
        ("softmax", ROWS, r"y has the shape \(5, 2, 3\) and dtype float64; expected integer target ids of shape"),
        ("squared", np.zeros((5, 2), int), r"y has the shape \(5, 2\) and dtype int64; the loss 'squared' takes "
         r"floating-point targets \(T, B, n_out\) = \(5, 2, 3\), n_out being the rows of V\."),
        ("squared", ROWS[..., :2], r"shape \(5, 2, 2\) and dtype float64; the loss 'squared' takes"),
        ("bernoulli", ROWS > 0, "dtype bool; the loss 'bernoulli' takes floating-point targets"),
        ("bernoulli", ROWS + 0j, "dtype complex128; the loss 'bernoulli' takes floating-point targets"),
        ("bernoulli", ROWS, r"y has -1\.0 at step 0, sequence 0, unit 0; the loss 'bernoulli' takes targets between "
         r"0 and 1\."),
        ("bernoulli", 1 + abs(ROWS), "unit 0; the loss 'bernoulli' takes targets between"),
        ("squared", np.where(ROWS > 0.9, np.nan, ROWS), r"y is not finite: \d of 30 entries"),
        ("squared", np.where(ROWS > 0.9, np.inf, ROWS), r"y is not finite: \d of 30 entries"),
        ("squared", ROWS.astype(np.longdouble), r"the pass would be computed in .* Hand in y.astype\('float64'\)"),
        ("squared", ROWS.tolist(), "y is of the type list; expected a plain NumPy array"),
    ],
)  # fmt: skip
def test_targets_that_do_not_fit_are_told_in_a_sentence(loss, y, sentence):
    params, x = network()
    with pytest.raises(ValueError, match=sentence):
        loss_and_gradients(RNN, params, x, y, loss=loss)


@pytest.mark.parametrize("loss", ["bernoulli", "squared"])
def test_reductions_are_those_of_every_loss(loss):
    params, x = network()
    y = abs(ROWS)
    by_step = loss_and_gradients(RNN, params, x, y, loss=loss).tape["loss"]
    assert loss_and_gradients(RNN, params, x, y, loss=loss, reduction="mean").loss == pytest.approx(by_step.mean())
    assert loss_and_gradients(RNN, params, x, y, loss=loss, reduction="last").loss == pytest.approx(by_step[-1].sum())
    mask = np.arange(10).reshape(5, 2) / 7
    weighted = loss_and_gradients(RNN, params, x, y, loss=loss, weights=mask)
    assert weighted.loss == pytest.approx((mask * by_step).sum())
