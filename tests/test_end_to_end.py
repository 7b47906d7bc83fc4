"""The end-to-end verdict: the measured budget decides what it can, and says where float digits cannot."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from manual_rnn import cells, in_place
from manual_rnn.cell import Cell
from manual_rnn.gradients import forward_and_backward, loss_and_gradients
from manual_rnn.testing import Sizes, Spec, verdicts, verify
from manual_rnn.testing.end_to_end import _seen_beside, end_to_end_verdict
from manual_rnn.testing.families import build
from manual_rnn.testing.scales import natural_scales
from oracle_cases import USUAL, chaotic, draw, vanished
from other_forms import RNN, with_backward
from reference import autodiff

RELU = cells.get("rnn_relu")
GRADIENTS = {"grad_a", "grad_h", "grad_h0", "grad_x", "grad_W", "grad_U", "grad_b"}
"""What hangs on the recurrence."""


def answer(cell, case):
    return autodiff(cell.name)([case.for_oracle()])[0]


def judged(cell, case, truth=None):
    return verdicts(cell, case, answer(cell, case) if truth is None else truth)


def end_to_end(cell, case, **options):
    truth = answer(cell, case)
    with np.errstate(all="ignore"):
        return end_to_end_verdict(cell, case, truth, natural_scales(cell, case, truth), **options)


def wrong(blocks):
    return {name for name, block in blocks.items() if not block.agree}


def ill(blocks):
    return {name for name, block in blocks.items() if block.ill_conditioned.any()}


def off_by(factor):
    """An RNN whose ∇a is too large by one part in so many."""
    return with_backward(lambda node, grad: (1 + factor) * (1 - node.h) * (1 + node.h) * grad.h)


# Chaos


def test_a_chaotic_case_is_ill_conditioned_and_neither_failed_nor_passed_while_local_decides():
    case = chaotic(RNN)
    assert case.spec.sizes == Sizes(200, 1, 2, 16, 3)
    local, whole = judged(RNN, case)
    assert wrong(whole) == set()
    assert {"h", "a", "o", *GRADIENTS} <= ill(whole)
    late = whole["h"].ill_conditioned[150:]
    assert late.all()
    assert not whole["h"].ill_conditioned[:5].any(), "the first steps are the same in any implementation"
    assert all(check.agree and not check.wholly_undecided for check in local.values())


def test_two_right_gradients_do_differ_by_any_factor_there():
    """Why: the manual gradient is off by far more than any tolerance, and right."""
    case = chaotic(RNN)
    _, grads = answer(RNN, case)
    ours = loss_and_gradients(RNN, case.params, case.x, case.y, weights=case.weights, initial=case.initial)
    error = np.abs(ours.gradients["W"] - grads["W"]).max() / np.abs(grads["W"]).max()
    assert not error < 1e-3


@pytest.mark.parametrize("mistake", [1e-3, 1e-9])
def test_a_mistake_in_the_chaotic_case_is_named_by_the_local_verdict(mistake):
    case = chaotic(RNN)
    local, _ = judged(off_by(mistake), case)
    assert wrong(local) == {"grad_a"}


# What can be decided is decided


@pytest.mark.parametrize("family", ["ordinary", "long", "smallest"])
@pytest.mark.parametrize("mistake", [1e-3, 1e-9])
def test_a_small_mistake_is_wrong_end_to_end_and_no_forward_node_is(family, mistake):
    sizes = {"long": Sizes(500, 1, 2, 3, 3), "smallest": Sizes(1, 1, 1, 1, 2)}.get(family, USUAL)
    blocks = end_to_end(off_by(mistake), draw(RNN, family, sizes))
    assert {"grad_a", "grad_W", "grad_U", "grad_b", "grad_x"} <= wrong(blocks)
    assert not wrong(blocks) & {"a", "h", "o", "loss", "grad_o", "grad_c", "grad_V"}


@pytest.mark.parametrize("exponent", [-20, -50, -150, -250])
def test_a_small_mistake_is_wrong_at_any_magnitude(exponent):
    case = vanished(RNN, exponent)
    truth = answer(RNN, case)
    assert np.abs(truth[1]["h0"]).max() < 10.0 ** (exponent + 3)
    assert wrong(judged(RNN, case, truth)[1]) == set()
    blocks = judged(off_by(1e-9), case, truth)[1]
    assert {"grad_a", "grad_h", "grad_h0", "grad_x"} <= wrong(blocks)


def test_the_error_is_relative_to_the_array_of_each_step_by_itself():
    """A wrong gradient of the first step, 1e-50 of the last one's, is as wrong as any."""
    case = vanished(RNN, -50)
    nodes, grads = answer(RNN, case)
    changed = np.array(grads["h"])
    changed[0] *= 1 + 1e-6
    blocks = judged(RNN, case, (nodes, grads | {"h": changed}))[1]
    assert np.argwhere(blocks["grad_h"].wrong).tolist() == [[0, 0], [0, 1]]
    np.testing.assert_allclose(blocks["grad_h"].error[0], 1e-6, rtol=1e-3)
    assert (blocks["grad_h"].error[1:] < 1e-12).all()


