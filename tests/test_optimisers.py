"""Each optimiser against steps computed by hand, and against what is known of it in closed form."""

import numpy as np
import pytest

from manual_rnn.optimisers import OPTIMISERS, SGD, Adagrad, Adam, decay_matrices


def updates(optimiser, gradients, *, start=1.0, lr=0.1):
    params = {"W": np.array([start])}
    for g in gradients:
        optimiser.update(params, {"W": np.array([g])}, lr)
    return params["W"][0]


def test_sgd_subtracts_the_gradient():
    assert updates(SGD(), [2.0, -1.0]) == pytest.approx(1 - 0.1 * 2 + 0.1 * 1, rel=1e-15)


def test_sgd_on_a_parabola_shrinks_by_the_same_factor_at_each_step():
    params = {"W": np.array([1.0])}
    for _ in range(20):
        SGD().update(params, {"W": 3 * params["W"]}, 0.1)  # the gradient of 3 θ²/2
    assert params["W"][0] == pytest.approx(0.7**20, rel=1e-13)


def test_adagrad_by_hand():
    # r: 4, then 4 + 9 = 13
    assert updates(Adagrad(epsilon=0), [2.0, 3.0]) == pytest.approx(1 - 0.1 - 0.3 / np.sqrt(13), rel=1e-15)


def test_adagrad_with_one_gradient_goes_as_the_sum_of_inverse_roots():
    moved = 1 - updates(Adagrad(epsilon=0), [5.0] * 30)
    assert moved == pytest.approx(0.1 * np.sum(1 / np.sqrt(np.arange(1, 31))), rel=1e-13)


def test_adam_by_hand():
    adam = Adam(beta_1=0.9, beta_2=0.99, epsilon=1e-8)
    m1, v1 = 0.1 * 2, 0.01 * 4
    m2, v2 = 0.9 * m1 + 0.1 * 3, 0.99 * v1 + 0.01 * 9
    first = 0.1 * (m1 / 0.1) / (np.sqrt(v1 / 0.01) + 1e-8)
    second = 0.1 * (m2 / (1 - 0.9**2)) / (np.sqrt(v2 / (1 - 0.99**2)) + 1e-8)
    assert updates(adam, [2.0, 3.0]) == pytest.approx(1 - first - second, rel=1e-13)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_adam_with_one_gradient_moves_by_lr_whatever_its_size(size):
    assert 1 - updates(Adam(epsilon=0), [size] * 25) == pytest.approx(25 * 0.1, rel=1e-12)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_updates_are_in_place_and_keep_the_dtype(name):
    W = np.ones((2, 3), np.float32)
    optimiser = OPTIMISERS[name]()
    gradient = np.full((2, 3), 0.5, np.float32)
    optimiser.update({"W": W}, {"W": gradient}, 0.01)
    assert W.dtype == np.float32
    assert (W < 1).all()
    np.testing.assert_array_equal(gradient, 0.5)
    assert all(array.dtype == np.float32 for kept in vars(optimiser).values() if isinstance(kept, dict)
               for array in kept.values())


def test_weight_decay_shrinks_the_matrices_and_leaves_the_vectors():
    params = {"W": np.full((2, 2), 3.0, np.float32), "b": np.full(2, 3.0, np.float32)}
    W = params["W"]
    decay_matrices(params, 0.25)
    np.testing.assert_array_equal(W, np.float32(2.25))
    assert W.dtype == np.float32
    np.testing.assert_array_equal(params["b"], 3)


def test_weight_decay_is_not_seen_by_the_averages_of_adam():
    """Where it is, as in Adam with an L2 penalty, a large and a small weight with the same gradient shrink alike."""
    def after(decayed):
        params, adam = {"W": np.array([[1.0, 100.0]])}, Adam()
        for _ in range(10):
            decayed(params, adam, {"W": np.ones((1, 2))})
        return params["W"][0]

    def apart(params, adam, gradients):
        decay_matrices(params, 0.01 * 0.5)
        adam.update(params, gradients, 0.01)

    def coupled(params, adam, gradients):
        adam.update(params, {"W": gradients["W"] + 0.5 * params["W"]}, 0.01)

    plain = after(lambda params, adam, gradients: adam.update(params, gradients, 0.01))
    # Adam moves both by 0.01 at each of ten updates, whatever the gradient's size: the factors act on that, too.
    factors = (1 - 0.005) ** np.arange(11)
    expected = np.array([1.0, 100.0]) * factors[10] - 0.01 * factors[:10].sum()
    np.testing.assert_allclose(after(apart), expected, rtol=1e-7)  # 1e-8 is Adam's ε
    assert np.abs(after(coupled) - plain).max() < 1e-2 < np.abs(after(apart) - plain).max()
