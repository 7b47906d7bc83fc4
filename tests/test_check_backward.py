"""The four commonest users, each with a first verdict in under ten lines; and the mistakes that must be caught."""

import json
import re
import time
import types
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import strangers
from manual_rnn.testing import Layout, Target, WrongBackward, check_backward, check_target, complex_step
from reference import autodiff, autodiff_of
from strangers import MIN_CHAR_RNN, rnn_backward, rnn_forward

CS231N = Layout(axes="BT", transposed=True, names={"Wx": "U", "Wh": "W"})
GRADIENTS = ("x", "h0", "Wx", "Wh", "b")


def cs231n(*, dh, **arrays):
    _, cache = rnn_forward(**arrays)
    return dict(zip(GRADIENTS, rnn_backward(dh, cache), strict=True))


def check(backward, **options):
    options = {"against": autodiff("rnn"), "loss": "random", "layout": CS231N} | options
    return check_backward(backward, **options)


def outcome(report, name):
    return next(c for c in report.checks if c.name == name)


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


def changed(old, new):
    """The CS231n code with one line changed."""
    module = types.ModuleType("changed")
    text = Path(strangers.__file__).read_text(encoding="utf-8")
    assert old in text
    exec(text.replace(old, new), vars(module))

    def backward(*, dh, **arrays):
        _, cache = module.rnn_forward(**arrays)
        return dict(zip(GRADIENTS, module.rnn_backward(dh, cache), strict=True))

    return backward


MISTAKES = {
    "W for Wᵀ": ("da @ Wh.T", "da @ Wh"),
    "carry dropped": ("dh[:, t] + dprev, caches", "dh[:, t], caches"),
    "derivative forgotten": ("(1 - next_h**2) * dnext_h", "dnext_h"),
    "the pre-activation's square": ("(1 - next_h**2)", "(1 - np.arctanh(next_h)**2)"),
    "h(t) for h(t−1)": ("prev_h.T @ da, ", "next_h.T @ da, "),
    "mean over the batch": ("da.sum(axis=0)\n\n\ndef rnn_b", "da.mean(axis=0)\n\n\ndef rnn_b"),
    "off by 1e-9": ("da = (1 - next_h**2)", "da = 1.000000001 * (1 - next_h**2)"),
    "float32 inside": ("(1 - next_h**2) * dnext_h", "((1 - next_h**2) * dnext_h).astype(np.float32)"),
    "truncated": ("dh[:, t] + dprev, caches", "dh[:, t] + (T - t <= 3) * dprev, caches"),
    "only the first step": ("dh[:, t] + dprev, caches", "dh[:, t] + (t > 0) * dprev, caches"),
}


@pytest.mark.parametrize("what", MISTAKES)
@pytest.mark.parametrize("against", [autodiff("rnn"), complex_step(rnn_forward)], ids=["autodiff", "complex step"])
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


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def raises_without_a_text(**arrays):
    raise Speechless


@pytest.mark.parametrize(("backward", "name", "words"), [
    (lambda **a: {n: g.astype(object) for n, g in cs231n(**a).items()}, "runs", "is an array of object; expected an"),
    (lambda **a: {n: g.astype(int) for n, g in cs231n(**a).items()}, "float64", "are whole numbers"),
    (lambda **a: cs231n(**a) | {"dWx": a["Wx"]}, "runs", "returned the gradient of Wx under two names"),
    (lambda dout, cache: None, "runs", "it is handed Wx, Wh, b, h0, x, dh, by keyword"),
    (raises_without_a_text, "runs", "raised Speechless"),
])  # fmt: skip
def test_what_a_backward_does_with_its_contract_is_said_as_it_is(backward, name, words):
    assert words in outcome(check(backward, regimes=["ordinary"]), name).message


@pytest.mark.parametrize(("options", "words"), [
    ({"seed": -1}, "seed is -1"),
    ({"time_limit": 0}, "time_limit is 0"),
    ({"regimes": ()}, "regimes is empty; the regimes are ordinary"),
    ({"truncation": 1.5}, "truncation is 1.5; it is a whole number of steps"),
    ({"truncation": "3"}, "truncation is '3'; it is a whole number of steps"),
    ({"truncation": True}, "truncation is True; it is a whole number of steps"),
    ({"cases": [{"x": 1.0}]}, "x of case 0 has the shape ()"),
    ({"layout": Layout(axes="BT", names={"Wx": "U", "Wh": "Q"})}, "says that Wh is 'Q'; our arrays are U, W, b"),
    ({"layout": Layout(axes="BT", without=("h",))}, "Layout(without=...) has 'h'; our arrays are"),
])  # fmt: skip
def test_an_argument_that_makes_no_sense_is_refused_in_a_sentence(options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        check(cs231n, **options)


def test_names_that_are_no_mapping_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="names is of the type list"):
        Layout(names=["Wx"])


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


# What is no gradient at all: one sentence, and the checker lives.


def broken(change):
    def backward(*, dh, **arrays):
        return change(cs231n(dh=dh.copy(), **arrays), dh, arrays)

    return backward


def raises(grads, dh, arrays):
    raise RuntimeError("singular kernel")


def exits(grads, dh, arrays):
    raise SystemExit(3)


def overwrites(grads, dh, arrays):
    dh *= 0
    return grads


def nan(grads, dh, arrays):
    grads["Wh"][0, 0] = np.nan
    return grads


STATE = np.random.default_rng(0)
KEPT = {"last": 0.0}


