"""The Hessian–vector product by hand against jax.jvp of jax.grad, for every cell; mistakes planted in its rules."""

import numpy as np
import pytest

from manual_rnn import cells, ways
from manual_rnn.activations import sigmoid
from manual_rnn.ways import tangent
from manual_rnn.ways.tangent import Dual
from reference import autodiff
from reference import hessian_vector as of_autodiff
from way_cases import any_cell, arguments, assert_close, draw, off, plain


def direction(case, *, seed=1, x=True):
    rng = np.random.default_rng(seed)
    moving = {**case.params, **{f"{name}0": h for name, h in case.initial.items()}, **({"x": case.x} if x else {})}
    return {name: rng.standard_normal(array.shape).astype(case.dtype) for name, array in moving.items()}


def found(name, case, along, **changed):
    return ways.hessian_vector(cells.get(name), direction=along, **arguments(case, **changed))


def inner(a, b):
    return sum((a[name] * b[name]).sum() for name in a)


@any_cell
def test_is_what_autodiff_gives(name):
    case = draw(name)
    along = direction(case)
    truth = of_autodiff(autodiff(name))(case.for_oracle(), along)
    ours = found(name, case, along)
    assert_close(ours.product, {variable: truth[variable] for variable in ours.product})


@any_cell
def test_is_what_autodiff_gives_for_tokens(name):
    case = draw(name, dense=False)
    along = direction(case, x=False)
    one_hot = case.for_oracle()
    truth = of_autodiff(autodiff(name))(one_hot, {**along, "x": np.zeros_like(one_hot["x"])})
    ours = found(name, case, along)
    assert_close(ours.product, {variable: truth[variable] for variable in ours.product})


@any_cell
def test_loss_and_gradient_are_those_of_bptt_and_the_slope_is_their_product(name):
    case = draw(name)
    along, truth = direction(case), plain(name, case)
    ours = found(name, case, along)
    assert list(ours.gradients) == list(ours.product) == list(truth.gradients)
    assert_close(ours.gradients, truth.gradients, eps=1e-13)
    assert ours.loss == pytest.approx(truth.loss, rel=1e-14)
    assert abs(ours.slope - inner(truth.gradients, along)) <= 1e-13 * sum(
        np.abs(truth.gradients[name] * along[name]).sum() for name in along
    )


@any_cell
def test_the_hessian_is_symmetric(name):
    case = draw(name)
    u, v = direction(case, seed=1), direction(case, seed=2)
    of_u, of_v = found(name, case, u).product, found(name, case, v).product
    size = sum(np.abs(u[variable] * of_v[variable]).sum() for variable in u)
    assert abs(inner(u, of_v) - inner(v, of_u)) <= 1e-12 * size


def test_it_is_linear_in_the_direction_and_what_is_not_named_stands_still():
    case = draw("lstm_peephole")
    along = direction(case)
    whole = found("lstm_peephole", case, along).product
    parts = [found("lstm_peephole", case, {name: array}).product for name, array in along.items()]
    assert_close({name: sum(part[name] for part in parts) for name in whole}, whole)
    nothing = found("lstm_peephole", case, {}).product
    assert not any(array.any() for array in nothing.values())


@pytest.mark.parametrize("dtype", ["float32", "longdouble"])
@pytest.mark.parametrize("name", ["lstm_peephole", "rnn_orthogonal", "rnn_relu"])
def test_every_dtype_stays_what_it_is(name, dtype):
    case = draw(name).astype(dtype)
    ours = found(name, case, direction(draw(name)))
    arrays = [*ours.gradients.values(), *ours.product.values()]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    assert "x" not in found(name, case, {}, inputs=False).product


# Planted mistakes


def wrong_names(name, case, along):
    truth = of_autodiff(autodiff(name))(case.for_oracle(), along)
    ours = found(name, case, along).product
    return {variable for variable, error in off(ours, {n: truth[n] for n in ours}).items() if error > 1e-3}


EVERYTHING = {"U", "W", "b", "V", "c", "h0", "x"}


def half_a_product(f, u, v):
    return u.tangent @ tangent.value_of(v) if isinstance(u, tangent.Dual) else np.zeros_like(f)


