"""The four commonest users, each with a first verdict in under ten lines; and the mistakes that must be caught."""

import json
import types

import jax.numpy as jnp
import numpy as np
import pytest

import strangers
from cs231n import CS231N, MISTAKES, changed, check, cs231n, outcome
from manual_rnn.testing import Layout, WrongBackward, check_backward, complex_step
from reference import autodiff, autodiff_of
from strangers import MIN_CHAR_RNN, rnn_backward, rnn_forward
from thorough import only_thorough


def test_a_min_char_rnn_with_globals(min_char_rnn):
    def backward(*, inputs, targets, hprev, **weights):
        vars(min_char_rnn).update(weights, vocab_size=weights["Wxh"].shape[1])
        _, *grads, _ = min_char_rnn.lossFun(inputs, targets, hprev)
        return dict(zip(("Wxh", "Whh", "Why", "bh", "by"), grads, strict=True))

    names = {"inputs": "x", "targets": "y", "hprev": "h0", "Wxh": "U", "Whh": "W", "Why": "V", "bh": "b", "by": "c"}
    layout = Layout(names=names, axes="columns", tokens=True)
    report = check_backward(backward, against=autodiff("rnn"), layout=layout)

    assert not report.agree  # it clips: what it returns is not the gradient
    without_clipping = MIN_CHAR_RNN.replace("np.clip(dparam, -5, 5, out=dparam)", "pass")
    exec(without_clipping, vars(min_char_rnn))
    report = check_backward(backward, against=autodiff("rnn"), layout=layout)
    assert report.agree
    assert report.right == [f"grad_{name}" for name in ("Wxh", "Whh", "bh", "Why", "by")]
    assert outcome(report, "grad_hprev").outcome == "not returned"


@pytest.fixture
def min_char_rnn():
    module = types.ModuleType("min_char_rnn")
    exec(MIN_CHAR_RNN, vars(module))
    return module


@pytest.mark.parametrize("loss", ["random", "some"])
def test_b_cs231n_batch_first_with_an_upstream_gradient(loss):
    def backward(*, dh, **arrays):
        _, cache = rnn_forward(**arrays)
        dx, dh0, dWx, dWh, db = rnn_backward(dh, cache)
        return {"dx": dx, "dh0": dh0, "dWx": dWx, "dWh": dWh, "db": db}

    layout = Layout(axes="BT", transposed=True, names={"Wx": "U", "Wh": "W"})
    report = check_backward(backward, against=autodiff("rnn"), loss=loss, layout=layout)

    assert report.agree
    assert len(report.right) == 5
    report.raise_if_wrong()


class Tensor:
    """A tensor of another library: it speaks DLPack, and belongs to a graph until it is detached."""

    def __init__(self, array, attached=True):
        self.array, self.attached = array, attached

    def detach(self):
        return Tensor(self.array, attached=False)

    def __dlpack__(self, **options):
        assert not self.attached
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_c_a_kernel_on_tensors():
    def backward(*, dh, **arrays):
        gradients = cs231n(dh=dh, **arrays)  # kernel(torch.from_numpy(dh), …)
        return {name: Tensor(np.ascontiguousarray(g)) for name, g in gradients.items()}

    report = check_backward(backward, against=autodiff("rnn"), loss="random", layout=CS231N)

    assert report.agree
    assert len(report.right) == 5


def test_d_a_forward_in_numpy_and_nothing_else():
    def backward(*, dh, **arrays):
        return dict(zip(("x", "h0", "c0", "Wx", "Wh", "b"), strangers.lstm_backward(dh, **arrays), strict=True))

    wide = "4 n_hidden"
    shapes = {"Wx": ("n_in", wide), "Wh": ("n_hidden", wide), "b": (wide,), "c0": ("B", "n_hidden")}
    oracle = complex_step(strangers.lstm_forward)
    report = check_backward(backward, against=oracle, loss="random", layout=Layout(axes="BT", shapes=shapes))

    assert report.agree
    assert len(report.right) == 6
    assert report.notes == ()


def test_a_forward_in_jax():
    def forward(x, h0, Wx, Wh, b):
        h, all_h = h0, []
        for t in range(x.shape[1]):
            h = jnp.tanh(x[:, t] @ Wx + h @ Wh + b)
            all_h.append(h)
        return jnp.stack(all_h, axis=1)

    report = check(cs231n, against=autodiff_of(forward), regimes=["ordinary"])
    assert report.agree
    assert len(report.right) == 5


@pytest.mark.parametrize("what", MISTAKES)
@pytest.mark.parametrize("against", [autodiff("rnn"), *only_thorough(complex_step(rnn_forward), id="complex step")])
def test_a_mistake_fails(what, against):
    report = check(changed(*MISTAKES[what]), against=against, regimes=["ordinary", "vanished"])
    assert not report.agree
    assert report.wrong
    assert report.first_divergence.startswith("First divergence")
    with pytest.raises(WrongBackward, match="does NOT agree"):
        report.raise_if_wrong()


@pytest.mark.parametrize("what", ["W for Wᵀ", "derivative forgotten", "truncated", "only the first step"])
def test_a_mistake_fails_where_the_gradient_is_1e_200(what):
    right = check(cs231n, regimes=["vanished"])
    assert right.agree
    report = check(changed(*MISTAKES[what]), regimes=["vanished"])
    assert "grad_h0" in report.wrong


