"""Pascanu's penalty: its gradient by hand against autodiff, which holds constant what the derivation does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_rnn import cells, initialise, loss_and_gradients, stack
from manual_rnn.vanishing_penalty import vanishing_penalty

SLOPES = {
    "rnn": lambda a: 1 - jnp.tanh(a) ** 2,
    "rnn_sigmoid": lambda a: jax.nn.sigmoid(a) * (1 - jax.nn.sigmoid(a)),
    "rnn_relu": lambda a: (a > 0).astype(a.dtype),
    "rnn_identity": jnp.ones_like,
}


def passed(name, *, T=6, B=3, n=4, seed=0, gain=1.0, dtype=np.float64, **options):
    cell, rng = cells.get(name), np.random.default_rng(seed)
    params = initialise(cell, n_in=2, n_hidden=n, n_out=3, seed=seed, gain=gain)
    params = {p: array.astype(dtype) for p, array in params.items()}
    x, y = rng.standard_normal((T, B, 2)).astype(dtype), rng.integers(0, 3, (T, B))
    return cell, params, loss_and_gradients(cell, params, x, y, **options)


def in_jax(name, W, result):
    """Ω of W, all else held constant."""
    with jax.enable_x64(True):
        later, slope = jnp.asarray(result.node_gradients["a"][1:]), SLOPES[name](jnp.asarray(result.tape["a"][:-1]))
        steps = np.any(np.asarray(later), axis=-1) & np.any(np.asarray(slope * (later @ W)), axis=-1)

        def omega(W):
            v, later_there = (slope * (later @ W))[steps], later[steps]
            ratio = jnp.linalg.norm(v, axis=-1) / jnp.linalg.norm(later_there, axis=-1)
            return ((ratio - 1) ** 2).sum() / slope.shape[1]

        value, gradient = jax.value_and_grad(omega)(jnp.asarray(W))
        return float(value), np.asarray(gradient)


@pytest.mark.parametrize("name", SLOPES)
@pytest.mark.parametrize("gain", [0.3, 3.0])
def test_it_is_what_autodiff_says(name, gain):
    cell, params, result = passed(name, gain=gain)
    penalty, gradient = vanishing_penalty(cell, params, result)
    theirs, their_gradient = in_jax(name, params["W"], result)
    assert penalty == pytest.approx(theirs, rel=1e-12)
    assert penalty > 0.01
    np.testing.assert_allclose(gradient, their_gradient, rtol=0, atol=1e-12 * np.abs(their_gradient).max())


@given(T=st.sampled_from((1, 2, 5)), B=st.sampled_from((1, 3)), n=st.sampled_from((1, 4)), seed=st.integers(0, 2**16))
def test_for_drawn_shapes_too(T, B, n, seed):
    cell, params, result = passed("rnn", T=T, B=B, n=n, seed=seed)
    penalty, gradient = vanishing_penalty(cell, params, result)
    theirs, their_gradient = in_jax("rnn", params["W"], result)
    assert penalty == pytest.approx(theirs, rel=1e-10, abs=1e-20)
    np.testing.assert_allclose(gradient, their_gradient, rtol=0, atol=1e-10 * max(np.abs(their_gradient).max(), 1e-9))


def test_an_orthogonal_linear_network_has_none_but_for_its_rounding():
    cell, rng = cells.get("rnn_identity"), np.random.default_rng(0)
    params = initialise(cell, n_in=2, n_hidden=5, n_out=3, seed=0)
    params["W"] = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    result = loss_and_gradients(cell, params, rng.standard_normal((8, 2, 2)), rng.integers(0, 3, (8, 2)))
    penalty, gradient = vanishing_penalty(cell, params, result)
    assert penalty < 1e-28
    assert np.abs(gradient).max() < 1e-13


def test_a_gradient_that_has_vanished_is_seen_all_the_same():
    """Lengths are divided out before anything is multiplied: 1e-30 has no square in float32."""
    cell, params, near = passed("rnn", T=40, B=2, gain=0.1, reduction="last", dtype=np.float32)
    smallest = np.abs(near.node_gradients["a"][0]).max()
    assert 0 < smallest < 1e-28
    penalty, gradient = vanishing_penalty(cell, params, near)
    wide = passed("rnn", T=40, B=2, gain=0.1, reduction="last")
    exact, of_exact = vanishing_penalty(cell, *wide[1:])
    assert penalty == pytest.approx(exact, rel=1e-4)
    np.testing.assert_allclose(gradient, of_exact, rtol=0, atol=1e-4 * np.abs(of_exact).max())


def test_a_step_of_it_lengthens_what_was_too_short():
    cell, params, result = passed("rnn", T=8, gain=0.3)
    before, gradient = vanishing_penalty(cell, params, result)
    after, _ = vanishing_penalty(cell, params | {"W": params["W"] - 0.01 * gradient}, result)
    assert after < before
    wrong, _ = vanishing_penalty(cell, params | {"W": params["W"] + 0.01 * gradient}, result)
    assert wrong > before  # a sign that is turned is seen


def test_steps_behind_the_last_loss_are_left_out():
    cell, params = cells.get("rnn"), initialise(cells.get("rnn"), n_in=2, n_hidden=4, n_out=3, seed=0)
    rng = np.random.default_rng(1)
    x, y, weights = rng.standard_normal((6, 2, 2)), rng.integers(0, 3, (6, 2)), np.zeros((6, 2))
    weights[2] = 1
    longer = loss_and_gradients(cell, params, x, y, weights=weights)
    shorter = loss_and_gradients(cell, params, x[:3], y[:3], weights=weights[:3])
    for ours, theirs in zip(*(vanishing_penalty(cell, params, r) for r in (longer, shorter)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_nothing_goes_back_from_a_step_that_begins_a_sequence():
    cell, params = cells.get("rnn"), initialise(cells.get("rnn"), n_in=2, n_hidden=4, n_out=3, seed=0)
    rng = np.random.default_rng(2)
    x, y, resets = rng.standard_normal((7, 2, 2)), rng.integers(0, 3, (7, 2)), np.zeros((7, 2), bool)
    resets[4] = True
    together = vanishing_penalty(cell, params, loss_and_gradients(cell, params, x, y, resets=resets))
    parts = [vanishing_penalty(cell, params, loss_and_gradients(cell, params, x[of], y[of]))
             for of in (slice(4), slice(4, None))]  # fmt: skip
    for ours, *theirs in zip(together, *parts, strict=True):
        np.testing.assert_allclose(ours, sum(theirs), rtol=1e-12)


def test_what_is_not_of_the_pass_is_named():
    cell, params, result = passed("rnn")
    other = initialise(cell, n_in=2, n_hidden=9, n_out=3)
    for arguments, sentence in [
        ((cell, other, result), r"params has a W \(9, 9\), and the result is of n_hidden = "),
        ((cell, {}, result), r"The cell 'rnn' has the parameters .* missing: U, W, b, V, c"),
        ((cell, params, None), r"result is of the type NoneType; expected the Result"),
        (("rnn", params, result), r"cell is of the type str; expected a Cell"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            vanishing_penalty(*arguments)


@pytest.mark.parametrize("name", ["lstm", "gru", "antisymmetric_rnn", "minimal_rnn", "rnn_orthogonal"])
def test_another_cell_is_refused_by_name(name):
    cell, params = cells.get(name), initialise(cells.get(name), n_in=2, n_hidden=3, n_out=3, seed=0)
    result = loss_and_gradients(cell, params, np.ones((3, 2, 2)), np.zeros((3, 2), int))
    with pytest.raises(ValueError, match=f"'{name}'"):
        vanishing_penalty(cell, params, result)


def test_a_lean_pass_and_a_deep_network_are_refused():
    cell, params, result = passed("rnn", every_node=False)
    with pytest.raises(ValueError, match="every_node=True"):
        vanishing_penalty(cell, params, result)
    with pytest.raises(ValueError, match="vanishing_penalty takes one cell"):
        vanishing_penalty(stack(cell, layers=2), params, result)
