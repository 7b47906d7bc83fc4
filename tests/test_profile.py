"""Where in time an error lies: steps counted from both ends, in sequences of every length, and in parts."""

import numpy as np
import pytest

from manual_rnn.testing.profile import COLUMNS, EDGE, MIDDLE, NO_CASE, UNDECIDED, Profile, columns_of

LENGTHS = [2, 3, 5, 31, 32, 33, 40, 41, 100, 521]


@pytest.mark.parametrize("T", LENGTHS)
def test_every_step_has_a_column_and_their_order_is_kept(T):
    columns, starts = columns_of(T)
    assert starts[0] == 0
    assert columns[0] == 0
    assert columns[-1] == COLUMNS - 1
    assert (np.diff(columns) > 0).all()
    assert (np.diff(starts) > 0).all()


@pytest.mark.parametrize(("T", "from_end"), [(T, i) for T in LENGTHS for i in (0, 1, 2, EDGE - 1) if i < T // 2])
def test_a_step_near_an_end_has_a_column_of_its_own(T, from_end):
    for row, column in ((from_end, from_end), (T - 1 - from_end, COLUMNS - 1 - from_end)):
        profile = Profile()
        units = np.zeros((T, 2, 3))
        units[row, 1, 2] = 80.0
        profile.add(units, units < 0, 8.0, T, every_step=True)
        assert np.flatnonzero(profile.by_step == 10.0).tolist() == [column]
        assert profile.by_length == {T: (80.0, 8.0)}


def test_the_steps_between_fill_the_columns_between():
    columns, _ = columns_of(2 * EDGE + 3 * MIDDLE)
    assert columns.tolist() == list(range(COLUMNS))


def test_a_single_step_says_nothing_of_the_first_or_the_last():
    profile = Profile()
    profile.add(np.full((1, 1, 1), 80.0), np.full((1, 1, 1), False), 8.0, 1, every_step=True)
    assert (profile.by_step == NO_CASE).all()
    assert profile.by_length == {1: (80.0, 8.0)}


def test_what_is_not_decided_is_kept_apart_and_gives_way_to_what_is():
    profile = Profile()
    units = np.zeros((2, 1, 1))
    profile.add(units, np.full(units.shape, True), 8.0, 2, every_step=True)
    assert profile.by_step[[0, -1]].tolist() == [UNDECIDED, UNDECIDED]
    assert profile.by_length == {}
    profile.add(units, np.full(units.shape, False), 8.0, 2, every_step=True)
    assert profile.by_step[[0, -1]].tolist() == [0, 0]


def test_an_error_above_the_bound_is_shown_even_where_it_could_not_be_decided():
    profile = Profile()
    units = np.array([np.inf, 1.0]).reshape(2, 1, 1)
    profile.add(units, np.full(units.shape, True), 8.0, 2, every_step=True)
    assert profile.by_step[0] == np.inf
    assert profile.by_length[2][0] == np.inf


def test_the_parts_make_the_whole():
    rng = np.random.default_rng(0)
    whole, parts = Profile(), [Profile(), Profile()]
    for i, T in enumerate([1, 2, 7, 40, 40, 100]):
        units, undecided = rng.exponential(4, (T, 2, 3)), rng.random((T, 2, 3)) < 0.5
        for profile in (whole, parts[i % 2]):
            profile.add(units, undecided, 8.0 + T, T, every_step=True)
    parts[0].merge(parts[1])
    assert np.array_equal(parts[0].by_step, whole.by_step)
    assert parts[0].by_length == whole.by_length
