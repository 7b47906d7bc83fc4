"""A cell whose own code is the wrong one: the diagnosis must not take that code for the derivation."""

import pytest

from manual_rnn.testing.mistakes.explain import explain, observe
from mistakes import MISTAKES
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


@pytest.mark.parametrize("what", SAID)
def test_what_is_said_is_the_mistake_that_was_made(what, tmp_path):
    with planted(next(m for m in MISTAKES if m.what == what), tmp_path) as package:
        cell, manual = package.cells.get("rnn"), package.bptt.forward_and_backward
        found = explain(cell, "grad_a", observe(cell, autodiff("rnn"), manual=manual)["grad_a"])
    assert SAID[what] in found.sentence
