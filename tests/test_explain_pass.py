"""A whole pass that exposes only its results: the mistake is named, by replaying the derivation with it."""

import types
from pathlib import Path

import numpy as np
import pytest

import strangers
from cs231n import changed, check, cs231n
from manual_rnn.testing import Layout, check_backward, complex_step
from manual_rnn.testing.passes.explain_pass import NOTHING_FITS
from reference import autodiff
from strangers import MIN_CHAR_RNN, rnn_forward

BACK = "dh[:, t] + dprev, caches"
ACTIVATION = "(1 - next_h**2) * dnext_h"

UPSTREAM = [
    ("da @ Wh.T", "da @ Wh", "your ∇h has W ∇a(t+1) where the derivation has Wᵀ ∇a(t+1)"),
    (BACK, "dh[:, t], caches", "∇h: the term Wᵀ ∇a(t+1) is missing"),
    (BACK, "dh[:, t] - dprev, caches", "∇h: the term Wᵀ ∇a(t+1) has the wrong sign"),
    (BACK, "dh[:, t] + (T - t <= 3) * dprev, caches", "cut off 3 steps before the end"),
    (BACK, "dh[:, t] + (T - t <= 12) * dprev, caches", "cut off 12 steps before the end"),
    (BACK, "dh[:, t] + ((t + 1) % 2 > 0) * dprev, caches", "cut every 2 steps"),
    (BACK, "dh[:, t] + (t > 0) * dprev, caches", "is missing at the first step"),
    (BACK, "(t == T - 1) * dh[:, t] + dprev, caches", "dh(t) is there at the last step only"),
    (ACTIVATION, "dnext_h", "the derivative of the activation is missing"),
    (ACTIVATION, "(1 - np.arctanh(next_h)**2) * dnext_h", "your ∇a has a(t) where the derivation has h(t)"),
    (ACTIVATION, "(1 - np.tanh(next_h)**2) * dnext_h", "your ∇a has tanh h(t) where the derivation has h(t)"),
    (ACTIVATION, "(1 - prev_h**2) * dnext_h", "your ∇a has h(t−1) where the derivation has h(t)"),
    (ACTIVATION, "(1 + next_h**2) * dnext_h", "your ∇a has 1 + h(t)² where the derivation has (1 − h(t)²)"),
    (ACTIVATION, "next_h * (1 - next_h) * dnext_h", "h(t) ∘ (1 − h(t)) where the derivation has (1 − h(t)²)"),
    (ACTIVATION, f"1.000000001 * {ACTIVATION}", "is multiplied by 1.000000001"),
    ("prev_h.T @ da, ", "next_h.T @ da, ", "your ∇W is Σ_t ∇a(t) h(t)ᵀ; the derivation has Σ_t ∇a(t) h(t−1)ᵀ"),
    ("x.T @ da", "x.T @ dnext_h", "your ∇U is Σ_t ∇h(t) x(t)ᵀ; the derivation has Σ_t ∇a(t) x(t)ᵀ"),
    ("db = dWx + a, dWh + b, db + c", "db = dWx + a, dWh + b, db - c", "∇b is right up to the sign"),
    ("prev_h.T @ da, da.sum(axis=0)", "prev_h.T @ da, da[0]", "∇b: only the first sequence of the batch is in the sum"),
    ("reversed(range(T))", "reversed(range(1, T))", "The loop on the way back leaves out the first step."),
    ("reversed(range(T))", "reversed(range(T - 1))", "The loop on the way back leaves out the last step."),
    ("reversed(range(T))", "range(T)", "The loop on the way back goes forward in time"),
    (ACTIVATION, "(1 - next_h)**2 * dnext_h", "your ∇a has (1 − h(t))² where the derivation has (1 − h(t)²)"),
    ("return dx, dprev", "return dx, 0 * dprev", "∇h(0) is zero"),
    ("return da @ Wx.T", "return 0 * da @ Wx.T", "∇x is zero"),
    ("return dx, dprev", "return np.roll(dx, 1, axis=1), dprev", "late, and the last step's stands at the first"),
    ("return dx, dprev", "return dx[:, ::-1], dprev", "∇x is in the reverse order of time"),
]


@pytest.mark.parametrize(("right", "wrong", "words"), UPSTREAM, ids=lambda text: text)
def test_the_mistake_is_named(right, wrong, words):
    report = check(changed(right, wrong))
    assert words in report.diagnosis[0]
    assert words in str(report)


LAYOUT = Layout(
    names={"inputs": "x", "targets": "y", "hprev": "h0", "Wxh": "U", "Whh": "W", "Why": "V", "bh": "b", "by": "c"},
    axes="columns",
    tokens=True,
)
UNCLIPPED = MIN_CHAR_RNN.replace("np.clip(dparam, -5, 5, out=dparam)", "pass")


