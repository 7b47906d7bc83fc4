"""The states of all steps by Newton's method are those of the walk, for every cell, in far fewer rounds than steps."""

from itertools import pairwise

import numpy as np
import pytest

from manual_rnn import cells, ways
from manual_rnn.testing.problem import Sizes
from manual_rnn.ways import newton
from way_cases import any_cell, draw, plain

LONG = Sizes(60, 2, 3, 4, 3)


def found(name, case, **options):
    return ways.newton_states(cells.get(name), case.params, case.x, initial=case.initial, **options)


@any_cell
@pytest.mark.parametrize("dense", [False, True])
def test_are_the_states_of_the_walk(name, dense):
    case, cell = draw(name, sizes=LONG, dense=dense), cells.get(name)
    states, changes = found(name, case)
    truth = plain(name, case).tape
    for state in cell.states:
        walked = truth[cell.full(state)]
        assert np.abs(states[state] - walked).max() <= 1e-12 * np.abs(walked).max()
    assert len(changes) <= 30  # half of the steps; it takes about ten


def test_each_iteration_makes_one_step_more_exact_at_least():
    case = draw("rnn", sizes=LONG, family="chaotic")
    truth = plain("rnn", case).tape["h"]
    for k in (1, 5, 20):
        states, _ = found("rnn", case, iterations=k)
        np.testing.assert_allclose(states["h"][:k], truth[:k], rtol=1e-9, atol=1e-12)


def test_near_the_root_the_error_is_squared():
    _, changes = found("gru", draw("gru", sizes=LONG))
    small = [c for c in changes if 1e-13 < c < 1e-2]
    assert all(after <= 100 * before**2 + 1e-13 for before, after in pairwise(small))


def test_a_wrong_jacobian_converges_slower(monkeypatch):
    """Without J it is a fixed-point iteration: one step more is right in each round, and no more."""
    case, right = draw("rnn", sizes=LONG, family="chaotic"), newton.jacobians
    monkeypatch.setattr(newton, "jacobians", lambda *a: (0 * right(*a)[0], None))
    assert len(found("rnn", case, iterations=200)[1]) >= LONG.T


def test_no_iterations_are_named():
    with pytest.raises(ValueError, match="iterations is 0; expected a whole number of at least 1"):
        found("rnn", draw("rnn"), iterations=0)
