"""Forward mode: what jax.jvp says along a direction is the inner product of jax.grad with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from manual_rnn import cells
from oracle_cases import (
    NAMES,
    USUAL,
    autodiff_gradients,
    draw,
    manual_gradients,
    vanished,
    variables,
    well_conditioned,
)
from reference.forward_mode import forward_mode
from thorough import of_each_kind

RNN = cells.get("rnn")


def directions(case, n=4, seed=0):
    rng = np.random.default_rng(seed)
    arrays = {**case.params, **{f"{name}0": array for name, array in case.initial.items()}, "x": case.x}
    return [{name: rng.standard_normal(array.shape) for name, array in arrays.items()} for _ in range(n)]


@pytest.mark.parametrize("name", of_each_kind())
def test_agrees_with_the_gradient_along_random_directions(name):
    @settings(deadline=None, max_examples=10)
    @given(well_conditioned(name).filter(lambda case: case.spec.sizes == USUAL))
    def holds(case):
        along = directions(case)
        derivatives = forward_mode(name)(case.for_oracle(), along)
        for gradients in (autodiff_gradients(name, case), manual_gradients(cells.get(name), case)):
            for direction, derivative in zip(along, derivatives, strict=True):
                terms = np.concatenate([(gradients[v] * direction[v]).ravel() for v in variables(case)])
                # The sum may cancel, so what its rounding is in proportion to is the sum of the magnitudes.
                assert abs(derivative - terms.sum()) <= 1e-13 * np.abs(terms).sum()

    holds()


@pytest.mark.parametrize("exponent", [-50, -250])
def test_agrees_where_the_gradient_has_vanished(exponent):
    """Each unit vector of h(0) as a direction gives the whole of ∇h(0), which no finite difference can see."""
    case = vanished(RNN, exponent)
    truth = autodiff_gradients("rnn", case)["h0"]
    units = [{"h0": unit.reshape(truth.shape)} for unit in np.eye(truth.size)]
    found = forward_mode("rnn")(case.for_oracle(), units).reshape(truth.shape)
    assert np.abs(found - truth).max() <= 1e-12 * np.abs(truth).max()
    assert 0 < np.abs(truth).max() < 10.0**exponent


def test_a_wrong_order_in_time_is_seen():
    """∇x laid out in forward order instead of backward order: the same numbers, and another derivative."""
    case = draw(RNN)
    direction = {"x": directions(case)[0]["x"]}
    (derivative,) = forward_mode("rnn")(case.for_oracle(), [direction])
    x = autodiff_gradients("rnn", case)["x"]
    assert abs((x * direction["x"]).sum() - derivative) <= 1e-13 * np.abs(x * direction["x"]).sum()
    assert abs((x[::-1] * direction["x"]).sum() - derivative) > 1e-3 * np.abs(x * direction["x"]).sum()


def test_a_wrong_elementary_derivative_is_not_seen():
    """What the docstring says that it cannot see: both modes take tanh's derivative from the same rule."""

    @jax.custom_jvp
    def tanh(a):
        return jnp.tanh(a)

    tanh.defjvp(lambda primals, tangents: (jnp.tanh(*primals), *tangents))

    def step(p, prev, x, tap):
        a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
        return {"h": tap("h", tanh(a))}

    case = draw(RNN)
    direction = directions(case, 1)[0]
    (derivative,) = forward_mode(step)(case.for_oracle(), [direction])
    wrong, right = (
        sum((gradients[v] * direction[v]).sum() for v in NAMES)
        for gradients in (autodiff_gradients(step, case), autodiff_gradients("rnn", case))
    )
    assert derivative == pytest.approx(wrong, rel=1e-10)
    assert derivative != pytest.approx(right, rel=1e-3)


def test_what_stands_still_adds_nothing_and_no_direction_gives_no_derivative():
    case = draw(RNN)
    assert forward_mode("rnn")(case.for_oracle(), [{}]) == [0.0]
    assert forward_mode("rnn")(case.for_oracle(), []).shape == (0,)


def test_what_cannot_be_used_is_named():
    case = draw(RNN)
    with pytest.raises(ValueError, match="There is no reference step named 'elman'"):
        forward_mode("elman")
    with pytest.raises(ValueError, match=r"There is no variable Q; the variables are U, W, b, V, c, h0, x\."):
        forward_mode("rnn")(case.for_oracle(), [{"Q": np.zeros(1)}])
    with pytest.raises(ValueError, match="the reference has float32 and float64"):
        forward_mode("rnn")(case.astype(np.longdouble).for_oracle() | {"x": case.x.astype(np.longdouble)}, [{}])
