"""A whole pass that exposes only its results: the mistake is named, by replaying the derivation with it."""

import types

import pytest

from manual_rnn.testing import Layout, check_backward, complex_step
from reference import autodiff
from strangers import MIN_CHAR_RNN, rnn_forward
from test_check_backward import changed, check, cs231n

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
    ("np.dot(dhraw, hs[t-1].T)", "np.dot(dhraw, hs[(t-1) % len(inputs)].T)", "your ∇W is Σ_t ∇a(t) h(t−1 mod τ)ᵀ"),
    ("np.dot(dy, hs[t].T)", "np.dot(dy, hs[len(inputs)-1-t].T)", "your ∇V is Σ_t ∇o(t) h(τ+1−t)ᵀ"),
])  # fmt: skip
def test_the_mistake_is_named_behind_a_readout(right, wrong, words):
    assert right in UNCLIPPED
    assert words in min_char_rnn(UNCLIPPED.replace(right, wrong)).diagnosis[0]


def test_where_nothing_fits_that_is_said():
    report = check(changed(ACTIVATION, "np.cosh(next_h) * dnext_h"))
    assert report.diagnosis == ("No single mistake that is known here gives these numbers.",)


def test_right_code_and_code_without_a_built_in_cell_get_no_diagnosis():
    assert check(cs231n).diagnosis == ()
    report = check(changed("da @ Wh.T", "da @ Wh"), against=complex_step(rnn_forward), regimes=["ordinary"])
    assert report.diagnosis == ()
