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


def chaotic(gain, steps, n=8):
    """A network whose products of Jacobians leave the format within the steps; and its noise."""
    rng = np.random.default_rng(0)
    params = {"W": gain * rng.standard_normal((n, n)) / n**0.5, "U": 0.5 * np.eye(n), "b": np.zeros(n)}
    return params | {"V": np.zeros((1, n)), "c": np.zeros(1)}, rng.standard_normal((steps, 1, n))


def test_a_step_beyond_the_format_begins_again():
    params, x = chaotic(gain=30.0, steps=300)
    rnn = cells.get("rnn")
    early, _ = ways.newton_states(rnn, params, x, iterations=2)
    assert np.isfinite(early["h"]).all()  # a product of 300 such matrices is beyond 1e308
    states, changes = ways.newton_states(rnn, params, x, iterations=301, tolerance=1e-10)
    assert changes[-1] <= 1e-10
    before = np.concatenate([np.zeros((1, 8)), states["h"][:-1, 0]])
    np.testing.assert_allclose(states["h"][:, 0], np.tanh(before @ params["W"].T + 0.5 * x[:, 0]), atol=1e-12)


def test_the_tolerance_ends_it_where_the_error_left_is_its_square():
    case = draw("gru", sizes=LONG)
    truth = plain("gru", case).tape["h"]
    runs = {tolerance: found("gru", case, tolerance=tolerance) for tolerance in (0.3, 1e-5, None)}
    counts = [len(changes) for _, changes in runs.values()]
    assert counts == sorted(set(counts))
    largest = np.abs(truth).max()
    for tolerance in (0.3, 1e-5):
        assert runs[tolerance][1][-1] <= tolerance * largest < min(runs[tolerance][1][:-1])
    assert np.abs(runs[1e-5][0]["h"] - truth).max() <= 1e-8 * largest


def test_in_chaos_a_tolerance_is_met_long_before_roundings_have_died_out():
    params, x = chaotic(gain=1.7, steps=150, n=24)
    loose, tight = (
        len(ways.newton_states(cells.get("rnn"), params, x, iterations=151, tolerance=tolerance)[1])
        for tolerance in (1e-10, None)
    )
    assert loose < 0.7 * tight


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"iterations": 0}, "iterations is 0; expected a whole number of at least 1"),
        ({"tolerance": -1e-9}, "tolerance is -1e-09; expected a number from 0 to below 1"),
        ({"tolerance": float("nan")}, "tolerance is nan; expected"),
    ],
)
def test_impossible_options_are_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        found("rnn", draw("rnn"), **options)


@pytest.mark.parametrize(("changed", "sentence"), [
    ({"x": [[0, 1]]}, "x is of the type list; expected a plain NumPy array"),
    ({"x": np.array([0, 1])}, r"x holds integers, so it is token ids of shape \(T, B\); its shape is \(2,\)"),
    ({"tolerance": "1e-3"}, "tolerance is '1e-3'; expected a number from 0"),
])  # fmt: skip
def test_inputs_that_do_not_fit_are_named(changed, sentence):
    case = draw("rnn")
    with pytest.raises(ValueError, match=sentence):
        ways.newton_states(cells.get("rnn"), **{"params": case.params, "x": case.x, **changed})