def random(grads, dh, arrays):
    return {**grads, "b": grads["b"] * (1 + 1e-6 * STATE.standard_normal())}


def keeps_state(grads, dh, arrays):
    b, KEPT["last"] = grads["b"] + KEPT["last"], 1e-3 * float(arrays["x"].sum()) * (arrays["x"].shape[1] != 1)
    return {**grads, "b": b}


@pytest.mark.parametrize(("change", "name", "words"), [
    (raises, "runs", "raised RuntimeError: singular kernel"),
    (exits, "runs", "called sys.exit()"),
    (lambda g, dh, a: None, "runs", "backward returned None"),
    (lambda g, dh, a: tuple(g.values()), "runs", "as in dict(Wx=dWx"),
    (lambda g, dh, a: {**g, "b": object()}, "runs", "the gradient of b is of the type object"),
    (overwrites, "inputs untouched", "writes into dh"),
    (random, "same again", "two calls with the same arrays give other gradients of b"),
    (lambda g, dh, a: {**g, "dWwrong": g["Wh"]}, "names", "returns dWwrong, the gradient of nothing"),
    (lambda g, dh, a: {n: v for n, v in g.items() if n != "Wh"}, "grad_Wh", "does not return it"),
    (lambda g, dh, a: {**g, "b": g["b"][:1]}, "grad_b", "has the shape (1,), expected (4,)"),
    (nan, "finite", "grad_Wh has 1 of 16 numbers that are NaN"),
    (lambda g, dh, a: {n: v.astype(np.float32) for n, v in g.items()}, "float64", "are float32"),
    (lambda g, dh, a: {n: v.astype(np.float32).astype(float) for n, v in g.items()}, "float64", "seven digits of"),
])  # fmt: skip
def test_what_is_wrong_with_the_function_itself_is_said(change, name, words):
    report = check(broken(change), regimes=["ordinary"])
    assert not report.agree
    found = outcome(report, name)
    assert found.outcome == "wrong"
    assert words in found.message
    assert words in str(report)


def test_the_users_own_traceback_stands_below():
    report = check(broken(raises), regimes=["ordinary"])
    assert "in raises" in str(report)
    assert "calling.py" not in str(report)


def test_state_kept_between_calls_is_said():
    KEPT["last"] = 0.0
    report = check(broken(keeps_state), regimes=["ordinary", "long"])
    assert "state is kept between calls" in outcome(report, "same again").message


def into_buffers(buffers, add):
    """Code with arrays of its own for the gradients, one for each shape."""

    def change(grads, dh, arrays):
        for name, g in grads.items():
            buffer = buffers.setdefault((name, g.shape), np.zeros_like(g))
            buffer[...] = buffer + g if add and name in ("Wx", "Wh", "b") else g
        return {name: buffers[name, g.shape] for name, g in grads.items()}

    return change


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_accumulating_into_what_was_there_is_told_from_a_state(dtype):
    report = check(broken(into_buffers({}, add=True)), regimes=["ordinary"], dtype=dtype)
    message = outcome(report, "same again").message
    assert "each call adds its gradients of Wx, Wh, b to what the call before has left" in message
    assert not report.agree
    assert report.diagnosis == ()  # the derivation may be right: there is no mistake in it to be named


def test_buffers_that_held_something_before_the_first_call_accumulate_all_the_same():
    buffers = {("Wh", (4, 4)): np.full((4, 4), 3.0)}
    report = check(broken(into_buffers(buffers, add=True)), regimes=["ordinary"])
    assert "it accumulates between calls" in outcome(report, "same again").message


def test_a_returned_buffer_that_is_used_again_is_noted_and_judged_as_it_was():
    report = check(broken(into_buffers({}, add=False)), regimes=["ordinary"])
    assert report.agree
    assert any("in the arrays that the call before returned" in note for note in report.notes)
    assert check(cs231n, regimes=["ordinary"]).notes == ()


def test_a_gradient_that_is_a_view_of_an_input_is_noted():
    def backward(*, dh, **arrays):
        return {"h0": dh[:, 0], **{n: g for n, g in cs231n(dh=dh, **arrays).items() if n != "h0"}}

    report = check(backward, regimes=["ordinary"])
    assert any(note.startswith("The gradient of h0 lies in the memory of dh") for note in report.notes)


def test_a_hang_ends_in_a_sentence():
    def backward(**arrays):
        time.sleep(3)

    report = check(backward, time_limit=0.2)
    assert "did not come back within 0.2 seconds" in str(report)
    assert not report.agree


def test_printing_is_noted_and_nothing_reaches_the_screen(capsys):
    def backward(*, dh, **arrays):
        print("step", dh.shape)
        return cs231n(dh=dh, **arrays)

    report = check(backward, regimes=["ordinary"])
    assert report.agree
    assert any("backward prints" in note for note in report.notes)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("options", "words"), [
    ({"against": "rnn"}, "from reference import autodiff"),
    ({"against": 3}, "against is of the type int"),
    ({"loss": "mse"}, "loss is 'mse'; it is one of every, last"),
    ({"dtype": "int8"}, "dtype is 'int8'"),
    ({"regimes": ["odd"]}, "There is no regime odd"),
])  # fmt: skip
def test_an_argument_that_makes_no_sense_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        check(cs231n, **options)
    with pytest.raises(ValueError, match="axes is 'TBN'"):
        Layout(axes="TBN")
    with pytest.raises(ValueError, match="backward is of the type int"):
        check_target(Target(backward=3, against=autodiff("rnn")))
