"""What is said of code that is wrong: the mistake that was made, in words, and nothing where nothing fits."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_rnn import Cell, cells
from manual_rnn.testing import Sizes, Spec, judge
from manual_rnn.testing.diagnosis import diagnose
from manual_rnn.testing.mistakes.explain import explain, observe
from mistakes import MISTAKES
from other_forms import with_backward
from planting import planted
from reference import autodiff

SAID = {
    "the derivative of tanh forgotten": "∇a(t) is ∇h(t): the derivative of the activation is missing",
    "the pre-activation in the derivative": "has a(t) where the derivation has h(t)",
    "the activation applied twice": "has h(t) where the derivation has a(t)",  # 1 − tanh²(h) for 1 − tanh²(a)
    "the state of the step before": "has h(t−1) where the derivation has h(t)",
    "1 + h² for 1 − h²": "(1 + h(t)²) ∇h(t)",
    "off by one part in a thousand": "multiplied by 1.001",
    "float32 inside a float64 path": "has passed through float32",
    "clipping inside": "clipped at ±0.01",
}


@pytest.mark.parametrize("what", SAID)  # the diagnosis must not take the cell's wrong code for the derivation
def test_what_is_said_is_the_mistake_that_was_made(what, tmp_path):
    with planted(next(m for m in MISTAKES if m.what == what), tmp_path) as package:
        cell, manual = package.cells.get("rnn"), package.gradients.forward_and_backward
        found = explain(cell, "grad_a", observe(cell, autodiff("rnn"), manual=manual)["grad_a"])
    assert SAID[what] in found.sentence


SHAPE = Sizes(5, 2, 3, 2, 2)
SPECS = [Spec(family, SHAPE, "float64", 3, 80) for family in ("ordinary", "logits")]
OF_TIME_AND_OVERFLOW = {
    "the input of the step before": "Your a has U x(t−1 mod τ) where the derivation has U x(t).",
    "h of another step": "Your ∇V is Σ_t ∇o(t) h(τ+1−t)ᵀ; the derivation has Σ_t ∇o(t) h(t)ᵀ.",
    "the input's gradient a step late": "∇x is a step late, and the last step's stands at the first.",
    "tanh taken twice": "Your h is tanh of what the derivation has.",
    "softmax unshifted": "∇o: the largest logit is not taken off before the exponential, which overflows.",
    "the input left out": "a: the terms U x(t) and b are missing.",  # a is no A
}


@pytest.mark.usefixtures("no_witnesses")
@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_every_planted_mistake_is_put_in_words(mistake, tmp_path):
    with planted(mistake, tmp_path) as package:
        cell, manual = package.cells.get("rnn"), package.gradients.forward_and_backward
        tally = judge(cell, autodiff("rnn"), SPECS, manual=manual)
        sentences = diagnose(cell, autodiff("rnn"), tally, manual=manual)
    assert not any(sentence.startswith("No single mistake") for sentence in sentences)
    assert OF_TIME_AND_OVERFLOW.get(mistake.what, sentences[0]) in sentences


LEAK = 0.25


def leaky(p, prev, x, tap):
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    s = tap("s", jnp.tanh(a))
    return {"h": tap("h", (1 - LEAK) * prev["h"] + LEAK * s)}


def leaky_forward(node, prev, tap):
    s = tap("s", np.tanh(node.a))
    return {"h": tap("h", (1 - LEAK) * prev.h + LEAK * s)}


def leaky_backward(way):
    def backward(node, prev, grad, tap):
        grad_s = tap("s", LEAK * grad.h)
        return {"a": tap("a", (1 - node.s**2) * grad_s)} | way(grad)

    return backward


@pytest.mark.parametrize(("way", "words"), [
    (lambda grad: {}, "which the cell returns as h_prev, is missing."),
    (lambda grad: {"h_prev": LEAK * grad.h}, "which the cell returns as h_prev, is wrong: "),
])  # fmt: skip
def test_what_comes_back_past_the_maps_is_not_taken_for_a_mistake_in_what_comes_through_them(way, words):
    cell = Cell("leaky", leaky_forward, leaky_backward(way))
    observed = observe(cell, autodiff(leaky))
    for equation in ("grad_h", "grad_h0"):
        assert words in explain(cell, equation, observed[equation]).sentence
    right = Cell("leaky", leaky_forward, leaky_backward(lambda grad: {"h_prev": (1 - LEAK) * grad.h}))
    assert explain(right, "grad_h", observe(right, autodiff(leaky))["grad_h"]) is None


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_none_are_not_explained(wrong):
    cell = with_backward(lambda node, grad: grad.h * wrong)
    assert explain(cell, "grad_a", observe(cell, autodiff("rnn"))["grad_a"]) is None


def test_what_shows_in_no_case_is_not_explained():
    rnn = cells.get("rnn")
    assert explain(rnn, "grad_a", observe(rnn, autodiff("rnn"))["grad_a"]) is None


GRU = cells.get("gru")
FACTORS = {
    "the factor r(t) is missing": lambda node, grad_a_n: grad_a_n,
    "the factor r(t) is one that the derivation has not": lambda node, grad_a_n: grad_a_n * node.r * node.r,
    "the term r(t) is one that the derivation has not": lambda node, grad_a_n: grad_a_n * node.r + node.r,
}


def gru_with(grad_n_h):
    """The GRU, whose tap is handed another ∇n_h."""

    def backward(node, prev, grad, tap):
        made = {}

        def with_other(name, value):
            made[name] = tap(name, grad_n_h(node, made["a_n"]) if name == "n_h" else value)
            return made[name]

        return GRU.backward(node, prev, grad, with_other)

    return Cell("gru", GRU.forward, backward, maps=GRU.maps)


@pytest.mark.parametrize("words", FACTORS)
def test_what_an_equation_of_the_cell_lacks_or_has_besides(words):
    cell = gru_with(FACTORS[words])
    observed = observe(cell, autodiff("gru"))
    assert explain(cell, "grad_n_h", observed["grad_n_h"]).sentence == f"∇n_h: {words}."
