"""Complex step: right at every magnitude for analytic cells, and silent for the others."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings

from manual_rnn import cells
from manual_rnn.testing.oracles import complex_step as module
from manual_rnn.testing.oracles.analytic import not_analytic
from manual_rnn.testing.oracles.complex_step import complex_step
from manual_rnn.testing.oracles.estimate import norm, widest_dtype
from manual_rnn.testing.scales import natural_scales
from oracle_cases import (
    SMALL,
    autodiff_gradients,
    chaotic,
    draw,
    manual_gradients,
    means_nothing,
    vanished,
    variables,
    well_conditioned,
)
from reference import autodiff
from thorough import of_each_kind

RNN, RELU = cells.get("rnn"), cells.get("rnn_relu")
ANALYTIC = [name for name in cells.names() if not cells.get(name).kinks]
WIDE = widest_dtype() != np.float64


def assert_agree(estimates, truth, relative):
    for name, estimate in estimates.items():
        assert not estimate.cannot_decide, (name, estimate.cannot_decide)
        assert norm(estimate.value - truth[name]) <= relative * norm(truth[name]), name


@pytest.mark.parametrize("name", of_each_kind(ANALYTIC))
def test_agrees_with_autodiff_on_well_conditioned_cases(name):
    @settings(deadline=None, max_examples=12 if len(cells.get(name).maps) == 1 else 4)
    @given(well_conditioned(name))
    def holds(case):
        estimates = complex_step(cells.get(name), case)
        assert tuple(estimates) == variables(case)
        # Autodiff's own rounding: 1e-12 is a fair demand of right float64 code on a well-conditioned case, but for
        # what cancels in a single unit: there the terms' magnitudes are what rounding goes by.
        ((nodes, truth),) = autodiff(name)([case.for_oracle()])
        scales = natural_scales(cells.get(name), case, (nodes, truth))[1]
        for key, estimate in estimates.items():
            if means_nothing(cells.get(name), case, key):
                assert "zero, or too small" in estimate.cannot_decide
                continue
            assert not estimate.cannot_decide, (key, estimate.cannot_decide)
            rounding = 64 * np.finfo(np.float64).eps * norm(scales[key].of)
            assert norm(estimate.value - truth[key]) <= 1e-12 * norm(truth[key]) + rounding, key

    holds()


@pytest.mark.parametrize("exponent", [-50, -250, -280])
def test_agrees_where_the_gradient_has_vanished(exponent):
    case = vanished(RNN, exponent)
    truth = autodiff_gradients("rnn", case)
    assert 1e-6 < norm(truth["h0"]) / np.longdouble(10) ** exponent < 1
    assert_agree(complex_step(RNN, case, names=["h0", "W"]), truth, 1e-12)


def test_agrees_with_the_closed_form_where_tanh_is_saturated():
    r"""$\partial h/\partial a = 4e^{-2a}/(1+e^{-2a})^2$; at a = 15 autodiff, from a rounded h, is 1e-4 off or more."""
    case = draw(RNN, sizes=SMALL)
    params = {**case.params, "U": np.zeros((1, 1)), "W": np.zeros((1, 1)), "b": np.array([15.0])}
    case = dataclasses.replace(case, params=params)
    gradient = complex_step(RNN, case, names=["b"])["b"].value[0]
    h = np.tanh(widest_dtype().type(15))
    logits = params["V"].astype(h.dtype) @ [h] + params["c"]
    y_hat = np.exp(logits) / np.exp(logits).sum()
    grad_h = params["V"].T @ (y_hat - np.eye(2)[case.y[0, 0]])
    e = np.exp(h.dtype.type(-30))
    exact = grad_h[0] * 4 * e / (1 + e) ** 2
    assert abs(gradient - exact) <= 1e-13 * abs(exact)
    assert abs(autodiff_gradients("rnn", case)["b"][0] - exact) > 1e-4 * abs(exact)


def test_the_largest_logit_may_be_complex():
    """Every logit tied, so that the imaginary part decides which is the largest; and logits so large that exp is 0."""
    case = draw(RNN)
    for scale in (0.0, 1e4):
        params = {**case.params, "V": scale * case.params["V"], "c": scale * np.ones(3)}
        moved = dataclasses.replace(case, params=params)
        names = ["V", "c"] if scale == 0 else ["W", "h0"]
        truth = manual_gradients(RNN, moved.astype(widest_dtype()))
        assert_agree(complex_step(RNN, moved, names=names), truth, 1e-15 if WIDE else 1e-12)


def test_a_cell_with_kinks_is_declined():
    for estimate in complex_step(RELU, draw(RELU), names=["W"]).values():
        assert estimate.cannot_decide == "the cell is not analytic: it has kinks where a is zero"
        assert np.isnan(estimate.value).all()
        assert np.isinf(estimate.error).all()


@pytest.mark.parametrize(
    ("activation", "named"),
    [
        (np.abs, "absolute"),
        (lambda a: np.maximum(a, 0), "maximum"),
        (lambda a: np.where(a > 0, a, 0), "greater"),
        (lambda a: a * (a.max() > 1), "maximum"),
        (lambda a: np.conj(a) + a, "conjugate"),
    ],
)
def test_a_cell_that_calls_what_is_not_analytic_is_declined_though_it_declares_no_kink(activation, named):
    cell = dataclasses.replace(RNN, forward=lambda node, prev, tap: {"h": tap("h", activation(node.a))})
    assert named in not_analytic(cell)
    assert f"its step calls {named}" in complex_step(cell, draw(RNN), names=["b"])["b"].cannot_decide


def test_analytic_cells_are_known_as_such():
    assert {name: not_analytic(cells.get(name)) for name in ANALYTIC} == {name: [] for name in ANALYTIC}
    logistic = dataclasses.replace(RNN, forward=lambda node, prev, tap: {"h": 1 / (1 + np.exp(-node.a)) + prev.h * 0.5})
    assert not_analytic(logistic) == []


def test_what_is_zero_or_too_small_for_the_format_cannot_be_decided():
    case = draw(RNN)
    case = dataclasses.replace(case, params={**case.params, "W": np.zeros((4, 4))})
    assert "zero, or too small" in complex_step(RNN, case, names=["h0"])["h0"].cannot_decide


def test_in_a_chaotic_network_it_is_right_or_cannot_decide():
    """W of scale 4, T = 200: each place lost in 80 bits is seen, as the disturbed run differs."""
    estimate = complex_step(RNN, chaotic(RNN), names=["h0"])["h0"]
    assert "rounding can change it by as much" in estimate.cannot_decide
    assert norm(estimate.error) > 1e-6 * norm(estimate.value)


def test_agrees_where_the_gradient_has_exploded():
    """Down to η times a gradient of 1e180: an η of 1e-20 would be no small step any more."""
    identity = cells.get("rnn_identity")
    case = dataclasses.replace(draw(identity, "exploding", severity=90), x=1e-190 * draw(identity).x)
    truth = autodiff_gradients("rnn_identity", case)
    assert norm(truth["h0"]) > 1e150
    found = complex_step(identity, case, names=["h0"])
    if WIDE:
        assert_agree(found, truth, 1e-12)


def test_an_imaginary_step_that_is_not_small_is_seen(monkeypatch):
    monkeypatch.setattr(module, "widest_dtype", lambda: np.dtype(np.float64))
    identity = cells.get("rnn_identity")
    case = dataclasses.replace(draw(identity, "exploding", severity=12), x=1e-40 * draw(identity).x)
    truth = autodiff_gradients("rnn_identity", case)["h0"]
    found = complex_step(identity, case, names=["h0"])["h0"]
    assert norm(truth) > 1e20
    assert norm(found.value - truth) > 1e-3 * norm(truth)
    assert "rounding can change it" in found.cannot_decide


def test_works_in_complex128_where_the_platform_has_no_more(monkeypatch):
    monkeypatch.setattr(module, "widest_dtype", lambda: np.dtype(np.float64))
    case = draw(RNN, seed=2)
    assert_agree(complex_step(RNN, case), autodiff_gradients("rnn", case), 1e-12)
    for exponent in (-50, -250):
        case = vanished(RNN, exponent)
        assert_agree(complex_step(RNN, case, names=["h0"]), autodiff_gradients("rnn", case), 1e-12)
    # η times a gradient of 1e-300 is below the smallest number of float64.
    assert complex_step(RNN, vanished(RNN, -300), names=["h0"])["h0"].cannot_decide


def test_an_unknown_variable_is_named():
    with pytest.raises(ValueError, match=r"There is no variable Q; the variables are U, W, b, V, c, h0, x\."):
        complex_step(RNN, draw(RNN), names=["Q"])
