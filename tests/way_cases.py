"""Cases for the tests of the ways to the gradient: one of each cell, and how far two right sums may lie apart."""

import dataclasses

import numpy as np
import pytest

from manual_rnn import cells, loss_and_gradients
from manual_rnn.testing.families import build
from manual_rnn.testing.problem import Sizes, Spec
from thorough import of_each_kind

any_cell = pytest.mark.parametrize("name", of_each_kind())
SIZES = Sizes(9, 2, 3, 4, 3)


def draw(name, *, sizes=SIZES, dense=True, dtype="float64", seed=0, family=None, loss="softmax"):
    """A case with dense x or tokens, and a weight of its own for each loss."""
    cell = cells.get(name)
    family = family or ("away_from_kink" if cell.kinks else "ordinary")
    case = build(cell, Spec(family, sizes, dtype, seed, 50, loss))
    rng = np.random.default_rng(seed)
    T, B, n_in = sizes.T, sizes.B, sizes.n_in
    x = rng.standard_normal((T, B, n_in)).astype(dtype) if dense else rng.integers(0, n_in, (T, B))
    return dataclasses.replace(case, x=x, weights=rng.uniform(0.5, 1.5, (T, B)).astype(dtype))


def arguments(case, **changed):
    given = {"params": case.params, "x": case.x, "y": case.y, "weights": case.weights, "initial": case.initial}
    return given | {"loss": case.spec.loss, "inputs": True} | changed


def plain(name, case, **changed):
    return loss_and_gradients(cells.get(name), **arguments(case, **changed))


def off(found, truth):
    """By name, the largest difference relative to the largest number of the array; the names must be the same."""
    assert set(found) == set(truth)
    assert {name: found[name].shape for name in found} == {name: truth[name].shape for name in truth}
    return {name: float(np.abs(found[name] - truth[name]).max() / np.abs(truth[name]).max()) for name in truth}


def assert_close(found, truth, *, eps=1e-12):
    """Within ``eps`` of each array's largest number: the cases are small and tame, rounding makes 1e-15 or so."""
    assert max(off(found, truth).values()) <= eps, off(found, truth)


def assert_differ(found, truth, names):
    """By more than a thousandth in each of the named, by rounding in the others."""
    differ = {name for name, error in off(found, truth).items() if not error <= 1e-12}
    assert differ == set(names), off(found, truth)
    assert all(error > 1e-3 for name, error in off(found, truth).items() if name in differ), off(found, truth)