def min_char_rnn(text):
    module = types.ModuleType("min_char_rnn")
    exec(text, vars(module))

    def backward(*, inputs, targets, hprev, **weights):
        vars(module).update(weights, vocab_size=weights["Wxh"].shape[1])
        _, *grads, _ = module.lossFun(inputs, targets, hprev)
        return dict(zip(("Wxh", "Whh", "Why", "bh", "by"), grads, strict=True))

    return check_backward(backward, against=autodiff("rnn"), layout=LAYOUT)


def test_clipping_inside_the_loss_function_is_named():
    assert "clipped at ±5 inside" in min_char_rnn(MIN_CHAR_RNN).diagnosis[0]


@pytest.mark.parametrize(("right", "wrong", "words"), [
    ("dWhy += np.dot(dy, hs[t].T)", "dWhy += np.dot(dy, hs[t-1].T)", "your ∇V is Σ_t ∇o(t) h(t−1)ᵀ"),
    ("dy[targets[t]] -= 1", "pass", "∇o: the term −w(t) 1_y(t) is missing"),
    ("np.dot(Why.T, dy) + dhnext", "np.dot(Why.T, dy)", "∇h: the term Wᵀ ∇a(t+1) is missing"),
    ("np.dot(Why.T, dy) + dhnext", "dhnext + (t == len(inputs)-1) * np.dot(Why.T, dy)", "Vᵀ ∇o(t) is there at"),
    ("dby += dy", "dby = dy", "∇c: only the first step is in it"),
    ("reversed(range(len(inputs)))", "reversed(range(1, len(inputs)))",
     "The loop on the way back leaves out the first step, and the readout's gradients with it."),
    ("reversed(range(len(inputs)))", "range(len(inputs))", "The loop on the way back goes forward in time"),
    ("(1 - hs[t] * hs[t]) * dh", "(1 - hs[t]) ** 2 * dh", "has (1 − h(t))² where the derivation has (1 − h(t)²)"),
    ("np.dot(dhraw, hs[t-1].T)", "np.dot(dhraw, hs[(t-1) % len(inputs)].T)", "your ∇W is Σ_t ∇a(t) h(t−1 mod τ)ᵀ"),
    ("np.dot(dy, hs[t].T)", "np.dot(dy, hs[len(inputs)-1-t].T)", "your ∇V is Σ_t ∇o(t) h(τ+1−t)ᵀ"),
])  # fmt: skip
def test_the_mistake_is_named_behind_a_readout(right, wrong, words):
    assert right in UNCLIPPED
    assert words in min_char_rnn(UNCLIPPED.replace(right, wrong)).diagnosis[0]


@pytest.mark.parametrize(("right", "wrong", "words"), [
    ("reversed(range(T))", "reversed(range(1, T))", "The loop on the way back leaves out the first step."),
    pytest.param("reversed(range(T))", "range(T)", "The loop on the way back goes forward in time",
                 marks=pytest.mark.thorough),
    ("f * (1 - f)", "(1 - f)**2", "your ∇a_f has (1 − f(t))² where the derivation has f(t) ∘ (1 − f(t))"),
    pytest.param("1 - g**2", "(1 - g)**2", "your ∇a_g has (1 − g(t))² where the derivation has (1 − g(t)²)",
                 marks=pytest.mark.thorough),
    ("db + da.sum(axis=0)", "db + da[0]", "∇b of every gate: only the first sequence of the batch is in the sum."),
])  # fmt: skip
def test_the_mistake_is_named_in_an_lstm(right, wrong, words):
    module, text = types.ModuleType("changed"), Path(strangers.__file__).read_text(encoding="utf-8")
    assert right in text
    exec(text.replace(right, wrong), vars(module))

    def backward(*, dh, **arrays):
        return dict(zip(("x", "h0", "c0", "Wx", "Wh", "b"), module.lstm_backward(dh, **arrays), strict=True))

    layout = Layout(axes="BT", transposed=True, gates="ifog", names={"Wx": "U", "Wh": "W"})
    report = check(backward, against=autodiff("lstm"), layout=layout, regimes=["ordinary"])
    assert words in report.diagnosis[0]


def test_where_nothing_fits_that_is_said():
    report = check(changed(ACTIVATION, "np.cosh(next_h) * dnext_h"))
    assert report.diagnosis == ("No single mistake that is known here gives these numbers.",)


def test_right_code_gets_no_diagnosis():
    assert check(cs231n).diagnosis == ()


@pytest.mark.parametrize(("right", "wrong", "words"), UPSTREAM[::8], ids=lambda text: text)
def test_a_forward_of_ones_own_that_is_a_built_in_cell_gets_its_diagnosis(right, wrong, words):
    report = check(changed(right, wrong), against=complex_step(rnn_forward))
    assert words in report.diagnosis[0]