@pytest.mark.parametrize("mistake", [
    lambda p: p.setitem(tangent.SLOPES, np.tanh, lambda v, f: 1 - f),
    lambda p: p.setitem(tangent.OF_TWO, np.matmul, half_a_product),
    lambda p: p.setitem(tangent.OF_TWO, np.subtract, lambda f, u, v: tangent.tangent_of(u) + tangent.tangent_of(v)),
], ids=["tanh", "half a product", "sign of a difference"])  # fmt: skip
def test_a_wrong_rule_is_seen(mistake, monkeypatch):
    case = draw("rnn")
    along = direction(case)
    assert wrong_names("rnn", case, along) == set()
    mistake(monkeypatch)
    assert {"W", "U", "b", "h0"} <= wrong_names("rnn", case, along) <= EVERYTHING


# Numbers with a tangent


@pytest.mark.parametrize("function", [
    np.tanh, np.exp, np.log, np.log1p, np.expm1, np.sqrt, np.square, np.reciprocal, np.sin, np.cos, np.sinh, np.cosh,
    np.absolute, np.sign, np.negative, np.positive, sigmoid, lambda v: v**3, lambda v: 2 / v, lambda v: v / 3,
    lambda v: 1 - v, lambda v: np.maximum(v, 0.5), lambda v: np.minimum(0.5, v), lambda v: np.where(v > 0.5, v * v, 0),
    lambda v: v @ v.T, lambda v: (np.outer(v[0], v[1]) * v.sum()).reshape(-1),
])  # fmt: skip
def test_the_tangent_is_the_derivative(function):
    """By the central difference, whose error is of the order of 1e-10 here."""
    rng = np.random.default_rng(0)
    v, along = rng.uniform(0.2, 0.9, (3, 3)), rng.standard_normal((3, 3))
    h = 1e-5
    ours = function(Dual(v, along))
    np.testing.assert_array_equal(ours.value, function(v))
    difference = (function(v + h * along) - function(v - h * along)) / (2 * h)
    np.testing.assert_allclose(ours.tangent, difference, rtol=1e-7, atol=1e-8)


def test_a_sigmoid_far_out_has_no_slope_and_is_a_number():
    a = np.array([-1000.0, -100.0, 0.0, 100.0, 1000.0])
    found = sigmoid(Dual(a, np.ones(5)))
    np.testing.assert_allclose(found.tangent, [0, np.exp(-100), 0.25, np.exp(-100), 0], rtol=1e-14)


def test_what_has_no_rule_is_refused():
    v = Dual(np.ones(2), np.ones(2))
    with pytest.raises(TypeError):
        np.arctan(v)
    with pytest.raises(TypeError):
        np.cumsum(v)
    with pytest.raises(TypeError, match="its tangent would be lost"):
        np.asarray(v)


# Bad input


@pytest.mark.parametrize(("along", "dense", "sentence"), [
    ({"Q": np.zeros(2)}, True, r"direction has Q; the variables that may move are .*h0, x\."),
    ({"x": np.zeros(2)}, False, r"direction has x; the variables that may move are .*h0 \(token ids do not\)\."),
    ({"W": np.zeros(2)}, True, r"direction\['W'\] has the shape \(2,\); expected that of the variable, \(4, 4\)\."),
    ({"W": [0.0]}, True, r"direction\['W'\] is of the type list; expected a plain NumPy array\."),
    ({"W": np.full((4, 4), np.nan)}, True, r"direction\['W'\] is not finite: 16 of 16 entries"),
    ({"W": np.full((4, 4), "1")}, True, r"direction\['W'\] has the dtype <U1; expected numbers\."),
    ({"W": np.full((4, 4), 1j)}, True, r"direction\['W'\] has the dtype complex128; expected real numbers"),
    (3, True, r"direction is of the type int; expected a mapping: "),
])  # fmt: skip
def test_a_direction_that_does_not_fit_is_named(along, dense, sentence):
    with pytest.raises(ValueError, match=sentence):
        found("rnn", draw("rnn", dense=dense), along)
