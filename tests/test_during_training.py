"""A training that is looked at: it is the same training, and what is seen is what the diagnostics say of it."""

import numpy as np
import pytest

from manual_rnn import cells, diagnostics, loss_and_gradients, stack, training
from manual_rnn.evaluation import last_ids
from manual_rnn.options import TrainingOptions
from manual_rnn.windows import Windows
from reference import autodiff

IDS = np.random.default_rng(0).integers(0, 5, 600)
HELD_OUT = tuple(np.random.default_rng(1).integers(0, 5, (2, 16, 3)))
WINDOWS = Windows.of(IDS, T=8, B=4)


def options(**changes):
    small = {"hidden": 6, "seq_len": 8, "batch": 4, "steps": 6, "clip": 0.4, "dtype": "float64"}
    return TrainingOptions(**small | changes)


def looked_at(told, **changes):
    model = training.start(told, 5)
    found = diagnostics.during_training(
        model, WINDOWS, last_ids(IDS, 50), told, held_out=HELD_OUT, **{"updates": (2, 6), "element": 0.05} | changes
    )
    return model, found


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "rnn_orthogonal"])
def test_looking_changes_nothing_and_sees_what_the_diagnostics_see(cell):
    told = options(cell=cell)
    plain = training.start(told, 5)
    steps = []
    last = training.run(plain, WINDOWS, last_ids(IDS, 50), told, on_step=lambda step, _: steps.append(step))
    state = cells.get(cell).states[-1]
    model, found = looked_at(told, state=state)
    for name, theta in plain.params.items():
        np.testing.assert_array_equal(model.params[name], theta)
    assert (found.val_nats == last.val_nats).all()
    assert found["update"].values.tolist() == [0, 2, 6]

    for update, params in ((0, training.start(told, 5).params), (6, plain.params)):
        seen = found.sel(update=update)
        x, y = HELD_OUT
        initial = loss_and_gradients(cells.get(cell), params, x[:8], y[:8]).state
        rest = (cells.get(cell), params, x[8:], y[8:])
        logs = diagnostics.gradient_norms(*rest, initial=initial, reduction="last", state=state).by_lag
        np.testing.assert_array_equal(seen.log_norm, (logs - logs[0]).mean(axis=1))
        parts = diagnostics.contributions(*rest, initial=initial)
        assert seen.horizon == diagnostics.memory_horizon(parts)
        assert seen.truncation == diagnostics.suggested_truncation(parts)
        squashed = diagnostics.saturation(*rest[:3], initial=initial).fraction.mean("step")
        np.testing.assert_array_equal(seen.saturated, squashed)

    norms = np.array([step.grad_norm for step in steps])
    assert found.fired.values[1:].tolist() == [(norms[:2] > 0.4).mean(), (norms[2:] > 0.4).mean()]
    assert np.isnan(found.fired[0])
    assert ((found.cosine[1:] > 0) & (found.cosine[1:] <= 1)).all()


def test_clipping_by_element_is_of_the_gradient_before_it_was_clipped():
    told = options(steps=1, clip=1e-3)
    model = training.start(told, 5)
    result = loss_and_gradients(model.network, model.params, WINDOWS[0].x, WINDOWS[0].y, reduction="mean")
    whole = np.concatenate([result.gradients[name].ravel() for name in model.params])
    cut = np.clip(whole, -0.05, 0.05)
    _, found = looked_at(told, updates=(1,))
    assert found.fired.sel(update=1) == 1
    expected = cut @ whole / np.linalg.norm(cut) / np.linalg.norm(whole)
    np.testing.assert_allclose(found.cosine.sel(update=1), expected, rtol=1e-12)
    assert expected < 0.999


def test_each_look_is_cross_checked():
    told = options(cell="gru")
    _, found = looked_at(told, against=autodiff("gru"))
    assert (found.worst < 1e-12).all()
    right = autodiff("gru")

    def wrong(problems):
        return [(nodes, grads | {"h": grads["h"] * (1 + 1e-9)}) for nodes, grads in right(problems)]

    with pytest.raises(diagnostics.Disagreement, match="∂L/∂h"):
        looked_at(told, against=wrong)


def test_gradients_of_several_windows_get_a_sentence():
    with pytest.raises(ValueError, match=r"looks at the gradient of one window, and accumulate is 2: give 1\."):
        looked_at(options(accumulate=2))


def test_a_network_of_layers_gets_a_sentence():
    told = options(layers=2)
    assert training.start(told, 5).network == stack(cells.get("rnn"), layers=2)
    with pytest.raises(ValueError, match=r"takes one cell, and was given a network of 2 layers of rnn"):
        looked_at(told)