def test_the_vanished_regime_does_vanish():
    sizes = []

    def backward(*, dh, **arrays):
        gradients = cs231n(dh=dh, **arrays)
        sizes.append(np.abs(gradients["h0"]).max())
        return gradients

    assert check(backward, regimes=["vanished"]).agree
    assert max(sizes) < 1e-195
    assert min(sizes) > 1e-250


def test_the_first_divergence_is_where_the_way_back_meets_the_mistake():
    report = check(changed(*MISTAKES["only the first step"]), regimes=["ordinary"])
    assert "grad_x at t = 0; the steps after it, 1 … 3, are right" in report.first_divergence
    report = check(changed(*MISTAKES["h(t) for h(t−1)"]), regimes=["ordinary"])
    assert "Wrong: Wh. Right: Wx, b, h0, x." in report.first_divergence


def test_a_split_bias_and_no_batch_axis():
    def backward(*, x, dh, h0, W, U, b_ih, b_hh):
        h = [h0]
        for row in x:
            h.append(np.tanh(U @ row + b_ih + W @ h[-1] + b_hh))
        grads = {"x": np.zeros_like(x), "W": 0 * W, "U": 0 * U, "b_ih": 0 * b_ih}
        carry = np.zeros_like(h0)
        for t in reversed(range(len(x))):
            da = (1 - h[t + 1] ** 2) * (dh[t] + carry)
            grads["x"][t], carry = U.T @ da, W.T @ da
            grads["W"] += np.outer(da, h[t])
            grads["U"] += np.outer(da, x[t])
            grads["b_ih"] += da
        return {**grads, "b_hh": grads["b_ih"], "h0": carry}

    report = check(backward, layout=Layout(axes="T", names={"b_ih": "b", "b_hh": "b"}))
    assert report.agree
    assert {"grad_b_ih", "grad_b_hh"} <= set(report.right)


def test_a_forward_that_breaks_under_complex_numbers_gets_finite_differences():
    def forward(x, h0, Wx, Wh, b):
        return rnn_forward(np.array(x, np.float64), h0, Wx, Wh, b)

    report = check(cs231n, against=complex_step(forward), regimes=["ordinary"])
    assert report.agree
    assert any("breaks under complex numbers" in note for note in report.notes)
    wrong = check(changed(*MISTAKES["carry dropped"]), against=complex_step(forward), regimes=["ordinary"])
    assert wrong.wrong


def test_a_forward_that_is_not_analytic_gets_finite_differences():
    def forward(x, h0, Wx, Wh, b):
        return rnn_forward(x, h0, Wx, Wh, np.sign(b.real) * np.abs(b))

    report = check(cs231n, against=complex_step(forward), regimes=["ordinary"])
    assert report.agree
    assert any("not analytic" in note for note in report.notes)


def test_a_forward_that_is_not_analytic_from_the_second_step_on_is_found_out():
    """The first case has one step, where the complex step serves; a norm is real, whatever goes in."""

    def states(x, h0, Wx, Wh, b):
        h, norms = [h0], []
        for t in range(x.shape[1]):
            norms.append(np.linalg.norm(h[-1], axis=1, keepdims=True) if t else np.ones((len(x), 1)))
            h.append(np.tanh(x[:, t] @ Wx + (h[-1] / norms[-1]) @ Wh + b))
        return h, norms

    def forward(**arrays):
        return np.stack(states(**arrays)[0][1:], axis=1)

    def backward(*, dh, **arrays):
        h, norms = states(**arrays)
        x, Wx, Wh = (arrays[name] for name in ("x", "Wx", "Wh"))
        grads = {name: np.zeros_like(array) for name, array in arrays.items()}
        carry = 0 * h[0]
        for t in reversed(range(x.shape[1])):
            u = h[t] / norms[t]
            da = (1 - h[t + 1] ** 2) * (dh[:, t] + carry)
            grads["x"][:, t], du = da @ Wx.T, da @ Wh.T
            grads["Wx"] += x[:, t].T @ da
            grads["Wh"] += u.T @ da
            grads["b"] += da.sum(axis=0)
            carry = (du - u * (u * du).sum(axis=1, keepdims=True)) / norms[t] if t else du
        return {**grads, "h0": carry}

    report = check(backward, against=complex_step(forward), regimes=["ordinary"])
    assert report.agree, report
    assert any("not analytic" in note for note in report.notes)


def test_what_finite_differences_cannot_decide_is_never_passed():
    def forward(x, h0, Wx, Wh, b):
        return rnn_forward(np.array(x, np.float64), h0, Wx, Wh, b)

    report = check(cs231n, against=complex_step(forward), regimes=["vanished"])
    assert not report.agree
    assert outcome(report, "grad_h0").outcome == "undecided"


def test_what_too_few_drawn_cases_cannot_show_is_noted():
    report = check(changed(*MISTAKES["carry dropped"]), examples=1)
    assert any("T = 1" in note for note in report.notes)
    assert not any("T = 1" in note for note in check(cs231n).notes)


def test_float32_is_judged_by_its_own_digits():
    assert check(cs231n, dtype="float32").agree
    assert check(changed(*MISTAKES["W for Wᵀ"]), dtype="float32").wrong


def test_the_report_is_json_and_yields_checks_for_a_suite():
    report = check(changed(*MISTAKES["carry dropped"]), regimes=["ordinary"])
    document = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert document["agree"] is False
    assert document["wrong"] == report.wrong
    with pytest.raises(WrongBackward):
        outcome(report, "grad_Wx").raise_if_wrong()
    outcome(report, "same again").raise_if_wrong()
