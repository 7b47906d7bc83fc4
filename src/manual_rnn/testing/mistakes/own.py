"""What a cell's own equation may have become: its expression with one thing in it dropped, turned or exchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from manual_rnn.activations import sigmoid
from manual_rnn.cell import Array, Cell
from manual_rnn.expression import Call, Expression, Number, Symbol, evaluate
from manual_rnn.testing.mistakes.equations import arriving, own, quantity_of
from manual_rnn.testing.mistakes.formula import Formula, Observed, Value, symbol
from manual_rnn.testing.mistakes.spoken import NAMES, one_minus_square, recognised, spoken
from manual_rnn.testing.mistakes.terms import Quantities, Quantity, Term

Leaf = Quantity | Symbol
"""A quantity on the tapes; or the symbol of what has come to a node's gradient, which is on no tape."""
FUNCTIONS: dict[str, Callable[[Array], Array]] = {"tanh": np.tanh, "σ": sigmoid, "−": np.negative}


def gives_the_right_numbers(value: Callable[[Quantities], Array], seen: Sequence[Observed]) -> bool:
    """Whether code gives what the oracle gives: to ten digits of the largest number, so float32 does not."""
    return all(bool((np.abs(value(o.known) - o.right) <= 1e-10 * np.abs(o.right).max()).all()) for o in seen)


@dataclass(frozen=True)
class OwnEquation:
    """One equation of a cell's own code, ready to be computed from the tapes, as it is or edited."""

    cell: Cell
    equation: str
    expression: Expression

    @classmethod
    def of(cls, cell: Cell, equation: str) -> OwnEquation | None:
        """None where the cell has no such equation, or code that cannot be read."""
        found = own(cell).get(equation)
        return None if found is None else cls(cell, equation, recognised(found))

    @property
    def backward(self) -> bool:
        return self.equation.startswith("grad_")

    def value(self, known: Quantities) -> Array:
        return self.value_of(self.expression)(known)

    def value_of(self, expression: Expression) -> Value:
        """An expression at every row that is wanted; its symbols may be quantities."""

        def rows(known: Quantities) -> Array:
            size = (known.case.spec.sizes.B, known.case.spec.sizes.n_hidden)
            return np.stack([np.broadcast_to(self._row(expression, known, t), size) for t in known.rows])

        return rows

    def _row(self, expression: Expression, known: Quantities, t: int) -> Array:
        def read(leaf: object) -> Array:
            if isinstance(leaf, Quantity):
                return known.at(leaf, t)
            assert isinstance(leaf, Symbol)
            if self.arrives(leaf):
                return sum((term.row(known, t) for term in self._arriving[leaf.name]), np.zeros(()))
            return known.at(quantity_of(self.cell, leaf, backward=self.backward), t)

        return evaluate(expression, read)

    @cached_property
    def _arriving(self) -> dict[str, list[Term]]:
        """By the name of such a symbol, the terms of what has come to it; to find them the cell's code is read."""
        return {leaf.name: arriving(self.cell, leaf.name) for leaf in self.leaves() if self.arrives(leaf)}

    def arrives(self, leaf: object) -> bool:
        """Whether a symbol stands for what has come to a gradient that the cell itself completes."""
        return isinstance(leaf, Symbol) and leaf.kind == "grad" and leaf.name != self.cell.states[0]

    def words(self, expression: Expression) -> str:
        return spoken(expression, self._name)

    def _name(self, leaf: object) -> str:
        if isinstance(leaf, Quantity):
            return str(leaf)
        assert isinstance(leaf, Symbol)
        if self.arrives(leaf):
            return "what comes to it from elsewhere"
        return str(quantity_of(self.cell, leaf, backward=self.backward))

    def leaves(self) -> list[Symbol]:
        """The symbols that the expression reads, each once."""
        return list(dict.fromkeys(_leaves(self.expression)))


