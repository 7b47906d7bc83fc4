"""The equations that all cells share, as sums of terms, found from what a cell declares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.cell import Term as MapTerm
from manual_rnn.expression import (
    Call,
    Expression,
    Symbol,
    Unreadable,
    backward_equations,
    evaluate,
    forward_equations,
)
from manual_rnn.testing import losses
from manual_rnn.testing.mistakes.spoken import spoken
from manual_rnn.testing.mistakes.terms import Given, Linear, Outer, Quantities, Quantity, Term

ONE = Quantity("1")


def gradient(name: str, offset: int = 0) -> Quantity:
    """∇name(t + offset)."""
    return Quantity(name, gradient=True, offset=offset)


FROM_ABOVE = Given("from above", lambda known, t: np.asarray(known.upstream)[t])


def stepwise(cell: Cell, loss: str = "softmax", *, above: bool = False) -> dict[str, list[Term]]:
    """The equations that hold at every step: by name, the terms of which each is the sum.

    ``above``: whether the first state's gradient comes from elsewhere than a readout of its own.
    """
    equations: dict[str, list[Term]] = {name: [*terms] for name, terms in losses.get(loss).terms.items()}
    for m in cell.maps:
        terms: list[Term] = [Linear(_input(cell, term), term.weight, diagonal=term.diagonal) for term in m.terms]
        terms += [Linear(Quantity("x"), m.U)] if m.U else []
        equations[cell.full(m.node)] = terms + ([Linear(ONE, m.b)] if m.b else [])
    first = cell.full(cell.states[0])
    equations["o"] = [Linear(Quantity(first), "V"), Linear(ONE, "c")]
    direct = FROM_ABOVE if above else Linear(gradient("o"), "V", transposed=True)
    equations[f"grad_{first}"] = [direct, *_carried(cell, cell.states[0])]
    equations |= _completed(cell)
    of_input = [Linear(gradient(cell.full(m.node)), m.U, transposed=True) for m in cell.maps if m.U]
    return {**equations, "grad_x": [*of_input]}


def initial(cell: Cell) -> dict[str, list[Term]]:
    """The gradients of the initial states: terms at row −1."""
    return {f"grad_{name}0": _carried(cell, name) for name in cell.states}


def summed(cell: Cell) -> dict[str, Outer]:
    """The gradients of the parameters: by name, the one term of each, a sum over time."""
    o = gradient("o")
    equations = {"grad_c": Outer(o, ONE), "grad_V": Outer(o, Quantity(cell.full(cell.states[0])))}
    for m in cell.maps:
        a = gradient(cell.full(m.node))
        equations |= {f"grad_{m.b}": Outer(a, ONE)} if m.b else {}
        for term in m.terms:
            equations[f"grad_{term.weight}"] = Outer(a, _input(cell, term), diagonal=term.diagonal)
        equations |= {f"grad_{m.U}": Outer(a, Quantity("x"))} if m.U else {}
    return equations


def own(cell: Cell) -> dict[str, Expression]:
    """The cell's own equations, as its code has them; none of code that cannot be read."""
    try:
        forward, backward = forward_equations(cell).tapped, backward_equations(cell).tapped
    except Unreadable:
        return {}
    found = {cell.full(name): expression for name, expression in forward.items()}
    return found | {f"grad_{cell.full(name)}": expression for name, expression in backward.items()}


def quantity_of(cell: Cell, symbol: Symbol, *, backward: bool) -> Quantity:
    """What a symbol in a cell's code stands for on the tapes."""
    name = cell.full(symbol.name)
    if symbol.kind == "prev":
        return Quantity(name, offset=-1)
    return Quantity(name, gradient=symbol.kind == "grad" or (symbol.kind == "made" and backward))


def _completed(cell: Cell) -> dict[str, list[Term]]:
    """Gradients to which more comes than the cell's own terms: from maps of their step, and for a state from t+1."""
    found: dict[str, list[Term]] = {}
    within = {term.of for m in cell.maps for term in m.terms if term.now}
    equations = own(cell)
    for name in dict.fromkeys([*cell.states[1:], *within]):
        equation = f"grad_{cell.full(name)}"
        addends = _addends(equations[equation]) if equation in equations else []
        if Symbol("grad", name) not in addends:
            continue
        terms: list[Term] = [_given(cell, part) for part in addends if part != Symbol("grad", name)]
        found[equation] = terms + arriving(cell, name)
    return found


def arriving(cell: Cell, name: str) -> list[Term]:
    """What comes to a node's gradient besides the cell's own terms: from maps of its step, and for a state from t+1."""
    within: list[Term] = [
        Linear(gradient(cell.full(m.node)), term.weight, transposed=not term.diagonal, diagonal=term.diagonal)
        for m in cell.maps for term in m.terms if term.now and term.of == name
    ]  # fmt: skip
    return within + (_carried(cell, name) if name in cell.states else [])


def _addends(expression: Expression) -> list[Expression]:
    if isinstance(expression, Call) and expression.function is np.add:
        return [part for argument in expression.arguments for part in _addends(argument)]
    return [expression]


def _given(cell: Cell, part: Expression) -> Given:
    def value(known: Quantities, t: int) -> Array:
        return evaluate(part, lambda symbol: known.at(quantity_of(cell, symbol, backward=True), t))

    return Given(words(cell, part, backward=True), value)


def _carried(cell: Cell, state: str) -> list[Term]:
    """What comes to a state's gradient from the next step: through its maps, and past them as the cell has it."""
    terms: list[Term] = [
        Linear(gradient(cell.full(m.node), 1), term.weight, transposed=not term.diagonal, diagonal=term.diagonal)
        for m in cell.maps for term in m.terms if term.of == state and not term.now
    ]  # fmt: skip
    try:
        direct = backward_equations(cell).returned.get(f"{state}_prev")
    except Unreadable:
        direct = Symbol("made", state)
    if direct is None:
        return terms
    spoken = words(cell, direct, backward=True).replace("(t)", "(t+1)").replace("(t−1)", "(t)")
    return [*terms, Given(spoken, lambda known, t: known.direct(state, t + 1), carried=True)]


def past_the_maps(terms: Sequence[Term], state: str) -> str:
    """What is to be said where a state's gradient, of these terms, is wrong by what the cell's own code returns."""
    returned = [str(term) for term in terms if isinstance(term, Given) and term.carried]
    words = f"is wrong: {returned[0]}" if returned else "is missing"
    return f"what comes back past the maps, which the cell returns as {state}_prev, {words}"


def _input(cell: Cell, term: MapTerm) -> Quantity:
    return Quantity(cell.full(term.of), offset=0 if term.now else -1)


def words(cell: Cell, expression: Expression, *, backward: bool) -> str:
    """An expression in the language of the derivation: ∇s(t) ∘ (1 − s(t)²)."""
    return spoken(expression, lambda symbol: str(quantity_of(cell, symbol, backward=backward)))