def test_blocks_are_rows_for_what_is_there_at_every_step_and_whole_arrays_for_parameters():
    blocks = end_to_end(RNN, draw(RNN))
    shapes = {name: block.error.shape for name, block in blocks.items()}
    steps = dict.fromkeys(("a", "h", "o", "loss", "grad_a", "grad_h", "grad_o", "grad_x"), (USUAL.T, USUAL.B))
    parameters = dict.fromkeys(("grad_U", "grad_W", "grad_b", "grad_V", "grad_c"), ())
    assert shapes == steps | parameters | {"grad_h0": (USUAL.B,)}
    assert not ill(blocks)


def test_the_budget_of_an_ordinary_case_is_small_and_not_zero():
    blocks = end_to_end(RNN, draw(RNN, severity=20))
    for name, block in blocks.items():
        assert (block.budget > 1e-16).all(), name
        assert (block.budget < 1e-11).all(), name
        assert (block.error <= block.budget).all(), name


def test_the_same_case_gets_the_same_verdict():
    case = draw(RNN)
    first, second = end_to_end(RNN, case), end_to_end(RNN, case)
    for name, block in first.items():
        np.testing.assert_array_equal(block.budget, second[name].budget)


def test_no_step_is_measured_better_than_its_neighbours():
    """Three samples of the rounding can all be small by chance, at one step; hardly at three in a row."""
    size = np.array([[1.0], [1.0], [1e-50], [0.0], [1.0]])
    measured = np.array([[1e-10], [1e-16], [1e-66], [0.0], [1e-16]])
    with np.errstate(all="ignore"):
        widest = _seen_beside(measured, size)
    np.testing.assert_allclose(widest, [[1e-10], [1e-10], [1e-66], [0.0], [1e-16]], rtol=1e-9)
    np.testing.assert_array_equal(_seen_beside(measured[:, 0], size[:, 0]), measured[:, 0])


# What cannot be decided, and true zeros


def last_step_only(case, T=USUAL.T):
    """A loss at step 2 alone: no loss reaches what comes after it."""
    weights = np.zeros((T, case.spec.sizes.B))
    weights[2] = 1
    return dataclasses.replace(case, weights=weights)


def test_a_step_that_no_loss_reaches_is_a_true_zero_and_decided():
    blocks = end_to_end(RNN, last_step_only(draw(RNN)))
    for name in ("grad_a", "grad_h", "grad_o", "grad_x"):
        assert not blocks[name].ill_conditioned.any(), name
        assert (blocks[name].error[3:] == 0).all()


def test_a_gradient_where_no_loss_reaches_is_wrong():
    case = last_step_only(draw(RNN))
    nodes, grads = answer(RNN, case)

    def leaks(*arguments, grads, **options):
        forward_and_backward(*arguments, grads=grads, **options)
        leaked = np.array(grads["h"])
        leaked[5, 1, 0] = 1e-300
        grads.tap_all("h", leaked)

    with np.errstate(all="ignore"):
        scales = natural_scales(RNN, case, (nodes, grads))
    blocks = end_to_end_verdict(RNN, case, (nodes, grads), scales, manual=leaks)
    assert np.argwhere(blocks["grad_h"].wrong).tolist() == [[5, 1]]


def test_what_has_underflowed_is_ill_conditioned_and_no_true_zero():
    case = vanished(RNN, -340)
    truth = answer(RNN, case)
    assert (truth[1]["h0"] == 0).all()
    local, whole = judged(RNN, case, truth)
    assert whole["grad_h0"].ill_conditioned.all()
    assert local["grad_h0"].undecided.all()
    assert wrong(local) == wrong(whole) == set()


def near_kink(seed):
    return build(RELU, Spec("near_kink", USUAL, "float64", seed, 50))


@pytest.mark.parametrize("seed", range(3))
def test_near_a_kink_all_of_a_case_is_ill_conditioned_but_the_pre_activation(seed):
    case = near_kink(seed)
    nodes, grads = answer(RELU, case)
    assert (np.abs(nodes["a"]) < 1e-14).any()
    local, whole = judged(RELU, case, (nodes, grads))
    assert wrong(local) == wrong(whole) == set()
    for name, block in whole.items():
        assert block.ill_conditioned.all() or name == "a", name
    assert not whole["a"].ill_conditioned.all()


@pytest.mark.parametrize("seed", range(3))
def test_away_from_a_kink_a_relu_is_decided(seed):
    blocks = end_to_end(RELU, draw(RELU, "away_from_kink", seed=seed))
    assert not ill(blocks)
    assert not wrong(blocks)


def relu_with(slope):
    """A ReLU whose ∇a is slope(a) ∇h."""
    return with_backward(lambda node, grad: np.where(node.a == 0, slope, node.a > 0) * grad.h, RELU)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_at_a_kink_either_side_and_what_lies_between_is_undecided(slope):
    local, whole = judged(relu_with(slope), near_kink(0))
    assert wrong(local) == wrong(whole) == set()
    nodes, _ = answer(RELU, near_kink(0))
    assert local["grad_a"].undecided[nodes["a"] == 0].all()
    assert not local["grad_a"].wholly_undecided


