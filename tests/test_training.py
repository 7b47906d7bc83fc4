"""The training loop: it learns, it is the same for the same seed, and its numbers are what they say."""

import numpy as np
import pytest

from manual_rnn import cells, evaluation, stack, training
from manual_rnn.dropout import draw_masks
from manual_rnn.errors import RunError, UsageError
from manual_rnn.evaluation import last_ids, mean_nats
from manual_rnn.gradients import loss_and_gradients
from manual_rnn.optimisers import SGD
from manual_rnn.options import TrainingOptions
from manual_rnn.text import Vocabulary, split
from manual_rnn.windows import Window, Windows
from thorough import of_each_kind

# After an "a" comes "b" or "c", in turn: who remembers only the last character loses ln 2 at every other step.
TEXT = "abac" * 100
BIGRAM_ENTROPY = np.log(2) / 2


def options(**changes):
    return TrainingOptions(**{"hidden": 12, "seq_len": 10, "batch": 3, "steps": 40, "dtype": "float64"} | changes)


def prepared(told, text=TEXT):
    vocabulary = Vocabulary.of(text)
    ids = vocabulary.encode(text)
    learnt, kept = split(ids)
    windows = Windows.of(learnt, T=told.seq_len, B=told.batch)
    return training.start(told, len(vocabulary)), windows, last_ids(ids, len(kept))


def trained(told, text=TEXT, **callbacks):
    model, windows, validation = prepared(told, text)
    return model, training.run(model, windows, validation, told, **callbacks)


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_it_learns_what_needs_memory(optimizer):
    _, metrics = trained(options(steps=300, optimizer=optimizer, lr=None))
    assert metrics.val_nats < BIGRAM_ENTROPY / 3
    assert metrics.val_bits_per_char == pytest.approx(metrics.val_nats / np.log(2))


@pytest.mark.parametrize("cell", of_each_kind())
def test_every_cell_trains(cell):
    # What the antisymmetric network holds it adds to, a tenth at a step, and never forgets: it learns slowly here.
    slower = {"steps": 1000, "lr": 0.05} if cell == "antisymmetric_rnn" else {}
    _, before = trained(options(cell=cell, steps=1))
    _, after = trained(options(**{"cell": cell, "steps": 200} | slower))
    assert after.val_nats < before.val_nats / 2


def test_the_seed_decides_every_bit():
    (one, first), (two, second), (other, _) = (trained(options(seed=s, dtype="float32")) for s in (5, 5, 6))
    assert first.val_nats == second.val_nats
    for name, array in one.params.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, two.params[name])
    assert (one.params["W"] != other.params["W"]).all()


def test_the_state_carried_from_window_to_window_is_one_long_unroll():
    told = options(seq_len=7)
    model, windows, _ = prepared(told)
    K = windows.per_epoch
    steps = [training.one_update(model, windows[k], lr=0.0, clip=1.0) for k in range(K)]
    x, y = windows.x[: K * told.seq_len], windows.y[: K * told.seq_len]
    whole = loss_and_gradients(model.network, model.params, x, y, reduction="mean")
    # A mean of means of equal parts; in float64 some hundred terms round to a few units of 1e-16.
    assert np.mean([step.nats for step in steps]) == pytest.approx(whole.loss, rel=1e-13)
    np.testing.assert_allclose(model.state["h"], whole.state["h"], rtol=0, atol=1e-13)

    training.one_update(model, windows[K], lr=0.0, clip=1.0)
    fresh = loss_and_gradients(model.network, model.params, windows[K].x, windows[K].y)
    np.testing.assert_array_equal(model.state["h"], fresh.state["h"])


@pytest.mark.parametrize("at_once", [1, 7, 4096])
def test_the_validation_loss_is_the_mean_over_the_whole_set(monkeypatch, at_once):
    model, _, (x, y) = prepared(options())
    assert len(y) == len(TEXT) // 10
    monkeypatch.setattr(evaluation, "AT_ONCE", at_once)
    direct = loss_and_gradients(model.network, model.params, x[:, None], y[:, None], reduction="mean").loss
    assert mean_nats(model.network, model.params, x, y) == pytest.approx(direct, rel=1e-13)


