"""Whole backward passes with a squared error or a binary cross-entropy: right code agrees, mistakes in it are named."""

import numpy as np
import pytest

from manual_rnn import losses
from manual_rnn.html_report.pass_section import pass_section
from manual_rnn.testing import Layout, Target, check_backward, check_target, complex_step
from manual_rnn.testing.passes.pass_report import PassReport
from manual_rnn.testing.passes.second_order import check_hvp
from reference import autodiff, hessian_vector
from thorough import in_every_run

FORWARD = """
import numpy as np

def states(x, h0, U, W, b):
    h = [h0]
    for row in x:
        h.append(np.tanh(row @ U.T + h[-1] @ W.T + b))
    return h

def forward(x, y, h0, U, W, b, V, c):
    o = np.stack(states(x, h0, U, W, b)[1:]) @ V.T + c
    return LOSS
"""
BACKWARD = """
def backward(x, y, h0, U, W, b, V, c):
    h = states(x, h0, U, W, b)
    o = np.stack(h[1:]) @ V.T + c
    do = GRADIENT
    dV, dc = np.einsum("tbk,tbi->ki", do, np.stack(h[1:])), do.sum(axis=(0, 1))
    dU, dW, db, dx = np.zeros_like(U), np.zeros_like(W), np.zeros_like(b), np.zeros_like(x)
    dh = np.zeros_like(h0)
    for t in reversed(range(len(x))):
        da = (1 - h[t + 1] ** 2) * (do[t] @ V + dh)
        dU, dW, db = dU + da.T @ x[t], dW + da.T @ h[t], db + da.sum(axis=0)
        dx[t], dh = da @ U, da @ W
    return {"U": dU, "W": dW, "b": db, "V": dV, "c": dc, "x": dx, "h0": dh}
"""
OF = {
    "squared": ("((o - y) ** 2).sum() / 2", "o - y"),
    "bernoulli": ("(np.log(1 + np.exp(o)) - y * o).sum()", "1 / (1 + np.exp(-o)) - y"),
}
ROWS = tuple(OF)
any_rows = pytest.mark.parametrize("step_loss", ROWS)


def code(step_loss, gradient=None):
    """A forward and a backward pass with this loss, with ``gradient`` in the place of its ∇o."""
    loss, right = OF[step_loss]
    module = {}
    exec((FORWARD + BACKWARD).replace("LOSS", loss).replace("GRADIENT", gradient or right), module)
    return module["forward"], module["backward"]


def check(step_loss, gradient=None, *, own_forward=False, **options):
    forward, backward = code(step_loss, gradient)
    against = complex_step(forward) if own_forward else autodiff("rnn")
    return check_backward(backward, **{"against": against, "step_loss": step_loss, **options})


def of_steps(step_loss, weights):
    return f"({OF[step_loss][1]}) * {weights}"


@pytest.mark.parametrize("own_forward", [False, True])
@any_rows
def test_right_code_agrees(step_loss, own_forward):
    report = check(step_loss, own_forward=own_forward)
    assert report.agree, str(report)
    assert len(report.right) == 7
    assert report.as_dict()["step_loss"] == step_loss


@pytest.mark.parametrize(("loss", "weights"), [
    ("last", "(np.arange(len(x)) == len(x) - 1)[:, None, None]"), ("mean", "1 / (len(x) * len(h0))"),
])  # fmt: skip
@any_rows
def test_the_steps_that_count_are_those_of_every_loss(step_loss, loss, weights):
    assert check(step_loss, of_steps(step_loss, weights), loss=loss).agree
    another = check(step_loss, loss=loss, regimes=["ordinary"])
    assert another.diagnosis == (f"These are the gradients of the loss 'every', rightly; {loss!r} was declared.",)


