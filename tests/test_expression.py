"""A cell's own equations, read from its code, and how they are said."""

import dataclasses

import numpy as np
import pytest

from manual_rnn import cells
from manual_rnn.activations import sigmoid
from manual_rnn.cell import Nodes
from manual_rnn.expression import Number, Symbol, Unreadable, backward_equations, evaluate, forward_equations
from manual_rnn.testing.mistakes.equations import own, words
from manual_rnn.testing.mistakes.spoken import recognised, spoken
from oracle_cases import draw
from reference import autodiff

RNN = cells.get("rnn")
A, H = Symbol("node", "a"), Symbol("node", "h")


def read(formula):
    """The expression of h in a cell whose forward step is this formula."""
    cell = dataclasses.replace(RNN, forward=lambda node, prev, tap: {"h": tap("h", formula(node, prev))})
    return forward_equations(cell).tapped["h"]


def say(formula):
    return spoken(read(formula), lambda symbol: f"{symbol.name}{'⁻' if symbol.kind == 'prev' else ''}")


@pytest.mark.parametrize("name", cells.names())
def test_every_built_in_cell_can_be_read_and_computes_what_its_code_does(name):
    cell = cells.get(name)
    case = draw(cell)
    ((nodes, _),) = autodiff(name)([case.for_oracle()])
    own_names = {own: nodes[full] for full in nodes if (own := cell.own(full))}
    before = {s: np.concatenate([case.initial[s][None], nodes[cell.full(s)][:-1]]) for s in cell.states}
    rng = np.random.default_rng(0)
    arrived = {name: rng.standard_normal(array.shape) for name, array in own_names.items()}
    kinds = {"node": own_names, "prev": before, "grad": arrived}
    node, prev, grad = (Nodes(**kind) for kind in kinds.values())
    for equations, run in (
        (forward_equations(cell), lambda tap: cell.forward(node, prev, tap)),
        (backward_equations(cell), lambda tap: cell.backward(node, prev, grad, tap)),
    ):
        tapped = {}
        returned = run(lambda name, value, tapped=tapped: tapped.setdefault(name, value))
        assert list(tapped) == list(equations.tapped)
        assert list(returned) == list(equations.returned)
        made = {**kinds, "made": tapped}
        for expressions, values in ((equations.tapped, tapped), (equations.returned, returned)):
            for key, expression in expressions.items():
                found = evaluate(expression, lambda symbol, made=made: made[symbol.kind][symbol.name])
                np.testing.assert_array_equal(found, values[key], err_msg=key)


def with_a_condition(node, prev):
    return np.tanh(node.a) if node.a.sum() > 0 else node.a


@pytest.mark.parametrize(
    "formula",
    [
        lambda node, prev: np.tanh(node.a) if node.a > 0 else node.a,
        lambda node, prev: node.a[..., :1],
        lambda node, prev: np.tanh(node.a, out=node.a),
        lambda node, prev: np.einsum("bi,bi->bi", node.a, prev.h),
        lambda node, prev: np.add.reduce(node.a),
        lambda node, prev: [node.a],
        lambda node, prev: node.a * node.a.shape[-1],
        lambda node, prev: np.clip(node.a, -1, 1).max(),
        lambda node, prev: 1 / 0,
        with_a_condition,
    ],
    ids=["if", "an index", "out", "einsum", "reduce", "a list", "a shape", "a method", "an exception", "a sum"],
)
def test_code_that_is_no_arithmetic_by_element_cannot_be_read(formula):
    with pytest.raises(Unreadable):
        read(formula)


def test_of_a_cell_that_cannot_be_read_no_equation_is_known():
    assert own(dataclasses.replace(RNN, forward=lambda node, prev, tap: {"h": tap("h", node.a[:])})) == {}
    assert set(own(RNN)) == {"h", "grad_a"}


