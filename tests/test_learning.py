"""Learning a task: it ends where no sequence is answered wrong, is what its seed decides, and a failure is told."""

import dataclasses

import numpy as np
import pytest

from constructed import adding
from manual_rnn import cells, initialise, loss_and_gradients, stack, tasks
from manual_rnn.clipping import clip_by_norm
from manual_rnn.optimisers import Adam
from manual_rnn.tasks.learning import answers, learn
from manual_rnn.vanishing_penalty import vanishing_penalty

RNN, ORDER = cells.get("rnn"), tasks.temporal_order(10)


def start(cell=RNN, *, n=20, seed=0, task=ORDER, **options):
    return initialise(cell, n_in=task.n_in, n_hidden=n, n_out=task.n_out, seed=seed, **options)


def test_a_short_task_is_learnt_and_the_parameters_that_are_left_solve_it():
    params = start()
    found = learn(ORDER, RNN, params, updates=3000, seed=1, lr=0.05, clip=1.0, every=100, sequences=1500)
    assert found.solved_at is not None
    assert len(found.losses) == len(found.norms) == found.solved_at
    assert found.wrong[0][1] > 0.5
    assert found.wrong[-1] == (found.solved_at, 0.0)
    fresh = ORDER.draw(500, seed=99)
    assert ORDER.solved(answers(RNN, params, fresh.x), fresh).mean() > 0.98
    assert found.failure is None
    assert found.penalties == []


def test_a_share_of_right_answers_is_enough_where_that_is_said():
    ends = []
    for enough in (0.5, 1.0):
        params = start()
        options = {"lr": 0.05, "clip": 1.0, "every": 50, "sequences": 500}
        found = learn(ORDER, RNN, params, updates=3000, seed=1, enough=enough, **options)
        ends.append(found.solved_at)
        assert all(1 - wrong < enough for _, wrong in found.wrong[:-1])
        assert 1 - found.wrong[-1][1] >= enough
    assert ends[0] < ends[1]


def test_what_solves_it_already_is_not_moved():
    task, relu, params = tasks.adding_sum(20), cells.get("rnn_relu"), adding("adding_sum")
    before = {name: array.copy() for name, array in params.items()}
    found = learn(task, relu, params, updates=5, seed=0, sequences=200)
    assert (found.solved_at, found.losses) == (0, [])
    assert all((params[name] == before[name]).all() for name in params)


def test_the_seed_decides_all_and_looking_nothing():
    def after(**options):
        params = start()
        found = learn(ORDER, RNN, params, updates=7, clip=1.0, penalty=0.5, sequences=20, **options)
        return params, found

    (params, found), (again, same), (looked, _), (other, _) = (
        after(seed=3, every=7), after(seed=3, every=7), after(seed=3, every=2), after(seed=4, every=7)
    )  # fmt: skip
    assert found == same
    assert all((params[name] == again[name]).all() and (params[name] == looked[name]).all() for name in params)
    assert any((params[name] != other[name]).any() for name in params)


def test_one_update_is_the_clipped_gradient_with_the_penalty_in_it():
    params, by_hand = start(), start()
    found = learn(ORDER, RNN, params, updates=1, seed=5, batch=8, lr=0.1, clip=0.25, penalty=2.0, sequences=10)
    drawing, _ = (np.random.default_rng(stream) for stream in np.random.SeedSequence(5).spawn(2))
    drawn = ORDER.draw(8, seed=drawing)
    result = loss_and_gradients(RNN, by_hand, drawn.x, drawn.y, weights=drawn.weights)
    omega, of_W = vanishing_penalty(RNN, by_hand, result)
    gradients = {name: result.gradients[name] for name in by_hand}
    gradients["W"] = gradients["W"] + 2.0 * of_W
    clipped, norm = clip_by_norm(gradients, 0.25)
    assert norm > 0.25
    assert (found.losses, found.penalties, found.norms) == ([result.loss], [omega], [norm])
    for name, array in params.items():
        np.testing.assert_array_equal(array, by_hand[name] - 0.1 * clipped[name])


@pytest.mark.parametrize(
    ("every_weight", "sentence"), [(0.7, "The gradient is not finite"), (50.0, "The state h is not finite from step")]
)
def test_what_is_not_finite_ends_it_with_a_sentence(every_weight, sentence):
    relu = cells.get("rnn_relu")
    params = start(relu, task=tasks.adding_sum(200))
    params["W"] = every_weight * np.ones_like(params["W"])
    params["V"] *= 1e-100  # so that the squared error of a large state has a number still
    with np.errstate(all="ignore"):
        found = learn(tasks.adding_sum(200), relu, params, updates=3, seed=0, sequences=10)
    assert found.solved_at is None
    assert found.failure.startswith(f"At update 0: {sentence}")


def test_other_optimisers_networks_and_formats():
    network = stack(cells.get("gru"), layers=2)
    params = {name: array.astype(np.float32) for name, array in start(network, n=5).items()}
    found = learn(ORDER, network, params, updates=3, seed=0, optimiser=Adam(), lr=0.01, sequences=10)
    assert len(found.losses) == 3
    assert {array.dtype for array in params.values()} == {np.dtype(np.float32)}
    assert set(dataclasses.asdict(found)) >= {"losses", "norms", "wrong"}


@pytest.mark.parametrize(("options", "sentence"), [
    ({"updates": -1}, "number of updates"),
    ({"every": 0}, "between two looks"),
    ({"sequences": 0}, "validation sequences"),
    ({"penalty": -1.0}, r"penalty is -1\.0 and clip inf; a penalty is at least 0"),
    ({"updates": "a"}, "number of updates is 'a'; it must be a whole number"),
    ({"updates": np.inf}, "number of updates is inf; it must be a whole number"),
    ({"batch": 0}, "number of sequences an update is 0"),
    ({"lr": np.nan}, "learning rate lr is nan; it must be a finite number above zero"),
    ({"clip": "1"}, "clip is '1'; expected a number"),
    ({"enough": 0.0}, r"enough is 0\.0; it is the share of right answers"),
    ({"enough": 1.1}, r"enough is 1\.1; it is the share of right answers"),
    ({"enough": "all"}, "enough is 'all'; expected a number"),
    ({"penalty": None}, "penalty is None; expected a number"),
    ({"params": {}}, "The cell 'rnn' has the parameters"),
    ({"params": start(task=tasks.adding_sum(20))}, "params are for n_in = 2 and n_out = 1; .* has 6 and 4"),
    ({"model": "rnn"}, "cell is of the type str"),
    ({"clip": 0.0}, r"penalty is 0\.0 and clip 0\.0; .* to clip to above 0"),
])  # fmt: skip
def test_what_does_not_fit_gets_a_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        learn(ORDER, **{"model": RNN, "params": start(), "updates": 1, "seed": 0, **options})


def test_a_penalty_of_another_cell_is_refused():
    with pytest.raises(ValueError, match="'lstm'"):
        learn(ORDER, cells.get("lstm"), start(cells.get("lstm")), updates=1, seed=0, penalty=1.0, sequences=10)
