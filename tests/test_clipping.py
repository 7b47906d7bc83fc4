"""The norm, and what is done to a gradient that is too long or not finite."""

import numpy as np
import pytest

from manual_rnn.clipping import clip_by_norm, norm


def test_a_short_gradient_stays_as_it_is():
    gradients = {"W": np.array([[3.0, 0.0]]), "b": np.array([4.0])}
    clipped, before = clip_by_norm(gradients, 5.0)
    assert before == 5.0
    assert clipped["W"] is gradients["W"]


def test_a_long_gradient_is_scaled_as_a_whole_and_the_given_one_is_not_touched():
    gradients = {"W": np.array([[3.0, 0.0]]), "b": np.array([4.0])}
    clipped, before = clip_by_norm(gradients, 1.0)
    assert before == 5.0
    np.testing.assert_allclose(clipped["W"], [[0.6, 0.0]], rtol=1e-15)
    np.testing.assert_allclose(clipped["b"], [0.8], rtol=1e-15)
    np.testing.assert_array_equal(gradients["b"], [4.0])


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_norm_of_float32_neither_overflows_nor_underflows(scale):
    array = np.array([3, 4], np.float32) * np.float32(scale)
    assert norm(array) == pytest.approx(5 * scale, rel=1e-6)  # a few roundings of float32, whose unit is 1.2e-7
    clipped, _ = clip_by_norm({"W": array}, scale)
    assert clipped["W"].dtype == np.float32
    assert norm(clipped["W"]) == pytest.approx(scale, rel=1e-6)


def test_zero_and_infinity_as_limits_of_the_cases():
    assert clip_by_norm({"W": np.zeros(3)}, 1.0)[1] == 0
    assert clip_by_norm({"W": np.array([1e300])}, np.inf)[0]["W"][0] == 1e300


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_never_passes(bad):
    with pytest.raises(FloatingPointError, match=r"not finite; its norms are: W 5, b (nan|inf)"):
        clip_by_norm({"W": np.array([3.0, 4.0]), "b": np.array([1.0, bad])}, np.inf)