def test_a_symbol_that_was_tapped_stands_for_what_was_tapped():
    def forward(node, prev, tap):
        s = tap("s", np.tanh(node.a))
        return {"h": tap("h", 0.5 * s + prev.h)}

    equations = forward_equations(dataclasses.replace(RNN, forward=forward))
    assert list(equations.tapped) == ["s", "h"]
    assert Symbol("made", "s") in equations.tapped["h"].arguments[0].arguments
    assert equations.returned == {"h": Symbol("made", "h")}


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        (lambda n, p: np.tanh(n.a), "tanh a"),
        (lambda n, p: sigmoid(n.a), "σ(a)"),
        (lambda n, p: 1 / (1 + np.exp(-n.a)), "σ(a)"),
        (lambda n, p: 1.0 / (1.0 + np.exp(-(n.a + p.h))), "σ(a + h⁻)"),
        (lambda n, p: 1 / (1 + np.exp(n.a)), "1 / (1 + exp a)"),
        (lambda n, p: (1 - n.a) * (1 + n.a), "(1 − a²)"),
        (lambda n, p: (1 - n.a**2) * p.h, "(1 − a²) ∘ h⁻"),
        (lambda n, p: 1 - n.a * n.a, "(1 − a²)"),
        (lambda n, p: 1 - np.tanh(n.a) ** 2, "(1 − (tanh a)²)"),
        (lambda n, p: (1 - n.a) * (1 + p.h), "(1 − a) ∘ (1 + h⁻)"),
        (lambda n, p: (1 - n.a) * p.h + n.a * n.a, "(1 − a) ∘ h⁻ + a ∘ a"),
        (lambda n, p: n.a * (n.a * (1 - n.a)), "a ∘ a ∘ (1 − a)"),
        (lambda n, p: n.a - (p.h - n.a), "a − (h⁻ − a)"),
        (lambda n, p: n.a / (p.h * 2), "a / (h⁻ ∘ 2)"),
        (lambda n, p: -n.a, "− a"),
        (lambda n, p: np.square(n.a + 1), "(a + 1)²"),
        (lambda n, p: np.maximum(n.a, 0), "maximum(a, 0)"),
        (lambda n, p: np.where(n.a > 0, n.a, 0), "where(greater(a, 0), a, 0)"),
        (lambda n, p: np.zeros_like(n.a) + 0.25 * n.a, "0 + 0.25 ∘ a"),
    ],
)
def test_an_expression_is_said_in_the_language_of_a_derivation(formula, said):
    assert say(formula) == said


@pytest.mark.parametrize("a", [-800.0, -3.0, 0.0, 0.7, 40.0])
def test_what_is_recognised_has_the_same_value(a):
    for formula in (
        lambda n, p: 1 / (1 + np.exp(-n.a)), lambda n, p: (1 - n.a) * (1 + n.a), lambda n, p: 1 - np.power(n.a, 2.0)
    ):  # fmt: skip
        expression = read(formula)
        assert recognised(expression) != expression
        with np.errstate(over="ignore"):
            values = [float(evaluate(e, lambda symbol: np.array(a))) for e in (expression, recognised(expression))]
        assert values[0] == pytest.approx(values[1], rel=1e-15)
    assert evaluate(Number(2.5), lambda symbol: None) == 2.5


def test_the_words_of_an_lstm_are_those_of_its_derivation():
    cell = cells.get("lstm")
    said = {name: words(cell, e, backward=name.startswith("grad_")) for name, e in own(cell).items()}
    assert said["cell.c"] == "f(t) ∘ c(t−1) + i(t) ∘ g(t)"
    assert said["h"] == "o(t) ∘ s(t)"
    assert said["grad_a_f"] == "∇f(t) ∘ f(t) ∘ (1 − f(t))"
    assert said["grad_f"] == "∇c(t) ∘ c(t−1)"
    assert said["grad_a_g"] == "∇g(t) ∘ (1 − g(t)²)"