NAMED = [
    ("squared", "y - o", "∇o is right up to the sign."),
    ("squared", "o", "−w(t) y(t) is missing"),
    ("squared", "o + y", "has the wrong sign"),
    ("squared", "np.sign(o - y)", "No single mistake that is known here"),
    ("squared", "(o - y) * 3", "∇o is multiplied by 3."),
    ("bernoulli", "y - 1 / (1 + np.exp(-o))", "∇o is right up to the sign."),
    ("bernoulli", "o - y",
     "These are the gradients of the loss of a step 'squared', rightly; 'bernoulli' was declared."),
    ("bernoulli", "1 / (1 + np.exp(-o))", "−w(t) y(t) is missing"),
    ("bernoulli", "(1 / (1 + np.exp(-o)) - y) / (1 + np.exp(-o)) / (1 + np.exp(o))",
     "∇o: the factor ŷ(t) (1 − ŷ(t)) is there besides, the derivative of σ counted twice."),
    ("squared", "1 / (1 + np.exp(-o)) - y",
     "These are the gradients of the loss of a step 'bernoulli', rightly; 'squared' was declared."),
]  # fmt: skip


@pytest.mark.parametrize(("step_loss", "gradient", "words"), NAMED, ids=str)
def test_a_mistake_in_the_loss_is_named(step_loss, gradient, words):
    report = check(step_loss, gradient)
    assert not report.agree
    assert words in " ".join(report.diagnosis), report.diagnosis


@pytest.mark.parametrize(("step_loss", "gradient", "words"), in_every_run(NAMED[::3], NAMED), ids=str)
def test_and_with_a_forward_of_ones_own(step_loss, gradient, words):
    report = check(step_loss, gradient, own_forward=True, regimes=["ordinary"])
    assert not report.agree
    assert words in " ".join(report.diagnosis), report.diagnosis


@pytest.mark.parametrize(("step_loss", "factor", "words"), [
    ("squared", "2 *", "without the ½ of the loss (factor 2)"),
    ("squared", "1 / o.shape[-1] *", "averaged over the numbers of a step (factor 1/n_out)"),
    ("squared", "2 / o.size *", "averaged over time and batch (factor 1/(T B)) and without the ½ of the loss and "
     "averaged over the numbers of a step (2/n_out)"),
    ("bernoulli", "1 / o.size *",
     "averaged over time and batch (factor 1/(T B)) and averaged over the logits of a step (factor 1/n_out)"),
])  # fmt: skip
def test_what_others_call_by_the_same_name_is_a_convention_and_said(step_loss, factor, words):
    """PyTorch's MSELoss and BCEWithLogitsLoss among them, whose mean is over all numbers."""
    report = check(step_loss, f"{factor} ({OF[step_loss][1]})", regimes=["ordinary"])
    outcomes = {check.name: (check.outcome, check.message) for check in report.gradients}
    assert all(outcome == "right, in another convention" for outcome, _ in outcomes.values()), outcomes
    assert all(words in message for _, message in outcomes.values()), outcomes


def test_half_of_such_a_convention_is_wrong():
    _, backward = code("squared")

    def twice(**arrays):
        grads = backward(**arrays)
        return {**grads, "V": 2 * grads["V"]}

    report = check_backward(twice, against=autodiff("rnn"), step_loss="squared", regimes=["ordinary"])
    assert report.wrong == ["grad_V"]
    assert report.diagnosis == ("∇V is counted twice (factor 2).",)


@any_rows
def test_a_mistake_elsewhere_is_named_behind_the_loss(step_loss):
    module = {}
    text = (FORWARD + BACKWARD).replace("LOSS", "0").replace("GRADIENT", OF[step_loss][1])
    exec(text.replace("dW + da.T @ h[t]", "dW + da.T @ h[t + 1]"), module)
    report = check_backward(module["backward"], against=autodiff("rnn"), step_loss=step_loss)
    assert report.diagnosis == ("your ∇W is Σ_t ∇a(t) h(t)ᵀ; the derivation has Σ_t ∇a(t) h(t−1)ᵀ.",)


