"""Sequential digits: what is drawn, what is held out, the floor, and the sentence without scikit-learn."""

import sys

import numpy as np
import pytest

from manual_rnn import cells, initialise, loss_and_gradients, tasks
from manual_rnn.optimisers import Adam
from manual_rnn.tasks import digits
from manual_rnn.tasks.learning import answers, learn
from manual_rnn.theory import floors

NAMES = ("digits_rows", "digits_permuted")
each = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def images():
    pytest.importorskip("sklearn", reason='scikit-learn is not installed: pip install "manual-rnn[digits]"')
    return digits.images()


def test_they_are_among_the_tasks():
    assert set(NAMES) < set(tasks.names())


@each
def test_without_scikit_learn_there_is_one_sentence(name, monkeypatch):
    digits.images.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"scikit-learn, which is not installed; .* \"manual-rnn\[digits\]\""):
        tasks.get(name)


@each
def test_what_is_drawn_is_an_image_and_its_digit(name, images):
    task, (pixels, of_class) = tasks.get(name), images
    batch = task.draw(50, seed=1)
    assert (task.n_in, task.n_out, batch.x.shape, batch.y.shape) == (1, 10, (64, 50, 1), (64, 50))
    order = np.arange(64) if name == "digits_rows" else np.random.default_rng(0).permutation(64)
    for shown, digit in zip(batch.x[..., 0].T, batch.y[-1], strict=True):
        same = (pixels[:, order] == shown).all(axis=1)
        assert same.any()
        assert (of_class[same] == digit).all()
    assert (batch.weights[:-1] == 0).all()
    assert batch.weights.sum() == pytest.approx(1)
    assert batch.x.min() == 0
    assert batch.x.max() == 1


def test_the_permuted_order_is_the_same_in_every_run(images):
    rows, permuted = (tasks.get(name).draw(3, seed=2).x for name in NAMES)
    assert not np.array_equal(rows, permuted)
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(permuted, axis=0))
    assert np.random.default_rng(0).permutation(64)[:5].tolist() == [16, 36, 27, 8, 44]


@each
def test_held_out_images_are_never_drawn_to_learn_from(name, images):
    task = tasks.get(name)
    assert task.held_out.held_out is None
    learnt, kept = ({one.tobytes() for one in part.draw(3000, seed=3).x[..., 0].T} for part in (task, task.held_out))
    assert not learnt & kept
    assert len(kept) == digits.APART  # each was drawn


@each
def test_classes_are_as_likely_and_the_floor_is_who_sees_nothing(name, images):
    task = tasks.get(name)
    assert task.floor == floors.classes(10) == np.log(10)
    counts = np.bincount(task.draw(20_000, seed=4).y[-1], minlength=10)
    assert ((counts - 2000) ** 2 / 2000).sum() < 27.9  # χ² of nine degrees of freedom: one in a thousand lies above
    params = {n: np.zeros_like(a) for n, a in initialise(cells.get("rnn"), n_in=1, n_hidden=2, n_out=10).items()}
    batch = task.draw(20, seed=5)
    result = loss_and_gradients(cells.get("rnn"), params, batch.x, batch.y, weights=batch.weights)
    assert result.loss == pytest.approx(task.floor)


@pytest.mark.parametrize(("name", "nats"), [("digits_rows", 0.104), ("digits_permuted", 0.006)])
def test_how_much_the_last_pixel_tells(name, nats, images):
    """Its information on the class, in the images that are learnt from: what the docstring calls a little."""
    pixels, of_class = images
    order = np.arange(64) if name == "digits_rows" else np.random.default_rng(0).permutation(64)
    last, of_class = (pixels[:-297, order[-1]] * 16).astype(int), of_class[:-297]
    joint = np.zeros((10, 17))
    np.add.at(joint, (of_class, last), 1)
    joint /= joint.sum(axis=1, keepdims=True) * 10
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    told = joint[joint > 0]
    assert (told * np.log(told / apart[joint > 0])).sum() == pytest.approx(nats, abs=0.001)


def test_learning_is_judged_by_the_images_held_out(images):
    task, cell = tasks.digits_rows(), cells.get("gru")
    params = initialise(cell, n_in=1, n_hidden=16, n_out=10, dtype=np.float32)
    found = learn(task, cell, params, updates=60, seed=0, lr=0.01, clip=1.0, optimiser=Adam(), every=60, sequences=400)
    judged = np.random.default_rng(np.random.SeedSequence(0).spawn(2)[1])
    kept = task.held_out.draw(400, seed=judged, dtype=np.float32)
    assert found.wrong[-1][1] == 1 - task.solved(answers(cell, params, kept.x), kept).mean()
    assert np.mean(found.losses[-10:]) < 0.9 * task.floor