def maximum(p, prev, x, tap):
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", jnp.maximum(a, 0))}


@pytest.mark.parametrize("seed", range(3))
def test_a_partner_that_takes_the_mean_of_both_slopes_fails_nobody(seed):
    """JAX's gradient of jnp.maximum(a, 0) at zero is one half."""
    case = near_kink(seed)
    truth = autodiff(maximum)([case.for_oracle()])[0]
    local, whole = judged(RELU, case, truth)
    assert wrong(local) == wrong(whole) == set()


def test_at_a_kink_a_nan_is_wrong_and_so_is_a_wrong_slope_beside_it():
    case = near_kink(0)
    local, _ = judged(relu_with(np.nan), case)
    assert wrong(local) == {"grad_a"}
    beside = with_backward(lambda node, grad: np.where(node.a > 1e-12, grad.h, 0), RELU)
    local, _ = judged(beside, case)
    nodes, _ = answer(RELU, case)
    assert wrong(local) == ({"grad_a"} if ((nodes["a"] > 0) & (nodes["a"] < 1e-12)).any() else set())


@pytest.mark.parametrize("slope", [-1.0, 0.0, 1.0])
def test_what_a_state_gets_directly_from_a_kink_is_undecided_there_too(slope):
    """h(t) = |a + h(t−1)|: the slope is in ∇a(t), and in the direct part of ∇h(t−1)."""

    def forward(node, prev, tap):
        s = tap("s", node.a + prev.h)
        return {"h": tap("h", np.abs(s))}

    def backward(node, prev, grad, tap):
        direct = np.where(node.s == 0, slope, np.sign(node.s)) * grad.h
        return {"a": tap("a", tap("s", direct)), "h_prev": direct}

    def partner(p, prev, x, tap):
        a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
        s = tap("s", a + prev["h"])
        return {"h": tap("h", jnp.maximum(s, -s))}

    cell = Cell("distance", forward, backward, kinks=("s",))
    case = draw(cell, "ordinary", Sizes(3, 2, 2, 4, 3))
    for array in (*(case.params[name] for name in "UWb"), case.initial["h"]):
        array[...] = 0  # so that every s is zero
    nodes, grads = autodiff(partner)([case.for_oracle()])[0]
    assert (nodes["s"] == 0).all()
    assert grads["h"].all()
    local, whole = judged(cell, case, (nodes, grads))
    assert wrong(local) == wrong(whole) == set()


# What is not finite


def test_a_nan_that_the_wide_run_has_too_is_wrong_and_not_ill_conditioned():
    cell = with_backward(lambda node, grad: np.where(node.h > 0, np.nan, 1 - node.h**2) * grad.h)
    case = draw(RNN)
    blocks = end_to_end(cell, case)
    assert {"grad_a", "grad_W", "grad_U", "grad_b", "grad_x"} <= wrong(blocks)
    assert not blocks["grad_W"].ill_conditioned


def test_where_the_reference_overflows_nothing_is_decided():
    linear = cells.get("rnn_identity")
    case = draw(linear, "exploding", severity=100)
    case = dataclasses.replace(case, params=case.params | {"W": 1e60 * case.params["W"]})
    with np.errstate(all="ignore"):
        truth = answer(linear, case)
        assert not np.isfinite(truth[1]["h0"]).all()
        local, whole = judged(linear, case, truth)
    assert wrong(local) == wrong(whole) == set()
    assert whole["grad_h0"].ill_conditioned.all()


def test_a_wrong_shape_is_told():
    case = draw(RNN)
    nodes, grads = answer(RNN, case)

    def transposed(*arguments, grads, **options):
        forward_and_backward(*arguments, grads=grads, **options)
        grads.tap_all("V", grads["V"].T)

    with pytest.raises(ValueError, match=r"grad_V: it has the shape \(4, 3\), expected \(3, 4\)"):
        verdicts(RNN, case, (nodes, grads), manual=transposed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_budget_is_in_units_of_the_cases_own_dtype(dtype):
    """The disturbance of a node is a few of its own units: in float32 of 1e-7, in float64 of 1e-16."""
    case = build(RNN, Spec("ordinary", USUAL, dtype, 5, 30))
    case = dataclasses.replace(case, weights=np.ones_like(case.weights))
    for name, block in end_to_end(RNN, case).items():
        assert (block.budget > 8 * np.finfo(dtype).eps).all(), name
        assert (block.budget[~block.ill_conditioned] < np.sqrt(np.finfo(dtype).eps)).all(), name


def test_a_mistake_of_the_walk_in_place_is_seen(monkeypatch):
    """Which users run, and no equation alone can show: it is not taken for what rounding does."""
    right = in_place.go_back

    def twice(*arguments):
        found = right(*arguments)
        return found and (found[0], {name: 2 * rows for name, rows in found[1].items()}, found[2])

    monkeypatch.setattr(in_place, "go_back", twice)
    report = verify(RNN, autodiff("rnn"), examples=16)
    assert [e.name for e in report.equations if not e.agree] == ["grad_h0"]