def formulas_of_own(cell: Cell, equation: str, seen: Sequence[Observed]) -> Iterator[Formula]:
    """The cell's own expression with one change in it: a term, a factor, a sign, a function, a quantity.

    Where the cell's code is the wrong one, it is said which change repairs it, and what needs no code: a derivative
    left out, a polynomial.
    """
    right = OwnEquation.of(cell, equation)
    if equation.startswith("grad_"):
        yield from _without_derivative(cell, equation)
    if right is not None and gives_the_right_numbers(right.value, seen):
        name = symbol(equation)
        for sentence, edited, count in _edits(right, seen[0].known):
            yield Formula(f"{name}: {sentence}." if sentence.startswith("the ") else f"your {name} {sentence}.",
                          right.value_of(edited), count)  # fmt: skip
    elif right is not None:
        yield from _repairs(right, seen[0].known)
    if equation.startswith("grad_"):
        yield from _polynomials(cell, equation, seen)


def _edits(right: OwnEquation, known: Quantities) -> Iterator[tuple[str, Expression, int]]:
    """The sentence of each change, the changed expression, and how many things are changed."""
    whole = right.expression
    of_a_state = right.equation in (right.cell.full(state) for state in right.cell.states)
    if of_a_state and isinstance(whole, Call) and len(whole.arguments) == 1:
        yield "the function is applied twice", Call(whole.function, (whole,)), 1
    yield from _structural(right, right.expression, lambda changed: changed)
    for leaf in (leaf for leaf in right.leaves() if not right.arrives(leaf)):
        target = right.words(leaf)
        for other in _instead_of(right, leaf, known):
            changed = _replaced(right.expression, leaf, other)
            near = _near(right, leaf, other)
            yield f"has {other} where the derivation has {target}", changed, 1 if near else 2
        for function in FUNCTIONS.values():
            inside = Call(function, (leaf,))
            changed = _replaced(right.expression, leaf, inside)
            yield f"has {right.words(inside)} where the derivation has {target}", changed, 1


def _structural(
    right: OwnEquation, part: Expression, whole: Callable[[Expression], Expression]
) -> Iterator[tuple[str, Expression, int]]:
    """Changes of the operations: ``whole`` puts a changed part back into the expression."""
    if not isinstance(part, Call):
        return
    function, arguments = part.function, part.arguments
    if function in (np.add, np.subtract):
        a, b = arguments
        other = np.add if function is np.subtract else np.subtract
        minus_b = b if function is np.add else Call(np.negative, (b,))
        yield f"the term {right.words(a)} is missing", whole(minus_b), 1
        yield f"the term {right.words(b)} is missing", whole(a), 1
        yield f"the term {right.words(b)} has the wrong sign", whole(Call(other, (a, b))), 1
        if not isinstance(a, Number):
            yield f"the term {right.words(a)} has the wrong sign", whole(Call(np.negative, (Call(other, (a, b)),))), 1
    elif function is np.multiply:
        a, b = arguments
        for kept, dropped in ((a, b), (b, a)):
            if not isinstance(dropped, Number):
                yield missing_factor(right, dropped), whole(kept), 1
    elif function is np.where:
        yield from ()
    elif len(arguments) == 1:
        (a,) = arguments
        called = right.words(part)
        if function is one_minus_square:
            v = right.words(a)
            yield f"the square is missing: 1 − {v} stands where the derivation has {called}", whole(
                Call(np.subtract, (Number(1.0), a))), 1  # fmt: skip
            for instead in (
                _square_of_difference(a),
                Call(np.add, (Number(1.0), Call(np.square, (a,)))),
                Call(np.multiply, (a, Call(np.subtract, (Number(1.0), a)))),
            ):
                yield f"has {right.words(instead)} where the derivation has {called}", whole(instead), 1
        elif function in NAMES:
            yield f"the function {NAMES[function]} is missing", whole(a), 1
            yield f"the function {NAMES[function]} is applied twice", whole(Call(function, (part,))), 1
            for instead_function in (np.tanh, sigmoid):
                if function in (np.tanh, sigmoid) and instead_function is not function:
                    instead = Call(instead_function, (a,))
                    yield f"has {right.words(instead)} where the derivation has {called}", whole(instead), 1
    if _is_logistic_derivative(part):
        for instead in (Call(one_minus_square, (arguments[0],)), _square_of_difference(arguments[0])):
            yield f"has {right.words(instead)} where the derivation has {right.words(part)}", whole(instead), 1
    for i, argument in enumerate(arguments):
        if function is np.where and i == 0:
            continue

        def around(changed: Expression, i: int = i) -> Expression:
            return whole(Call(function, (*arguments[:i], changed, *arguments[i + 1 :])))

        yield from _structural(right, argument, around)


