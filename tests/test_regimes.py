"""The cases that a whole backward pass is judged on: scales are those of what an array is, not of its shape."""

import numpy as np
import pytest

from cs231n import cs231n
from manual_rnn import cells
from manual_rnn.testing import Layout, Sizes, Target, check_backward
from manual_rnn.testing.mistakes.replay import Replay
from manual_rnn.testing.passes.regimes import draw
from reference import autodiff
from right_passes import right_passes

SQUARE = Sizes(50, 2, 3, 3, 3)


def drawn(regime, **options):
    return draw(Target(backward=cs231n, against=autodiff("rnn"), **options), cells.get("rnn"), regime, SQUARE, 0)


def largest(array):
    return np.abs(array).max()


def test_only_the_recurrent_matrix_has_the_gain_of_the_regime_where_all_are_square():
    params = drawn("exploding").params
    np.testing.assert_allclose(np.linalg.norm(params["W"], 2), 10 ** (100 / 50))
    assert largest(params["U"]) < 1e-48
    assert largest(params["V"]) < 3
    assert largest(drawn("exploding", loss="random").params["U"]) < 1e-48


@pytest.mark.parametrize("loss", ["random", "some", "last"])
def test_what_goes_in_where_gradients_explode_is_small_and_the_gradients_of_its_factors_are_not(loss):
    case = drawn("exploding", loss=loss)
    assert 1e-104 < largest(case.x @ case.params["U"].T) < 1e-96
    grads = Replay.of(cells.get("rnn"), case).grads
    assert all(largest(grads[name]) > 1e15 for name in ("x", "U", "b", "h0"))
    assert loss == "last" or largest(grads["W"]) > 1e15  # what has grown, times what is still small


def test_of_shapes_of_ones_own_it_is_the_one_from_state_to_state():
    shapes = {"Wx": ("n_in", "n_hidden"), "Wh": ("n_hidden", "n_hidden"), "b": ("n_hidden",)}
    params = drawn("exploding", loss="random", layout=Layout(shapes=shapes)).params
    np.testing.assert_allclose(np.linalg.norm(params["Wh"], 2), 10 ** (100 / 50))
    assert largest(params["Wx"]) < 10


@pytest.mark.parametrize("form", ["softmax unshifted, last", "softmax one by one, mean"])
def test_no_softmax_is_saturated_where_gradients_explode(form):
    """1 − ŷ of a saturated one has lost its digits in one form and not in another."""
    report = check_backward(**right_passes()[form], seed=3000, regimes=["exploding"])
    assert report.agree, str(report)
