"""The losses: found like cells, judged equation by equation, right at the ends of the range, each with its partner."""

import ast
from itertools import product
from pathlib import Path

import jax
import numpy as np
import pytest

import reference
from manual_rnn import cells, losses
from manual_rnn.formulas import formula
from manual_rnn.testing import Sizes, Spec, judge, witnesses
from manual_rnn.testing import losses as judged
from manual_rnn.testing.families import FAMILIES, build, families_for
from reference import autodiff
from reference.forward_mode import forward_mode
from reference.second_order import hessian_vector
from thorough import in_every_run

RNN = cells.get("rnn")
NEW = ("bernoulli", "squared")
SIZES = Sizes(8, 2, 3, 8, 5)
ROWS = np.linspace(-1, 1, 5 * 2 * 3).reshape(5, 2, 3)


def specs_of(cell, loss):
    """Three cases of each family, in one shape, so that it is compiled once."""
    severities, families = enumerate((5, 45, 95)), families_for(cell)
    return [Spec(f, SIZES, "float64", seed, severity, loss) for seed, severity in severities for f in families]


def public_functions(file):
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}


def test_each_loss_has_its_partner_and_its_side_of_the_judge():
    assert losses.names() == ["bernoulli", "softmax", "squared"]
    assert public_functions(Path(reference.__file__).parent / "losses.py") == set(losses.names())
    for name in losses.names():
        assert losses.get(name).name == name
        assert set(judged.get(name).terms) == set(judged.get(name).instead) == {"loss", "grad_o"}


WITH = [("rnn", "bernoulli"), ("rnn", "squared"), ("gru", "bernoulli"), ("lstm_peephole", "squared"),
        ("rnn_orthogonal", "bernoulli")]  # fmt: skip


@pytest.mark.parametrize(("name", "loss"), in_every_run(WITH, product(cells.names(), NEW)))
def test_every_equation_of_every_cell_agrees_in_every_family(name, loss):
    cell = cells.get(name)
    report = judge(cell, autodiff(name, readout_of=cell.states[0]), specs_of(cell, loss)).report()
    assert report.agree, (report.blame, [e for e in report.equations if not e.agree])
    assert report.loss == loss
    assert set(report.families) == set(families_for(cell))


@pytest.mark.parametrize("loss", NEW)
def test_float32_agrees_too(loss):
    specs = [Spec(f, Sizes(7, 4, 3, 2, 2), "float32", 3, severity, loss) for f in FAMILIES for severity in (20, 80)]
    assert judge(RNN, autodiff("rnn"), [s for s in specs if s.family in families_for(RNN)]).report().agree


@pytest.mark.parametrize("loss", NEW)
def test_manual_autodiff_finite_differences_and_the_complex_step_are_of_one_mind(loss):
    """The last two differentiate the losses as they are coded here, an imaginary step included."""
    case = build(RNN, Spec("ordinary", Sizes(3, 2, 2, 3, 3), "float64", 1, 50, loss))
    arbitration = witnesses(RNN, autodiff("rnn"), case)
    assert arbitration.agree, str(arbitration)


@pytest.mark.parametrize("loss", losses.names())
def test_the_references_forward_mode_and_second_order_know_the_loss(loss):
    case, rng = build(RNN, Spec("ordinary", Sizes(4, 2, 3, 3, 4), "float64", 2, 50, loss)), np.random.default_rng(0)
    problem, oracle = case.for_oracle(), autodiff("rnn")
    assert problem["loss"] == loss
    ((_, grads),) = oracle([problem])
    along = {"W": rng.standard_normal((3, 3)), "x": rng.standard_normal(problem["x"].shape)}
    (derivative,) = forward_mode("rnn")(problem, [along])
    np.testing.assert_allclose(derivative, sum((grads[n] * d).sum() for n, d in along.items()), rtol=1e-11)

    def grad_V(eps):
        ((_, moved),) = oracle([problem | {"params": case.params | {"W": case.params["W"] + eps * along["W"]}}])
        return moved["V"]

    all_of_it = {**case.params, "h0": case.initial["h"], "x": problem["x"]}
    direction = {n: np.zeros_like(a) for n, a in all_of_it.items()} | {"W": along["W"]}
    curvature = hessian_vector(oracle)(problem, direction)
    np.testing.assert_allclose(curvature["V"], (grad_V(1e-6) - grad_V(-1e-6)) / 2e-6, rtol=1e-5, atol=1e-7)