def _square_of_difference(v: Expression) -> Expression:
    """(1 − v)², a square that has slipped outside."""
    return Call(np.square, (Call(np.subtract, (Number(1.0), v)),))


def missing_factor(right: OwnEquation, dropped: Expression) -> str:
    spoken_factor = right.words(dropped)
    is_derivative = _is_logistic_derivative(dropped) or (
        isinstance(dropped, Call) and dropped.function is one_minus_square
    )
    return f"the derivative of the activation, {spoken_factor}, is missing" if is_derivative else (
        f"the factor {spoken_factor} is missing"
    )  # fmt: skip


def _is_logistic_derivative(part: Expression) -> bool:
    """s (1 − s)."""
    match part:
        case Call(np.multiply, (s, Call(np.subtract, (Number(1.0), t)))) if s == t:
            return True
    return False


def _leaves(expression: Expression) -> Iterator[Symbol]:
    if isinstance(expression, Symbol):
        yield expression
    elif isinstance(expression, Call):
        for part in expression.arguments:
            yield from _leaves(part)


def _replaced(expression: Expression, leaf: Expression, other: object) -> Expression:
    if expression == leaf:
        return other  # type: ignore[return-value]
    if isinstance(expression, Call):
        return Call(expression.function, tuple(_replaced(part, leaf, other) for part in expression.arguments))
    return expression


def _instead_of(right: OwnEquation, leaf: Symbol, known: Quantities) -> Iterator[Quantity]:
    """All that has a unit's width at some step, but what the symbol itself stands for."""
    mine = {right.cell.full(name) for name in (*own_names(right.cell), *right.cell.states)}
    target = quantity_of(right.cell, leaf, backward=right.backward)
    names = [name for name in known.nodes_by_step if name in mine]
    for offset in (0, -1, 1):
        for name in names:
            for gradient in (False, True) if right.backward else (False,):
                quantity = Quantity(name, gradient=gradient, offset=offset)
                if quantity != target and f"{'grad_' * gradient}{name}" != right.equation and (
                    offset < 1 or gradient or right.backward
                ) and (offset < 1 or right.backward):  # fmt: skip
                    yield quantity


def own_names(cell: Cell) -> Iterator[str]:
    for m in cell.maps:
        yield m.node
    for name in own(cell):
        if not name.startswith("grad_"):
            yield cell.own(name) or name


def _near(right: OwnEquation, leaf: Symbol, other: Quantity) -> bool:
    """Whether one thing is changed: the step, or the name for another of the same kind."""
    target = quantity_of(right.cell, leaf, backward=right.backward)
    return target.gradient == other.gradient and (target.name == other.name) != (target.offset == other.offset)


def _repairs(wrong: OwnEquation, known: Quantities) -> Iterator[Formula]:
    """The changes that turn a cell's wrong code into one that gives the oracle's numbers."""
    name = symbol(wrong.equation)
    for leaf in wrong.leaves():
        for other in _instead_of(wrong, leaf, known):
            words = f"has {wrong.words(leaf)} where the derivation has {other}"
            yield repaired(wrong, _replaced(wrong.expression, leaf, other), f"your {name} {words}")


def repaired(wrong: OwnEquation, expression: Expression, sentence: str) -> Formula:
    """The user's own numbers, in every case in which this expression in the place of theirs gives the oracle's."""
    answer = Quantity(wrong.equation.removeprefix("grad_"), gradient=wrong.backward)
    by_this = wrong.value_of(expression)

    def value(known: Quantities) -> Array:
        right = np.stack([known.at(answer, t) for t in known.rows])
        is_right = (np.abs(by_this(known) - right) <= 1e-10 * np.abs(right).max()).all()
        return wrong.value(known) if is_right else np.full_like(right, np.nan)

    return Formula(f"{sentence}.", value)


def _without_derivative(cell: Cell, equation: str) -> Iterator[Formula]:
    for state in cell.states:
        incoming = Quantity(cell.full(state), gradient=True)
        yield Formula(
            f"your {symbol(equation)}(t) is {incoming}: the derivative of the activation is missing.",
            lambda known, q=incoming: np.stack([known.at(q, t) for t in known.rows]),  # type: ignore[misc]
        )


