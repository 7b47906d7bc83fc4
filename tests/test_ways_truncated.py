"""BPTT(k₁, k₂) against jax.grad of windows with stop_gradient, for every cell; and mistakes planted in its windows."""

import numpy as np
import pytest

import reference
from manual_rnn import cells, ways
from manual_rnn.testing.passes.regimes import Drawn
from manual_rnn.testing.passes.truncation import truncated as of_the_judge
from manual_rnn.ways.given import Given
from manual_rnn.ways.truncated import windows
from way_cases import SIZES, any_cell, arguments, assert_close, assert_differ, draw, plain


def found(name, case, k1, k2, **changed):
    return ways.truncated_bptt(cells.get(name), k1=k1, k2=k2, **arguments(case, **changed))


@any_cell
def test_is_what_autodiff_of_the_windows_gives(name):
    case = draw(name)
    for k1, k2 in [(1, 1), (1, 3), (2, 4), (2, 5), (4, 4), (2, 50), (50, 50)]:
        truth = reference.truncated_bptt(name, k1=k1, k2=k2)(case.for_oracle())
        assert_close(found(name, case, k1, k2).gradients, truth)


@pytest.mark.parametrize("name", ["rnn", "lstm", "rnn_orthogonal"])
def test_the_oracle_over_all_steps_is_that_of_full_bptt(name):
    case = draw(name)
    _, full = reference.autodiff(name)([case.for_oracle()])[0]
    truth = reference.truncated_bptt(name, k1=3, k2=50)(case.for_oracle())
    assert_close(truth, {variable: full[variable] for variable in truth})


@any_cell
def test_over_all_steps_it_is_full_bptt_to_the_last_bit(name):
    case = draw(name, dense=False)
    truth, ours = plain(name, case), found(name, case, SIZES.T, SIZES.T)
    assert ours.loss == truth.loss
    assert list(ours.gradients) == list(truth.gradients)
    for gradient in truth.gradients:
        np.testing.assert_array_equal(ours.gradients[gradient], truth.gradients[gradient], err_msg=gradient)
    for state in truth.state:
        np.testing.assert_array_equal(ours.state[state], truth.state[state])


@any_cell
def test_with_k1_and_k2_equal_the_windows_are_passes_of_their_own(name):
    """Each from the state that the one before has left, their gradients added."""
    case, state, sums = draw(name), None, {}
    for start in range(0, SIZES.T, 3):
        rows = slice(start, start + 3)
        window = {"x": case.x[rows], "y": case.y[rows], "weights": case.weights[rows]}
        result = plain(name, case, **window, **({} if state is None else {"initial": state}))
        state = result.state
        for gradient, array in result.gradients.items():
            if gradient == "x":
                sums.setdefault("x", []).append(array)
            elif start == 0 or not gradient.endswith("0"):
                sums[gradient] = sums.get(gradient, 0) + array
    assert_close(found(name, case, 3, 3).gradients, {**sums, "x": np.concatenate(sums["x"])})


@pytest.mark.parametrize("k", [1, 2, 5])
def test_with_k1_one_it_is_the_truncation_that_the_judge_verifies(k):
    case = draw("lstm")
    drawn = Drawn("ordinary", SIZES, 0, case.params, case.initial, case.x, case.y, case.weights, None)
    assert_close(found("lstm", case, 1, k).gradients, dict(of_the_judge(cells.get("lstm"), drawn, k)))


# Planted mistakes, each seen by the oracle in the gradients that it reaches, at k₁ = 2, k₂ = 4 and nine steps

OF_THE_CELL = ("U", "W", "b", "h0", "x")
MISTAKES = {
    "k2 is one too small": lambda T, k1, k2: windows(T, k1, k2 - 1),
    "k2 is one too large": lambda T, k1, k2: windows(T, k1, k2 + 1),
    "k1 is one too large": lambda T, k1, k2: windows(T, k1 + 1, k2),
    "it goes back over k1": lambda T, k1, k2: windows(T, k1, k1),
    "the last window is dropped": lambda T, k1, k2: list(windows(T, k1, k2))[:-1],
    "the second window is dropped": lambda T, k1, k2: [w for i, w in enumerate(windows(T, k1, k2)) if i != 1],
    "all losses of a window go back again": lambda T, k1, k2: ((s, s, e) for s, _, e in windows(T, k1, k2)),
    "only the loss of the last step goes back": lambda T, k1, k2: ((s, e - 1, e) for s, _, e in windows(T, k1, k2)),
    "it goes back k2 beyond its losses": lambda T, k1, k2: ((max(0, n - k2), n, e) for _, n, e in windows(T, k1, k2)),
}
NO_OTHER_INITIAL_STATE = ("k2 is one too large", "the last window is dropped")
"""Of the losses that reach h(0), the same ones reach it."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_windows_is_seen(mistake, monkeypatch):
    case = draw("rnn")
    truth = reference.truncated_bptt("rnn", k1=2, k2=4)(case.for_oracle())
    assert_close(found("rnn", case, 2, 4).gradients, truth)
    monkeypatch.setattr("manual_rnn.ways.truncated.windows", MISTAKES[mistake])
    names = [n for n in OF_THE_CELL if n != "h0" or mistake not in NO_OTHER_INITIAL_STATE]
    assert_differ(found("rnn", case, 2, 4).gradients, truth, names)


def test_a_state_before_a_window_that_is_no_constant_is_seen(monkeypatch):
    """What arrives at the state before each window, added to ∇h(0)."""
    case = draw("rnn")
    truth = reference.truncated_bptt("rnn", k1=2, k2=4)(case.for_oracle())
    add = Given.add

    def wrong(given, sums, grads, rows):
        add(given, sums, grads, rows)
        if rows.start:
            sums["h0"] += grads["h0"]

    monkeypatch.setattr(Given, "add", wrong)
    assert_differ(found("rnn", case, 2, 4).gradients, truth, ["h0"])


def test_tokens_and_every_dtype_and_no_gradient_of_x_unless_asked_for():
    case = draw("gru", dense=False, dtype="float32")
    answer = found("gru", case, 2, 4, inputs=False)
    assert "x" not in answer.gradients
    assert {array.dtype for array in answer.gradients.values()} == {np.dtype("float32")}
    truth = reference.truncated_bptt("gru", k1=2, k2=4)(case.for_oracle())
    assert_close(answer.gradients, {name: truth[name] for name in answer.gradients}, eps=1e-5)


@pytest.mark.parametrize(("k1", "k2", "sentence"), [
    (3, 2, "k1 is 3 and k2 is 2: the losses of the 1 oldest of every 3 steps would go back nowhere; k2 must be at "
           r"least k1\."),
    (0, 2, r"k1 is 0; expected a whole number of at least 1, every how many steps it goes back\."),
    (1, -1, r"k2 is -1; expected a whole number of at least 1, through how many steps it goes back\."),
    (1.0, 2, r"k1 is 1\.0; expected a whole number"),
    (1, True, "k2 is True; expected a whole number"),
])  # fmt: skip
def test_lengths_that_make_no_sense_are_named(k1, k2, sentence):
    with pytest.raises(ValueError, match=sentence):
        found("rnn", draw("rnn"), k1, k2)


def test_what_bptt_refuses_is_refused_here():
    with pytest.raises(ValueError, match="Both weights and reduction='mean' are given"):
        found("rnn", draw("rnn"), 1, 2, reduction="mean")
    with pytest.raises(ValueError, match="y has the shape"):
        found("rnn", draw("rnn"), 1, 2, y=np.zeros((1, 1), int))