def test_the_reference_says_which_loss_it_lacks():
    with pytest.raises(ValueError, match=r"no reference loss named 'hinge': src/reference/losses.py"):
        autodiff("rnn")([build(RNN, specs_of(RNN, "softmax")[0]).for_oracle() | {"loss": "hinge"}])


def test_cases_of_two_losses_are_not_judged_together():
    with pytest.raises(ValueError, match="the losses softmax, squared; judge those of one loss at a time"):
        judge(RNN, autodiff("rnn"), [Spec("ordinary", SIZES, "float64", 0, 5, loss) for loss in ("softmax", "squared")])


def test_the_loss_changes_nothing_of_a_case_but_its_targets():
    cases = {loss: build(RNN, Spec("ordinary", SIZES, "float64", 7, 30, loss)) for loss in losses.names()}
    assert cases["softmax"].y.shape == (8, 2)
    assert cases["squared"].y.shape == (8, 2, 5)
    for loss in NEW:
        assert all(np.array_equal(cases[loss].params[n], a) for n, a in cases["softmax"].params.items())
        assert cases[loss].spec.as_dict() == cases["softmax"].spec.as_dict()
    y = np.concatenate([build(RNN, s).y for s in specs_of(RNN, "bernoulli")])
    assert (y.min(), y.max()) == (0, 1)
    assert ((y > 0) & (y < 1)).any()


# ---- the numbers themselves


def of_logits(loss, o, y, weights=1.0):
    """The losses and ∇o of logits (n_out,) at one step, each (n_out,) taken for one sequence."""
    o, y = np.asarray(o)[None, :, None], np.asarray(y, float)[None, :, None]
    w = np.full(o.shape[:2], weights)
    values, kept = losses.get(loss).forward(o, y, w)
    return values[0], losses.get(loss).backward(kept, y, w)[0, :, 0]


def test_squared_error_of_numbers_done_on_paper():
    values, grad_o = of_logits("squared", [3.0, -1.0], [1.0, 1.0], weights=2.0)
    np.testing.assert_array_equal(values, [4.0, 4.0])
    np.testing.assert_array_equal(grad_o, [4.0, -4.0])


def test_binary_cross_entropy_of_numbers_done_on_paper():
    values, grad_o = of_logits("bernoulli", [0.0, np.log(3), np.log(3)], [1, 1, 0.5])
    np.testing.assert_allclose(values, [np.log(2), np.log(4 / 3), np.log(4 / np.sqrt(3))], rtol=1e-15)
    np.testing.assert_allclose(grad_o, [-0.5, -0.25, 0.25], rtol=1e-15)


def test_binary_cross_entropy_keeps_its_digits_where_the_answer_is_sure():
    """Textbook forms give zero, infinity, or not a number here."""
    values, grad_o = of_logits("bernoulli", [50.0, -50.0, 1000.0, -1000.0], [1, 0, 0, 1])
    np.testing.assert_allclose(values, [np.exp(-50), np.exp(-50), 1000, 1000], rtol=1e-14)
    np.testing.assert_allclose(grad_o, [-np.exp(-50), np.exp(-50), 1, -1], rtol=1e-14)


