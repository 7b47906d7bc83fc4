"""The learning rate against the formula as nanoGPT's users know it, and the corners of it."""

import math

import numpy as np
import pytest

from manual_rnn.errors import UsageError
from manual_rnn.options import TrainingOptions
from manual_rnn.schedule import decay, learning_rate


def options(**changes):
    return TrainingOptions(**{"lr": 0.01, "steps": 100} | changes).filled()


def rates(told, done=lambda update, told: update / told.steps):
    return [learning_rate(told, update=k, done=done(k, told)) for k in range(told.steps or 100)]


def test_decays_go_from_one_to_zero_or_stay():
    assert [decay("constant", d) for d in (0, 0.5, 1)] == [1, 1, 1]
    assert [decay("linear", d) for d in (0, 0.25, 1)] == [1, 0.75, 0]
    np.testing.assert_allclose([decay("cosine", d) for d in (0, 1 / 3, 0.5, 1)], [1, 0.75, 0.5, 0], atol=1e-16)


def test_it_is_that_of_nanogpt():
    def get_lr(it, *, learning_rate=6e-4, warmup_iters=20, lr_decay_iters=100, min_lr=6e-5):
        if it < warmup_iters:
            return learning_rate * (it + 1) / (warmup_iters + 1)
        decay_ratio = (it - warmup_iters) / (lr_decay_iters - warmup_iters)
        coeff = 0.5 * (1.0 + math.cos(math.pi * decay_ratio))
        return min_lr + coeff * (learning_rate - min_lr)

    told = options(lr=6e-4, warmup=20, min_lr=6e-5, schedule="cosine")
    np.testing.assert_allclose(rates(told), [get_lr(it) for it in range(100)], rtol=1e-12)


def test_without_warmup_and_floor_it_is_what_it_was():
    for schedule in ("linear", "cosine", "constant"):
        assert rates(options(schedule=schedule)) == [0.01 * decay(schedule, k / 100) for k in range(100)]


def test_a_warmup_rises_by_equal_steps_to_the_peak():
    assert rates(options(warmup=3, schedule="constant"))[:5] == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01])


def test_by_seconds_the_schedule_counts_from_the_beginning():
    told = options(steps=None, seconds=9.0, warmup=10)
    assert rates(told, done=lambda update, _: update / 200)[10] == pytest.approx(0.01 * 0.95)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"warmup": -1}, "--warmup is -1; it must be zero or more"),
        ({"warmup": 100}, "--warmup is 100, but --steps is 100: no update would come after it"),
        ({"min_lr": -0.1}, r"--min-lr is -0\.1; it must be zero or more"),
        ({"min_lr": 0.1}, r"--min-lr is 0\.1, but --lr, which comes down to it, is 0\.01"),
        ({"min_lr": math.nan}, "--min-lr is nan"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        options(**changes)


def test_the_floor_is_held_against_the_default_peak_too():
    with pytest.raises(UsageError, match=r"--lr, which comes down to it, is 0\.004"):
        TrainingOptions(min_lr=0.01).filled()
