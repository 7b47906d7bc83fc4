"""A cell's derivation says one thing in four places: docstring, numbered lines of code, labels, LaTeX for reports."""

import inspect
import re
from functools import cache
from importlib import import_module

import numpy as np
import pytest

from latex_values import left_side, plain, value
from manual_rnn import cells
from manual_rnn.formulas import formula
from manual_rnn.html_report.mathml import equation as as_mathematics
from oracle_cases import draw
from reference import autodiff

NAMES = cells.names()
any_cell = pytest.mark.parametrize("name", NAMES)
TAPPED = re.compile(r'tap\("(\w+)", .*# \((F2[.\d]*|B5[.\d]*)\)$', re.MULTILINE)
OF_LOSS = ("loss", "grad_o")
"""Equations in words of their own, softmax and 1_y: tests/test_html_report.py holds them against the docstring."""


def derivation(name):
    """The docstring of a cell, and of the cells whose code or equations it takes over."""
    cell = cells.get(name)
    file = import_module(f"manual_rnn.cells.{name}")
    modules = dict.fromkeys(map(inspect.getmodule, (file, cell.forward, cell.backward)))
    return "\n".join(module.__doc__ for module in modules)


def squeezed(latex):
    """Without spaces, alignment and line breaks, so that a sum that is set on two lines is the same."""
    return re.sub(r"\\\\|\\quad|\\,|[&\s]", "", latex)


def numbered(name):
    """The number of each equation that a line of the code taps, forward and backward."""
    cell = cells.get(name)
    found = {}
    for prefix, function in (("", cell.forward), ("grad_", cell.backward)):
        for node, number in TAPPED.findall(inspect.getsource(function)):
            found[f"{prefix}{cell.full(node)}"] = number
    return found


def of_made_weights(cell):
    return {w.name for w in cell.weights} | {f"grad_{w.of}" for w in cell.weights}


@any_cell
def test_every_line_that_taps_has_its_number_and_the_labels_are_these(name):
    cell = cells.get(name)
    for function in (cell.forward, cell.backward):
        lines = [line for line in inspect.getsource(function).splitlines() if "tap(" in line and "def " not in line]
        assert [line for line in lines if not TAPPED.search(line)] == []
    labels = {equation: number for equation, number in cell.labels.items() if equation not in of_made_weights(cell)}
    assert labels == numbered(name)


@any_cell
def test_numbers_stand_in_order_and_once(name):
    cell = cells.get(name)
    for function, head in ((cell.forward, "F2"), (cell.backward, "B5")):
        numbers = [number for _, number in TAPPED.findall(inspect.getsource(function))]
        in_order = [f"{head}.{k + 1}" for k in range(len(numbers))]
        assert numbers == in_order if len(numbers) > 1 else numbers == [head]


@any_cell
def test_the_numbers_of_a_made_weight_are_in_its_code(name):
    cell = cells.get(name)
    code = "".join(inspect.getsource(f) for w in cell.weights for f in (w.forward, w.backward))
    for equation in of_made_weights(cell):
        assert f"# ({cell.labels[equation]})" in code


@any_cell
def test_each_equation_of_its_own_stands_in_the_derivation_under_its_number(name):
    cell = cells.get(name)
    assert set(cell.labels) <= set(cell.latex)
    lines = re.findall(r"(?s)((?:(?!&& \\text).)*)&& \\text\{(\w[\w.]*)[,}]", derivation(name))
    by_number = {}
    for text, number in lines:
        by_number.setdefault(number, []).append(squeezed(text))
    for equation, number in cell.labels.items():
        assert any(squeezed(cell.latex[equation]) in text for text in by_number[number]), (equation, number)


@any_cell
def test_what_goes_past_the_maps_stands_in_the_derivation_of_the_state(name):
    cell = cells.get(name)
    for state in cell.states:
        if f"{state}_prev" in cell.latex:
            past = cell.latex[f"{state}_prev"].replace("(t)", "(t+1)")
            assert squeezed(past) in squeezed(derivation(name))


