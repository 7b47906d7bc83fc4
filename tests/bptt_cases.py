"""Cases for the tests of backpropagation through time as a function, and how near two results have to be."""

import dataclasses

import numpy as np
import pytest

from manual_rnn import cells, loss_and_gradients
from manual_rnn.testing import Sizes
from manual_rnn.testing.strategies import cases
from thorough import cells_of_each_kind

CELLS = [cells.get(name) for name in cells.names()]
RNN = cells.get("rnn")
GENTLE = ("ordinary", "smallest", "logits", "saturated")
"""Families in which two orders of the same sums stay close, so that a tolerance can be small."""
SHAPES = (Sizes(1, 1, 1, 1, 2), Sizes(1, 3, 2, 4, 3), Sizes(5, 1, 3, 1, 2), Sizes(7, 4, 3, 2, 2), Sizes(8, 2, 3, 8, 5))
any_cell = pytest.mark.parametrize("cell", cells_of_each_kind())
smooth_cell = pytest.mark.parametrize("cell", cells_of_each_kind(cell.name for cell in CELLS if not cell.kinks))


def gentle(cell, **options):
    """Cases with weights of any kind, at which a right gradient moves by rounding alone."""
    return cases(cell, families=GENTLE, sizes=SHAPES, **({"dtypes": ["float64"]} | options))


def run(cell, case, **changed):
    arguments = {"params": case.params, "x": case.x, "y": case.y, "weights": case.weights, "initial": case.initial}
    return loss_and_gradients(cell, **(arguments | changed))


def one_hot(case):
    """The inputs of a case as dense rows, whichever they are."""
    return case.for_oracle()["x"]


def initial_gradients(cell):
    """The names of the gradients of the initial states."""
    return [f"{name}0" for name in cell.states]


def largest_flow(result, names):
    """The largest gradient of any node of any step."""
    return max(np.abs(result.node_gradients[name]).max() for name in names)


def nodes_of_steps(result):
    """The names of the nodes that have a row of units at every step: all but the weights that are made."""
    return [name for name in result.tape if result.tape[name].ndim == 3]


def with_tokens(case):
    s = case.spec.sizes
    tokens = np.random.default_rng(case.spec.seed).integers(0, s.n_in, (s.T, s.B))
    return dataclasses.replace(case, x=tokens)


def assert_close(ours, truth, units, scale=None):
    """To some units in the last place of the largest number of the array, or of ``scale``."""
    scale = np.abs(truth).max() if scale is None else scale
    eps, tiny = np.finfo(truth.dtype).eps, np.finfo(truth.dtype).tiny
    assert ours.shape == truth.shape
    assert np.abs(ours - truth).max() <= units * (eps * scale + tiny)


def assert_same(ours, truth):
    """Each array of two results, bit by bit."""
    assert ours.loss == truth.loss
    assert ours.gradients.keys() == truth.gradients.keys()
    for name, gradient in truth.gradients.items():
        np.testing.assert_array_equal(ours.gradients[name], gradient, err_msg=name, strict=True)
    for mine, theirs in ((ours.tape, truth.tape), (ours.node_gradients, truth.node_gradients)):
        assert set(mine) == set(theirs)
        for name in theirs:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name, strict=True)
