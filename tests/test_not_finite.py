"""A loss that is not finite is one sentence, whichever way the gradient is computed: which step, and why."""

import numpy as np
import pytest

from manual_rnn import cells, initialise, loss_and_gradients, stack
from manual_rnn.ways import checkpointed_bptt, hessian_vector, parallel_bptt, rtrl, truncated_bptt

T, B, N = 6, 2, 3
CELL = cells.get("rnn_identity")
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((T, B, N)), RNG.standard_normal((T, B, 2))

WAYS = {
    "bptt": loss_and_gradients,
    "truncated": lambda *given, **options: truncated_bptt(*given, k1=2, k2=3, **options),
    "checkpointed": lambda *given, **options: checkpointed_bptt(*given, block=2, **options),
    "rtrl": rtrl,
    "parallel": lambda *given, **options: parallel_bptt(*given, blocks=2, **options),
    "hessian": lambda *given, **options: hessian_vector(*given, {}, **options),
}

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
every_way = pytest.mark.parametrize("way", WAYS)


def params(**scales):
    theta = initialise(CELL, n_in=N, n_hidden=4, n_out=2, seed=0)
    return {name: scales.get(name, 1.0) * array for name, array in theta.items()}


@every_way
def test_a_state_that_leaves_the_format(way):
    # |h(t)| grows by about 1e80 a step, and 1e308 is the end: h(1) is of order one.
    with pytest.raises(FloatingPointError, match=r"^The state h is not finite from step 5 on, in sequence 0: "):
        WAYS[way](CELL, params(W=1e80), X, np.zeros((T, B), int))


@every_way
def test_a_loss_that_leaves_the_format(way):
    y = Y.copy()
    y[3, 1] = 1e200
    with pytest.raises(FloatingPointError, match=r"is inf: that of step 4 of sequence 1 is not finite, with "):
        WAYS[way](CELL, params(), X, y, loss="squared")


@every_way
def test_a_weight_of_zero_does_not_leave_an_infinite_loss_out(way):
    y, weights = Y.copy(), np.ones((T, B))
    y[3, 1], weights[3, 1] = 1e200, 0
    with pytest.raises(FloatingPointError, match=r"is nan: that of step 4 of sequence 1 .* leaves out no step"):
        WAYS[way](CELL, params(), X, y, loss="squared", weights=weights)


@every_way
def test_a_sum_that_leaves_the_format(way):
    y = np.full((T, B, 2), 1e154)
    y[..., 1] = 0
    with pytest.raises(FloatingPointError, match=r"is inf: those of the steps are finite, their sum is not"):
        WAYS[way](CELL, params(), X, y, loss="squared", weights=np.full((T, B), 1.0))


def test_a_layer_that_goes_back_in_time_says_so():
    network = stack(CELL, bidirectional=True)
    theta = initialise(network, n_in=N, n_hidden=4, n_out=2, seed=0)
    theta = {name: (1e80 if name == "layer1_reverse.W" else 1) * array for name, array in theta.items()}
    with pytest.raises(FloatingPointError, match=r"The state layer1_reverse\.h is not finite from step 2 back, in"):
        loss_and_gradients(network, theta, X, Y, loss="squared")