OWN_SHAPES = Layout(axes="BT", shapes={"Wx": ("n_in", "n_hidden"), "Wh": ("n_hidden", "n_hidden"), "b": ("n_hidden",)})
OF_ARRAYS = [
    ({"b": 0.0}, "∇b is zero."),
    ({"Wh": -1.0}, "∇Wh is right up to the sign."),
    ({"Wx": 2.0, "Wh": 2.0}, "∇Wx and ∇Wh are counted twice (factor 2)."),
]


@pytest.mark.parametrize(("factors", "words"), OF_ARRAYS, ids=str)
def test_of_any_other_forward_it_is_said_what_shows_in_whole_arrays(factors, words):
    def backward(**arrays):
        return {name: factors.get(name, 1.0) * gradient for name, gradient in cs231n(**arrays).items()}

    report = check(backward, against=complex_step(rnn_forward), layout=OWN_SHAPES, regimes=["ordinary"])
    assert report.diagnosis == (words,)


def test_of_any_other_forward_it_is_said_that_nothing_fits():
    wrong = changed("da @ Wh.T", "da @ Wh")
    report = check(wrong, against=complex_step(rnn_forward), layout=OWN_SHAPES, regimes=["ordinary"])
    assert report.diagnosis[0].startswith("No mistake is found that shows without the derivation")


def after(change, **options):
    """What is said of a right pass whose gradients are changed by a function of them."""
    report = check(lambda **arrays: change(cs231n(**arrays), arrays), **options)
    assert not report.agree
    return report.diagnosis[0]


PARAMETERS = ("Wx", "Wh", "b")


def test_a_factor_of_several_gradients_is_named():
    def averaged(gradients, arrays):
        return gradients | {name: gradients[name] / len(arrays["x"]) for name in PARAMETERS}

    assert after(averaged).startswith("∇U, ∇W and ∇b are averaged over the batch (factor 1/B).")


@pytest.mark.parametrize("names", [["x"], ["Wh"], ["h0"], PARAMETERS], ids=str)
@pytest.mark.parametrize(("limit", "dtype"), [(5, "float64"), (1000, "float32")])
def test_clipping_is_seen_in_every_gradient_and_said_of_no_other(names, limit, dtype):
    def clipped(gradients, _):
        return gradients | {name: gradients[name].clip(-limit, limit) for name in names}

    sentence = after(clipped, dtype=dtype)
    assert f"clipped at ±{limit} inside" in sentence
    assert "Every" not in sentence
    assert ("∇x" in sentence, "∇h(0)" in sentence) == ("x" in names, "h0" in names)


def test_clipping_by_the_norm_is_named():
    def scaled(gradients, _):
        norm = np.sqrt(sum((gradients[name] ** 2).sum() for name in PARAMETERS))
        return gradients | {name: gradients[name] * min(1, 1 / norm) for name in PARAMETERS}

    assert "scaled down to a norm of 1, together" in after(scaled, regimes=["ordinary", "long"])


def test_a_weight_decay_is_named():
    assert "∇W has 0.001 times the array itself added" in after(lambda g, a: g | {"Wh": g["Wh"] + 1e-3 * a["Wh"]})


def test_gradients_that_are_exchanged_are_named():
    sentence = after(lambda g, _: g | {"Wx": g["Wh"], "Wh": g["Wx"]})
    assert "exchanged: under Wx stands that of Wh, under Wh stands that of Wx" in sentence


def test_what_is_off_by_less_than_any_mistake_gets_no_wrong_words():
    assert after(lambda g, _: g | {"b": g["b"] * (1 + 1e-11)}).startswith("No mistake that is known here is as small")


def test_half_precision_inside_float32_gets_no_wrong_words():
    def halved(**arrays):
        rounded = {n: a.astype(np.float16).astype(np.float32) for n, a in arrays.items()}
        return {n: g.astype(np.float32) for n, g in cs231n(**rounded).items()}

    assert check(halved, dtype="float32").diagnosis == (NOTHING_FITS,)


def test_letters_are_translated_where_they_stand_for_arrays():
    """The c of "clipped" and of "counted" is not the bias c."""
    said = min_char_rnn(UNCLIPPED.replace("np.dot(Why.T, dy) + dhnext", "2 * np.dot(Why.T, dy) + dhnext")).diagnosis[0]
    assert said == "∇h: the term Vᵀ ∇o(t) is counted twice. (V is your Why)"


@pytest.mark.parametrize("declared", ["last", "mean"])
def test_another_loss_than_was_declared_is_named(declared):
    module = types.ModuleType("min_char_rnn")
    exec(UNCLIPPED, vars(module))

    def backward(*, inputs, targets, hprev, **weights):
        vars(module).update(weights, vocab_size=weights["Wxh"].shape[1])
        _, *grads, _ = module.lossFun(inputs, targets, hprev)
        return dict(zip(("Wxh", "Whh", "Why", "bh", "by"), grads, strict=True))

    report = check_backward(backward, against=autodiff("rnn"), layout=LAYOUT, loss=declared)
    assert report.diagnosis == (f"These are the gradients of the loss 'every', rightly; {declared!r} was declared.",)
