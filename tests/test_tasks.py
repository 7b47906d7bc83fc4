"""The generators of the tasks: their statistics, a network that solves each exactly, and what is refused."""

import numpy as np
import pytest

import constructed
from manual_rnn import cells, loss_and_gradients, tasks
from manual_rnn.theory import floors

SIZES = {
    "adding_mean": {"length": 30}, "adding_scaled": {"length": 30}, "adding_sum": {"length": 30},
    "copying": {"delay": 12}, "delayed_xor": {"length": 30, "delay": 8}, "latch": {"length": 30},
    "temporal_order": {"length": 30}, "temporal_order_framed": {"length": 30},
}  # fmt: skip
SOLUTIONS = {
    **{name: lambda task: constructed.adding(task.name) for name in ("adding_mean", "adding_scaled", "adding_sum")},
    "copying": lambda task: constructed.copying(task, 12, 10),
    "delayed_xor": lambda task: constructed.delayed_xor(8),
    "latch": lambda task: constructed.latch(noise=5.0),
    "temporal_order": lambda task: constructed.temporal_order(task, 2),
    "temporal_order_framed": lambda task: constructed.temporal_order(task, 2),
}
GENERATED = [name for name in tasks.names() if not name.startswith("digits")]
"""All but those of images, which tests/test_digits.py has: they need scikit-learn."""
every_task = pytest.mark.parametrize("name", GENERATED)


def made(name):
    return tasks.get(name, **SIZES[name])


def run(task, params, batch):
    return loss_and_gradients(cells.get("rnn_relu"), params, batch.x, batch.y, weights=batch.weights, loss=task.loss)


def off(samples, expected):
    """How many standard errors the mean of samples is off."""
    return abs(samples.mean() - expected) / (samples.std(ddof=1) / np.sqrt(samples.size))


def test_every_task_is_tested_here():
    assert set(SIZES) == set(SOLUTIONS) == set(GENERATED)
    assert all(made(name).name == name for name in GENERATED)


@every_task
def test_is_solved_by_the_network_constructed_for_it(name):
    task = made(name)
    batch = task.draw(300, seed=1)
    result = run(task, SOLUTIONS[name](task), batch)
    assert task.solved(result.tape["o"], batch).all()
    assert result.loss < 1e-15


@pytest.mark.parametrize("make", [tasks.temporal_order, tasks.temporal_order_framed])
def test_three_symbols_are_solved_too(make):
    task = make(40, relevant=3)
    batch = task.draw(300, seed=2)
    result = run(task, constructed.temporal_order(task, 3), batch)
    assert task.solved(result.tape["o"], batch).all()
    assert task.n_out == 8
    assert task.floor == floors.temporal_order(3)


@every_task
def test_a_network_that_answers_the_mean_has_the_floor_for_its_loss(name):
    """Zero weights and a bias that is the best constant: the loss over many batches is the floor."""
    task, losses, rng = made(name), [], np.random.default_rng(3)
    params = constructed.empty(1, task.n_in, task.n_out)
    params["c"][:] = {"adding_sum": 1, "adding_mean": 0.5, "adding_scaled": 0.5}.get(name, 0)
    for _ in range(60):
        batch = task.draw(100, seed=rng)
        if name == "copying":  # when to be silent needs no memory of the symbols: the answers are what counts
            batch.weights[:-10] = 0
            params["c"][-1] = -700
        losses.append(run(task, params, batch).loss)
    if task.loss == "squared":
        assert off(np.array(losses), task.floor) < 3
    else:  # of classes as likely as each other the uniform answer's loss is the same for every draw
        np.testing.assert_allclose(losses, task.floor, rtol=1e-12)


@every_task
def test_is_reproducible_and_of_the_dtype_asked_for(name):
    task = made(name)
    one, same, other = task.draw(7, seed=4), task.draw(7, seed=np.random.default_rng(4)), task.draw(7, seed=5)
    assert all(np.array_equal(getattr(one, array), getattr(same, array)) for array in ("x", "y", "weights"))
    assert one.x.shape != other.x.shape or not np.array_equal(one.x, other.x)
    small = task.draw(7, seed=4, dtype=np.float32)
    assert small.weights.dtype == np.float32
    params = {n: p.astype(np.float32) for n, p in constructed.empty(2, task.n_in, task.n_out).items()}
    assert run(task, params, small).gradients["c"].dtype == np.float32


@every_task
def test_the_weights_are_those_of_the_mean_loss(name):
    task = made(name)
    total = task.draw(13, seed=0).weights.sum()
    assert total == pytest.approx(2 if task.loss == "squared" else 1)


def test_marks_of_adding_lie_where_the_source_says():
    T, B = 40, 4000
    for name, ranges in (
        ("adding_sum", ((0, 20), (20, 40))), ("adding_mean", ((0, 4), (4, 21))), ("adding_scaled", ((0, 20), (0, 20))),
    ):  # fmt: skip
        task = tasks.get(name, length=T)
        x = task.draw(B, seed=6).x
        marked = x[:, :, 1] == 1
        counts = marked.sum(axis=0)
        assert (counts == 2).all() if name != "adding_scaled" else set(counts) == {1, 2}
        two = marked[:, counts == 2]
        first, last = two.argmax(axis=0), len(x) - 1 - two[::-1].argmax(axis=0)
        for place, (low, high) in zip((first, last), ranges, strict=True):
            assert low <= place.min()
            assert place.max() < high
        if name != "adding_scaled":
            assert off(first.astype(float), (ranges[0][0] + ranges[0][1] - 1) / 2) < 3