def test_validation_predicts_each_character_of_the_last_tenth():
    ids = np.arange(50)
    x, y = last_ids(ids, 5)
    np.testing.assert_array_equal(y, [45, 46, 47, 48, 49])
    np.testing.assert_array_equal(x, y - 1)


def test_one_update_is_the_clipped_gradient_times_the_learning_rate():
    model, windows, _ = prepared(options())
    model.optimiser = SGD()
    before = {name: array.copy() for name, array in model.params.items()}
    window = windows[0]
    result = loss_and_gradients(model.network, before, window.x, window.y, reduction="mean")
    step = training.one_update(model, window, lr=0.1, clip=0.01)
    squares = sum(np.sum(result.gradients[name] ** 2) for name in before)
    assert step.grad_norm == pytest.approx(np.sqrt(squares), rel=1e-13)
    for name, array in before.items():
        expected = array - 0.1 * (0.01 / step.grad_norm) * result.gradients[name]
        np.testing.assert_allclose(model.params[name], expected, rtol=1e-12, atol=1e-15)


def test_metrics_come_at_each_evaluation_and_at_the_end():
    lines = []
    steps = []
    told = options(steps=10, eval_every=4)
    _, last = trained(told, on_evaluation=lines.append, on_step=lambda step, done: steps.append((step, done)))
    assert [line.update for line in lines] == [4, 8, 10]
    assert lines[-1] is last
    assert lines[1].train_nats == pytest.approx(np.mean([step.nats for step, _ in steps[4:8]]))
    assert lines[1].grad_norm == pytest.approx(np.mean([step.grad_norm for step, _ in steps[4:8]]))
    assert [done for _, done in steps] == [k / 10 for k in range(1, 11)]


def test_seconds_end_the_training():
    _, metrics = trained(options(steps=None, seconds=0.2))
    assert metrics.update > 1
    assert metrics.seconds >= 0.2


def test_a_gradient_that_overflows_ends_the_training_and_says_where_and_what_to_try():
    told = options(cell="rnn_identity", gain=1e200)
    with pytest.raises(RunError, match=r"Training failed at update 1: .*try a smaller --lr"):
        trained(told)


def test_the_update_before_the_failure_is_told():
    told = options(cell="rnn_relu", lr=1e150, clip=np.inf, optimizer="sgd", schedule="constant")
    with pytest.raises(RunError, match=r"update 2: .*The update before had the loss 1\.\d+ and a gradient of norm"):
        trained(told)