@pytest.mark.parametrize("loss", losses.names())
def test_the_second_derivative_is_jvp_of_grad(loss):
    """Within 16 units of w R{o}: autodiff of a sigmoid that is nearly one loses what is smaller than that."""
    rng = np.random.default_rng(0)
    o, R_o, w = rng.normal(0, 3, (300, 1, 4)), rng.standard_normal((300, 1, 4)), rng.standard_normal((300, 1))
    y = rng.integers(0, 4, (300, 1)) if losses.get(loss).targets.ids else rng.uniform(0, 1, o.shape)
    _, kept = losses.get(loss).forward(o, y, w)
    ours = losses.get(loss).tangent(kept, R_o, w)
    of_step = jax.grad(getattr(reference.losses, loss))
    with jax.enable_x64(True):
        along = jax.vmap(lambda o, y, R_o: jax.jvp(lambda o: of_step(o, y), (o,), (R_o,))[1])
        truth = w[..., None] * np.asarray(along(o[:, 0], y[:, 0], R_o[:, 0]))[:, None]
    size = np.abs(w)[..., None] * np.abs(R_o).max(axis=-1, keepdims=True)
    assert (np.abs(ours - truth) <= 16 * np.finfo(float).eps * size).all()


def test_the_second_derivative_keeps_its_digits_where_the_answer_is_sure():
    o = np.array([[[-300.0, -80.0, -1.0, 0.0, 40.0, 300.0]]])
    of_logits = losses.get("bernoulli")
    _, kept = of_logits.forward(o, np.ones_like(o), np.ones((1, 1)))
    found = of_logits.tangent(kept, np.ones_like(o), np.ones((1, 1)))
    np.testing.assert_allclose(found, 1 / (2 * np.cosh(o / 2)) ** 2, rtol=1e-14)
    two_classes = losses.get("softmax")  # of logits 0 and a, ŷ is σ(−a) and σ(a)
    for a in (0.0, 5.0, 40.0, 300.0):
        _, kept = two_classes.forward(np.array([[[0.0, a]]]), np.zeros((1, 1), int), np.ones((1, 1)))
        first, _ = two_classes.tangent(kept, np.array([[[1.0, 0.0]]]), np.ones((1, 1)))[0, 0]
        np.testing.assert_allclose(first, 1 / (2 * np.cosh(a / 2)) ** 2, rtol=1e-14)


@pytest.mark.skipif(np.finfo(np.longdouble).eps == np.finfo(float).eps, reason="no wider format on this platform")
def test_binary_cross_entropy_is_right_to_a_few_units_against_80_bits():
    rng = np.random.default_rng(0)
    o, y = rng.uniform(-80, 80, 4000), np.where(rng.random(4000) < 0.5, rng.integers(0, 2, 4000), rng.random(4000))
    narrow = of_logits("bernoulli", o, y)
    w, (wide_o, wide_y) = np.ones((1, 4000)), (a.astype(np.longdouble)[None, :, None] for a in (o, y))
    wide, kept = losses.get("bernoulli").forward(wide_o, wide_y, w)
    of_o = losses.get("bernoulli").backward(kept, wide_y, w)
    assert np.max(np.abs(narrow[0] - wide[0]) / wide[0]) < 4 * np.finfo(float).eps
    size = np.abs((1 - y) / (1 + np.exp(-o))) + np.abs(y / (1 + np.exp(o)))  # ∇o is zero where ŷ = y: its terms are not
    assert np.max(np.abs(narrow[1] - of_o[0, :, 0]) / size) < 4 * np.finfo(float).eps


@pytest.mark.parametrize("loss", losses.names())
def test_reports_have_the_equations_of_the_loss(loss):
    assert formula(RNN, "loss", loss) == losses.get(loss).latex["loss"]
    assert formula(RNN, "grad_o", loss) == losses.get(loss).latex["grad_o"]


def test_a_pass_that_knows_the_softmax_alone_is_not_told_of_it():
    def manual(cell, params, x, y, weights, initial, *, inputs, tape, grads):
        from manual_rnn.gradients import forward_and_backward

        return forward_and_backward(cell, params, x, y, weights, initial, inputs=inputs, tape=tape, grads=grads)

    assert judge(RNN, autodiff("rnn"), [Spec("ordinary", SIZES, "float64", 0, 5)], manual=manual).report().agree