def _polynomials(cell: Cell, equation: str, seen: Sequence[Observed]) -> Iterator[Formula]:
    """The incoming gradient times a polynomial of second degree in one node, its coefficients fitted to one case."""
    for state in cell.states:
        incoming = Quantity(cell.full(state), gradient=True)
        nodes = [Quantity(cell.full(n)) for n in cell.nodes]
        before = [Quantity(cell.full(n), offset=-1) for n in cell.states]
        for node in [*nodes, *before]:

            def powers(known: Quantities, g: Quantity = incoming, v: Quantity = node) -> Array:
                rows = [(known.at(g, t), known.at(v, t)) for t in known.rows]
                return np.stack([[g * v**k for g, v in rows] for k in range(3)], axis=-1)

            fitted, *_ = np.linalg.lstsq(powers(seen[0].known).reshape(-1, 3), seen[0].ours.ravel(), rcond=None)
            simple = np.round(4 * fitted) / 4  # quarters are what a hand writes
            yield Formula(
                f"your {symbol(equation)} is ({polynomial(simple, str(node))}) {incoming}.",
                lambda known, powers=powers, c=simple: powers(known) @ c,  # type: ignore[misc]
                measured=True,
            )


def polynomial(coefficients: Array, variable: str) -> str:
    """1 − 2h(t) + h(t)²."""
    powers = ("", variable, f"{variable}²")
    parts = [(c, p) for c, p in zip(coefficients, powers, strict=True) if c]
    words = " ".join(f"{'−' if c < 0 else '+'} {'' if abs(c) == 1 and p else f'{abs(c):g}'}{p}" for c, p in parts)
    return words.removeprefix("+ ").replace("− ", "−", 1) if words.startswith("− ") else words.removeprefix("+ ")


def with_another(cell: Cell, equation: str, take: str, instead: str, through: str = "") -> Value | None:
    """A cell's own equation with a node of its step exchanged for another, or for a function of it.

    None where the equation does not read that node.
    """
    right = OwnEquation.of(cell, equation)
    leaves = [] if right is None else [leaf for leaf in right.leaves() if leaf == Symbol("node", take)]
    if right is None or not leaves:
        return None
    other: object = Quantity(cell.full(instead))
    if through:
        other = Call(FUNCTIONS[through], (Quantity(cell.full(instead)),))  # type: ignore[arg-type]
    return right.value_of(_replaced(right.expression, leaves[0], other))


def without_derivative(cell: Cell, equation: str) -> Value | None:
    """A cell's own equation without the factor that is an activation's derivative; None where there is no such."""
    right = OwnEquation.of(cell, equation)
    if right is None:
        return None
    changed = _structural(right, right.expression, lambda part: part)
    found = [edited for sentence, edited, _ in changed if sentence.startswith("the derivative of the activation")]
    return right.value_of(found[0]) if found else None


def with_square_outside(cell: Cell, equation: str) -> Value | None:
    """A cell's own equation with (1 − v)² in the place of an activation's derivative, 1 − v² or v (1 − v).

    None where there is no such.
    """
    right = OwnEquation.of(cell, equation)
    if right is None:
        return None
    for _, edited, _ in _structural(right, right.expression, lambda part: part):
        if any(part not in set(_parts(right.expression)) and _is_square_of_difference(part) for part in _parts(edited)):
            return right.value_of(edited)
    return None


def _parts(expression: Expression) -> Iterator[Expression]:
    yield expression
    if isinstance(expression, Call):
        for part in expression.arguments:
            yield from _parts(part)


def _is_square_of_difference(part: Expression) -> bool:
    match part:
        case Call(np.square, (Call(np.subtract, (Number(1.0), _)),)):
            return True
    return False


def activation_of(cell: Cell, map_node: str) -> tuple[str, str] | None:
    """The node that is a function of a map alone, and that function's name: i and σ of the map a_i."""
    for name, expression in own(cell).items():
        match recognised(expression):
            case Call(function, (Symbol("node", node),)) if node == map_node and function in FUNCTIONS.values():
                return cell.own(name) or name, NAMES[function]
    return None