def test_an_update_that_overflows_is_a_failure():
    told = options(lr=1e300, dtype="float32")
    with pytest.raises(RunError, match=r"at update 1: .*W.* overflowed; the norm of the gradient was"):
        trained(told)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cell": "gpt"}, r"--cell is 'gpt'; the cells are antisymmetric_rnn, gru, "),
        ({"hidden": 0}, "--hidden is 0; it must be at least 1"),
        ({"seq_len": -1}, "--seq-len is -1"),
        ({"batch": 0}, "--batch is 0"),
        ({"steps": 0}, "--steps is 0"),
        ({"eval_every": 0}, "--eval-every is 0"),
        ({"lr": 0.0}, r"--lr is 0\.0; it must be a positive, finite number"),
        ({"lr": np.nan}, "--lr is nan"),
        ({"lr": np.inf}, "--lr is inf"),
        ({"clip": -1.0}, "--clip is -1"),
        ({"clip": np.nan}, "--clip is nan"),
        ({"gain": 0.0}, "--gain is 0"),
        ({"init": "magic"}, "--init is 'magic'; it is one of gaussian, glorot"),
        ({"init": "identity", "cell": "rnn_orthogonal"}, "--init is 'identity', but the cell 'rnn_orthogonal' makes"),
        ({"forget_bias": 1.0}, r"--forget-bias is 1\.0, but the cell 'rnn' has no gate that keeps its state"),
        ({"chrono": 1, "cell": "lstm"}, "--chrono is 1; it is the length of the longest memory"),
        ({"chrono": 9, "forget_bias": 1.0, "cell": "gru"}, "--forget-bias and --chrono exclude each other"),
        ({"steps": None, "seconds": 0.0}, "--seconds is 0"),
        ({"seconds": 1.0}, "--steps and --seconds exclude each other"),
        ({"seed": -1}, "--seed is -1"),
        ({"accumulate": 0}, "--accumulate is 0; it must be at least 1"),
        ({"patience": 0}, "--patience is 0; it must be at least 1"),
        ({"weight_decay": -0.1}, r"--weight-decay is -0\.1; it must be zero or more"),
        ({"weight_decay": np.inf}, "--weight-decay is inf; it must be zero or more"),
        ({"weight_decay": 200.0, "lr": 0.01}, "product, which must be less than 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        options(**changes)


def test_defaults_that_hang_on_others_are_put_in():
    assert TrainingOptions().filled().steps == 2000
    assert TrainingOptions(seconds=3).filled().steps is None
    assert TrainingOptions(optimizer="sgd").filled().lr == SGD.default_lr
    assert TrainingOptions(lr=0.5).filled().lr == 0.5


def test_layers_and_dropout_repeat_themselves_and_start_alike():
    told = options(layers=2, dropout=0.5, cell="gru", steps=3)
    (first, a), (second, b) = trained(told), trained(told)
    assert a.val_nats == b.val_nats
    for name, array in first.params.items():
        np.testing.assert_array_equal(array, second.params[name])
    without = options(layers=2, cell="gru", steps=3)
    assert trained(without)[1].val_nats != a.val_nats
    for name, array in prepared(without)[0].params.items():
        np.testing.assert_array_equal(prepared(told)[0].params[name], array)


def test_a_mask_leaves_out_its_rate_and_keeps_the_mean():
    network = stack(cells.get("rnn"), layers=3)
    masks = draw_masks(network, np.random.default_rng(0), 0.25, T=50, B=20, n_hidden=40, dtype=np.float32)
    assert list(masks) == ["layer2.x", "layer3.x"]
    for mask in masks.values():
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.75)}
        # 40,000 draws: the standard error of the mean is 0.003
        assert mask.mean(dtype=np.float64) == pytest.approx(1, abs=0.012)


def test_dropout_is_between_layers():
    with pytest.raises(ValueError, match=r"Dropout is between layers, and the network has one"):
        draw_masks(stack(cells.get("rnn")), np.random.default_rng(0), 0.5, T=2, B=2, n_hidden=2, dtype=float)
    with pytest.raises(UsageError, match=r"--dropout is 0\.5, but it is between layers, and --layers is 1\."):
        TrainingOptions(dropout=0.5)
    with pytest.raises(UsageError, match=r"--dropout is 1\.0; it is at least 0 and less than 1\."):
        TrainingOptions(dropout=1.0, layers=2)


def moved(model, *windows, **options):
    """What an update by SGD at the rate 1 subtracts, which is the gradient, and its step."""
    before = {name: array.copy() for name, array in model.params.items()}
    model.optimiser = SGD()
    step = training.one_update(model, *windows, lr=1.0, clip=np.inf, **options)
    return step, {name: before[name] - array for name, array in model.params.items()}


@pytest.mark.parametrize("K", [2, 3])
def test_windows_that_are_accumulated_are_one_bigger_batch(K):
    ids = np.random.default_rng(0).integers(0, 3, (11, 3 * K))
    parts = [Window(ids[:-1, 3 * k : 3 * k + 3], ids[1:, 3 * k : 3 * k + 3], starts=True) for k in range(K)]
    step, gradients = moved(prepared(options())[0], *parts)
    bigger, expected = moved(prepared(options(batch=3 * K))[0], Window(ids[:-1], ids[1:], starts=True))
    assert step.update == 1
    assert step.nats == pytest.approx(bigger.nats, rel=1e-13)
    assert step.grad_norm == pytest.approx(bigger.grad_norm, rel=1e-12)
    for name, gradient in expected.items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=0, atol=1e-14)
        # That the sum, the mean forgotten, or the last window alone would be seen:
        assert np.abs(K * gradients[name] - gradient).max() > 1e-4
        assert np.abs(moved(prepared(options())[0], parts[-1])[1][name] - gradient).max() > 1e-5