@any_rows
def test_truncation_and_ragged_lengths_have_the_loss(step_loss):
    whole = check(step_loss, truncation=2, regimes=["ordinary"])
    assert whole.diagnosis == (
        "Nothing is truncated: these are the whole gradients (truncation=2 was declared).",
    )
    _, backward = code(step_loss, of_steps(step_loss, "mask[..., None]"))

    def masked(mask, **arrays):
        backward.__globals__["mask"] = mask
        return backward(**arrays)

    ragged = {"against": autodiff("rnn"), "step_loss": step_loss, "ragged": "mask", "regimes": ["ordinary"]}
    assert check_backward(masked, **ragged).agree

    def unmasked(mask, **arrays):
        return masked(np.ones_like(mask), **arrays)

    assert "The loss counts the rows past the end" in check_backward(unmasked, **ragged).diagnosis[0]


@any_rows
def test_a_hessian_vector_product_has_the_loss(step_loss):
    _, backward = code(step_loss)
    target = Target(backward=backward, against=autodiff("rnn"), step_loss=step_loss)

    def hvp(direction, y, **arrays):
        """By differences: seven digits."""
        moved = [{n: a + s * 1e-6 * direction[n] for n, a in arrays.items()} for s in (1, -1)]
        up, down = (backward(y=y, **at) for at in moved)
        return {name: (up[name] - down[name]) / 2e-6 for name in up}

    checks = check_hvp(hvp, target, against=hessian_vector(autodiff("rnn")))
    assert all(check.max_relative_error < 1e-5 for check in checks)


@pytest.mark.parametrize("axes", ["BT", "T", "columns"])
def test_rows_lie_as_the_layout_says(axes):
    _, backward = code("squared")
    seen = []

    def turned(**arrays):
        seen.append(arrays["y"].shape)
        ours = {n: layout.to_ours(n, a) for n, a in arrays.items()}
        return {n: layout.turn(n, g) for n, g in backward(**ours).items()}

    layout = Layout(axes=axes)
    assert check_backward(turned, against=autodiff("rnn"), step_loss="squared", layout=layout).agree
    assert (4, 3, 3) not in seen or axes == "BT"
    assert {len(shape) for shape in seen} == {{"BT": 3, "T": 2, "columns": 3}[axes]}


@any_rows
def test_float32_and_cases_of_ones_own(step_loss):
    assert check(step_loss, dtype="float32").agree
    rng = np.random.default_rng(0)
    shapes = {"x": (4, 2, 3), "h0": (2, 5), "U": (5, 3), "W": (5, 5), "b": (5,), "V": (2, 5), "c": (2,)}
    case = {name: rng.standard_normal(shape) / 2 for name, shape in shapes.items()}
    assert check(step_loss, cases=[case | {"y": rng.uniform(0, 1, (4, 2, 2))}]).agree
    with pytest.raises(ValueError, match=r"In case 0, as our layout has it, y has the shape \(4, 2\) and dtype int64"):
        check(step_loss, cases=[case | {"y": np.zeros((4, 2), int)}])
    with pytest.raises(ValueError, match="expected integer target ids"):
        check_backward(code(step_loss)[1], against=autodiff("rnn"), cases=[case | {"y": rng.uniform(0, 1, (4, 2, 2))}])


@pytest.mark.parametrize("step_loss", losses.names())
def test_the_report_says_the_loss(step_loss):
    _, backward = code(step_loss if step_loss in OF else "squared")
    target = Target(backward=backward, against=autodiff("rnn"), step_loss=step_loss)
    report = PassReport.of("mine", check_target(target, regimes=["ordinary"]))
    assert report.as_dict()["step_loss"] == step_loss
    assert losses.get(step_loss).words in pass_section(report, 1).loss


@pytest.mark.parametrize(("changed", "sentence"), [
    ({"step_loss": "mse"}, r"step_loss is 'mse'; it is one of bernoulli, softmax, squared\."),
    ({"step_loss": "squared", "loss": "random"}, "step_loss is 'squared' with the loss 'random': your code is handed "
     r"the gradient from above there, and no step has a loss; choose one of every, last, mean, or leave it out\."),
])  # fmt: skip
def test_a_loss_of_a_step_that_makes_no_sense_is_named(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        Target(backward=lambda: None, against=autodiff("rnn"), **changed)