WRITTEN_OUT = [name for name in NAMES if "F1" in derivation(name) and "a_k(t)" not in derivation(name)]
"""Not by reference to the vanilla network, and not once for all gates k."""


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_the_maps_that_a_derivation_writes_out_are_those_that_the_cell_declares(name):
    cell, text = cells.get(name), squeezed(derivation(name))
    for m in cell.maps:
        assert squeezed(plain(formula(cell, cell.full(m.node)))) in text


@cache
def answered(name):
    case = draw(cells.get(name), seed=3)
    return case, autodiff(name)([case.for_oracle()])[0]


def quantity_of(name):
    cell = cells.get(name)
    case, (nodes, grads) = answered(name)

    def quantity(symbol, gradient, when):
        # In an LSTM's own equations o and c are the cell's; V stands before the readout's.
        own = symbol if symbol not in ("o", "c") or cell.full(symbol) not in nodes else cell.full(symbol)
        rows = case.x if symbol == "x" else (grads if gradient else nodes)[own]
        if when == "t-1":
            return np.concatenate([case.initial[symbol][None], rows[:-1]])
        if when == "t+1":
            return np.concatenate([rows[1:], np.zeros_like(rows[:1])])
        return rows if when == "t" else rows[0]

    return quantity


def equations(name):
    """Those of which reports show LaTeX that is arithmetic by nodes: not those of loss and of made weights."""
    cell = cells.get(name)
    _, (nodes, grads) = answered(name)
    every = [*nodes, *(f"grad_{variable}" for variable in grads)]
    made = of_made_weights(cell) | {f"grad_{w.name}" for w in cell.weights}
    return [equation for equation in every if equation not in (*OF_LOSS, *made)]


@any_cell
def test_every_equation_as_it_is_shown_holds_of_the_references_values(name):
    cell = cells.get(name)
    case, (nodes, grads) = answered(name)
    for equation in equations(name):
        shown = formula(cell, equation)
        assert shown is not None, equation
        variable = equation.removeprefix("grad_")
        truth = grads[variable] if equation.startswith("grad_") else nodes[variable]
        quantity = quantity_of(name)
        if variable == "o" or equation in ("grad_V", "grad_c", f"grad_{cell.full(cell.states[0])}"):
            quantity = with_the_logits(quantity, case, nodes, grads)
        found = value(shown, quantity, lambda symbol: {**case.params, **nodes}[symbol])
        assert np.abs(found - truth).max() <= 1e-13 * (1 + np.abs(truth).max()), (equation, shown)
        symbol = left_side(shown).removeprefix(r"\nabla ").split("(")[0].strip()
        assert symbol == variable.removeprefix("cell.").removesuffix("0"), equation


def with_the_logits(quantity, case, nodes, grads):
    """Around the readout, o is the logits."""
    return lambda symbol, gradient, when: (
        (grads if gradient else nodes)["o"] if symbol == "o" else quantity(symbol, gradient, when)
    )


@any_cell
def test_a_wrong_equation_does_not_hold(name):
    """Else the test above could not fail: each term of each equation of its own with another sign."""
    cell = cells.get(name)
    case, (nodes, grads) = answered(name)
    for equation, latex in cell.latex.items():
        if equation not in equations(name) or not re.search(" [+-] ", latex):
            continue
        variable = equation.removeprefix("grad_")
        truth = grads[variable] if equation.startswith("grad_") else nodes[variable]
        wrong = latex.replace(" + ", " ~ ", 1).replace(" - ", " + ", 1).replace(" ~ ", " - ", 1)
        found = value(wrong, quantity_of(name), lambda symbol: {**case.params, **nodes}[symbol])
        assert np.abs(found - truth).max() > 1e-3 * np.abs(truth).max(), wrong


@any_cell
def test_every_equation_is_set_as_mathematics(name):
    cell = cells.get(name)
    for equation in [*equations(name), *OF_LOSS, *of_made_weights(cell)]:
        assert "<code>" not in as_mathematics(formula(cell, equation)), equation