def test_windows_that_are_accumulated_carry_the_state():
    model, windows, _ = prepared(options(cell="lstm"))
    state, each = None, []
    for k in range(3):
        result = loss_and_gradients(
            model.network, model.params, windows[k].x, windows[k].y, initial=state, reduction="mean"
        )
        state, each = result.state, [*each, {name: result.gradients[name].copy() for name in model.params}]
    _, gradients = moved(model, *(windows[k] for k in range(3)))
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, np.mean([one[name] for one in each], axis=0), rtol=0, atol=1e-14)
    for name, array in state.items():
        np.testing.assert_array_equal(model.state[name], array)


def test_each_update_takes_the_next_windows():
    told, seen = options(accumulate=2, steps=7), []

    class Recorded(Windows):
        def __getitem__(self, k):
            seen.append(k)
            return super().__getitem__(k)

    model, windows, validation = prepared(told)
    training.run(model, Recorded(windows.x, windows.y, windows.T), validation, told)
    assert seen == [*range(14)]


def test_weight_decay_is_a_step_of_its_own_beside_the_gradient():
    (_, plain), (_, decayed) = (
        moved(prepared(options())[0], prepared(options())[1][0], weight_decay=decay) for decay in (0.0, 0.125)
    )
    for name, theta in prepared(options())[0].params.items():
        expected = theta / 8 if theta.ndim > 1 else 0
        np.testing.assert_allclose(decayed[name] - plain[name], expected, rtol=0, atol=1e-14)


def test_the_options_reach_the_update(monkeypatch):
    told, given = options(weight_decay=0.5, warmup=3, steps=6, lr=0.4, schedule="linear", clip=0.25), []
    update_once = training.one_update

    def recorded(*windows, **options):
        given.append(options)
        return update_once(*windows, **options)

    monkeypatch.setattr(training, "one_update", recorded)
    trained(told)
    assert [one["lr"] for one in given] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.8 / 3, 0.4 / 3])
    assert {(one["weight_decay"], one["clip"]) for one in given} == {(0.5, 0.25)}


# What comes is learnt, until the validation set, where it never comes, gets worse by it.
UNLIKE = "ab" * 300 + "aabb" * 20


def test_patience_ends_the_training_and_keeps_the_best():
    told = options(steps=400, eval_every=5, patience=3, lr=0.02)
    seen = {}
    model, windows, validation = prepared(told, UNLIKE)
    last = training.run(model, windows, validation, told, on_evaluation=lambda metrics: seen.update(
        {metrics.update: {name: theta.copy() for name, theta in model.params.items()}}
    ))  # fmt: skip
    losses = [metrics.val_nats for metrics in model.history]
    assert last.update < 400
    assert int(np.argmin(losses)) == len(losses) - 1 - 3
    assert model.shown[0] == model.best_line.update == last.update - 15
    for name, theta in seen[last.update - 15].items():
        np.testing.assert_array_equal(model.shown[1][name], theta)
    assert training.run(model, windows, validation, told) is last  # it is over, however often one goes on

    more = trained(options(steps=400, eval_every=5, patience=4, lr=0.02), UNLIKE)[0]
    assert [metrics.val_nats for metrics in more.history][: len(losses)] == losses
    assert len(more.history) > len(losses)


def test_without_patience_the_last_are_shown():
    model, last = trained(options(steps=60, eval_every=5, lr=0.02), UNLIKE)
    assert last.update == 60
    assert model.best is None
    assert model.shown[0] == 60
    assert model.shown[1] is model.params