def test_the_first_pair_of_hochreiters_adding_is_marked_as_often_as_the_floor_says():
    task, T = tasks.adding_scaled(40), 40
    x = task.draw(20_000, seed=7).x
    share = 0.1 + 0.9 / (T // 2 - 1)
    assert off(((x[:, :, 1] == 1).sum(axis=0) == 1).astype(float), share) < 3
    assert task.floor == floors.adding_scaled(share) == pytest.approx((1 - share / 2) / 24)
    assert (x[0, :, 1] == -1).all()
    lengths = (np.abs(x).sum(axis=-1) > 0)[::-1].argmax(axis=0)
    assert set(len(x) - lengths) == set(range(40, 45))  # T to T + T/10
    assert np.abs(x[:, :, 0]).max() <= 1


def test_the_symbols_of_temporal_order_lie_where_the_source_says():
    for task, begins, width in (
        (tasks.temporal_order(100), (10, 50), 10), (tasks.temporal_order(100, relevant=3), (10, 30, 60), 10),
        (tasks.temporal_order_framed(), (10, 50), 11), (tasks.temporal_order_framed(relevant=3), (10, 33, 66), 11),
    ):  # fmt: skip
        batch = task.draw(6000, seed=8)
        places = np.argwhere((batch.x < 2).T)[:, 1].reshape(6000, -1)
        for column, begin in zip(places.T, begins, strict=True):
            assert set(column) == set(range(begin, begin + width))
            assert off(column.astype(float), begin + (width - 1) / 2) < 3
        classes = batch.y[batch.weights > 0]
        counts = np.bincount(classes, minlength=task.n_out)
        expected = 6000 / task.n_out
        assert ((counts - expected) ** 2 / expected).sum() < task.n_out - 1 + 3 * np.sqrt(2 * (task.n_out - 1))
        if task.n_in == 8:
            ends = batch.weights.argmax(axis=0)
            assert set(ends) == set(range(99, 110))
            assert (batch.x[0] == 6).all()
            assert (batch.x[ends, np.arange(6000)] == 7).all()
            assert (batch.x[ends - 1, np.arange(6000)] != 7).all()


def test_copying_is_as_long_as_its_formula_says():
    batch = tasks.copying(5, symbols=3, length=2).draw(4, seed=9)
    shown = batch.x[:2]
    assert batch.x.shape == (9, 4)
    assert (batch.x[2:6] == 3).all()
    assert (batch.x[6] == 4).all()
    assert (batch.x[7:] == 3).all()
    assert (batch.y[:7] == 3).all()
    np.testing.assert_array_equal(batch.y[7:], shown)


def test_the_latch_is_noise_but_for_its_beginning():
    batch = tasks.latch(50, informative=2).draw(4000, seed=10)
    of_class = batch.y.sum(axis=0)[:, 0]
    np.testing.assert_array_equal(batch.x[:2, :, 0], np.tile(2 * of_class - 1, (2, 1)))
    assert off(of_class, 0.5) < 3
    assert off(batch.x[2:50].ravel() ** 2, 0.2) < 3
    assert off(batch.x[2:50].ravel(), 0) < 3


def test_delayed_xor_is_that_of_its_formula():
    batch = tasks.delayed_xor(20, delay=6).draw(50, seed=11)
    for t in range(6, 20):
        np.testing.assert_array_equal(batch.y[t], batch.x[t - 3] != batch.x[t - 6])
    assert (batch.weights[:6] == 0).all()
    assert set(np.unique(batch.x)) == {0.0, 1.0}


def test_solved_means_what_the_source_means():
    task = tasks.adding_mean(10)
    batch = task.draw(2, seed=12)
    at = batch.weights > 0
    o = np.full((*at.shape, 1), 9.0)  # what is answered where nothing is asked does not count
    o[at] = batch.y[at] + np.array([[0.19], [-0.21]])  # a squared error of .04 is one of .2
    assert list(task.solved(o, batch)) == [True, False]
    latch = tasks.latch(10)
    batch = latch.draw(2, seed=0)
    at = batch.weights > 0
    o = np.zeros((*at.shape, 1))
    sign = 2 * batch.y[at] - 1
    o[at] = sign * np.array([[1.39], [1.38]])  # σ(1.386) = .8
    assert list(latch.solved(o, batch)) == [True, False]
    with pytest.raises(ValueError, match=r"o has the shape \(1, 2\); expected \(T, B, n_out\)"):
        latch.solved(np.zeros((1, 2)), batch)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: tasks.get("adding"), "no task named 'adding'; the tasks are adding_mean, adding_scaled"),
        (lambda: tasks.adding_sum(1), "length is 1; it must be a whole number, 2 or more"),
        (lambda: tasks.adding_mean(9), "length is 9; .* 10 or more"),
        (lambda: tasks.adding_scaled(10), "length is 10; .* 11 or more"),
        (lambda: tasks.copying(0), "delay is 0"),
        (lambda: tasks.copying(5, symbols=0), "number of symbols is 0"),
        (lambda: tasks.temporal_order(9), "length is 9"),
        (lambda: tasks.temporal_order(20, relevant=4), "relevant is 4; the task has 2 or 3 symbols"),
        (lambda: tasks.latch(3), "length is 3; .* 4 or more"),
        (lambda: tasks.latch(10, informative=0), "number of informative steps is 0"),
        (lambda: tasks.delayed_xor(20, delay=5), "delay is 5; it must be even"),
        (lambda: tasks.delayed_xor(10, delay=10), "length is 10; .* 11 or more"),
        (lambda: tasks.adding_sum(10).draw(0, seed=0), "number of sequences is 0"),
        (lambda: floors.adding_scaled(1.5), "share of sequences whose first pair is marked is 1.5"),
    ],
)
def test_impossible_sizes_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
