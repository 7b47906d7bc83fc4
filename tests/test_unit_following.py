"""Units that are made to follow something are told to follow it, and the others are not."""

import numpy as np
import pytest

from manual_rnn import cells
from manual_rnn.initialisation import initialise
from manual_rnn.network import stack
from manual_rnn.unit_following import by_reading, following, readings, share, states

LINES = ['He said "yes, I do" and left.', "A (very small [and old]) cat.", 'Then "no", she cried (twice).', "The end"]
TEXT = "\n".join(LINES[k % 4] * (1 + k % 3) for k in range(60)) + "\n"


@pytest.mark.parametrize("name", readings(""))
def test_a_unit_that_is_a_reading_follows_it_and_noise_does_not(name):
    labels = readings(TEXT)[name].astype(float)
    noise = np.random.default_rng(0).normal(size=len(TEXT))
    spread = labels.std()
    first, second, third = following(np.stack([labels, noise, labels + noise * spread / 2], axis=1), TEXT)
    assert first.best == name
    assert first.shares[name] == pytest.approx(1)
    assert second.best is None
    assert max(second.shares.values()) < 0.05
    assert third.shares[name] == pytest.approx(0.8, abs=0.04)  # the variance is 1 + 1/4


def test_the_readings_of_a_line():
    read = readings('a "b" (c)\nd')
    assert read["line position"].tolist() == [*range(10), 0]
    assert read["inside quotes"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert read["bracket depth"].tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0]
    assert "".join(map(chr, read["character before"])) == '\na "b" (c)\n'
    assert readings('a "b\n\nc')["inside quotes"].tolist() == [0, 0, 1, 1, 1, 0, 0]  # an empty line ends it


def test_details_say_how():
    read = readings(TEXT)
    space = np.array([float(c == " ") for c in TEXT])
    found = following(np.stack([space, -space, -read["line position"], -read["inside quotes"]], axis=1), TEXT)
    assert [one.name for one in found] == [
        "character 1.00: space high", "character 1.00: space low", "line position 1.00: falls",
        "inside quotes 1.00: low inside",
    ]  # fmt: skip
    assert [one.unit for one in by_reading(found)] == [2, 3, 0, 1]


def test_constant_units_and_short_texts():
    (one,) = following(np.full((len(TEXT), 1), np.float32(0.1)), TEXT)
    assert (one.name, one.shares) == ("constant", {})
    assert following(np.array([[0.5]]), "a")[0].name == "constant"
    assert np.isnan(share(np.array([[0.0], [1.0]]), np.array([0, 1]))).all()  # as many labels as characters
    with pytest.raises(ValueError, match="one row a character"):
        following(np.zeros((3, 1)), "ab")
    with pytest.raises(ValueError, match="not all finite"):
        following(np.array([[np.nan], [0]]), "ab")


def test_the_share_of_unrelated_labels_is_about_nothing_however_many():
    rng = np.random.default_rng(1)
    found = share(rng.normal(size=(1000, 200)), rng.integers(0, 100, 1000))
    assert found.mean() < 0.02  # the plain ratio η² would be 0.1


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_states_are_those_of_the_pass_step_by_step(cell):
    network = stack(cells.get(cell), layers=2)
    params = initialise(network, n_in=4, n_hidden=5, n_out=4, seed=0)
    ids = np.random.default_rng(0).integers(0, 4, 5000)  # more than one tape
    top = network.cells[-1]
    whole = states(network, params, ids, top, top.states[-1])
    assert whole.shape == (5000, 5)
    short = states(network, params, ids[:7], top, top.states[-1])
    np.testing.assert_allclose(whole[:7], short, rtol=1e-12)
    assert (np.abs(whole) <= 1).all()
    assert not (whole[4096] == states(network, params, ids[4096:], top, top.states[-1])[0]).all()
