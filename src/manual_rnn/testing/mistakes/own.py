"""What a cell's own equation may have become: its code, run with one quantity exchanged for another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.testing.mistakes.formula import Formula, Observed, symbol
from manual_rnn.testing.mistakes.terms import Quantities, Quantity

FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "σ": lambda v: 1 / (1 + np.exp(-v)),
    "−": np.negative,
}


def gives_the_right_numbers(value: Callable[[Quantities], Array], seen: Sequence[Observed]) -> bool:
    """Whether code gives what the oracle gives: to ten digits of the largest number, so float32 does not."""
    return all(bool((np.abs(value(o.known) - o.right) <= 1e-10 * np.abs(o.right).max()).all()) for o in seen)


def formulas_of_own(cell: Cell, equation: str, seen: Sequence[Observed]) -> Iterator[Formula]:
    """The cell's own code with one of its quantities exchanged for another: any mistake of the wrong variable.

    Where that code is the wrong one, it is said which exchange repairs it, and what needs no code: a derivative left
    out, a polynomial.
    """
    name = symbol(equation)
    right = Exchange(cell, equation)
    # Code that is wrong by itself gives the wrong numbers with anything exchanged that it does not read.
    trusted = gives_the_right_numbers(right.value, seen)
    if equation in cell.states and trusted:
        yield Formula(f"{name}: the function is applied twice.", right.twice)
    for incoming in (Quantity(state, gradient=True) for state in cell.states if equation.startswith("grad_")):
        yield Formula(
            f"your {name}(t) is {incoming}: the derivative of the activation is missing.",
            lambda known, q=incoming: np.stack([known.at(q, t) for t in known.rows]),  # type: ignore[misc]
        )
    for target in right.inputs() if trusted else ():
        for other in right.inputs():
            if other == target:
                continue
            exchanged = replace(right, take=target, instead=other)
            yield Formula(f"your {name} has {other} where the derivation has {target}.", exchanged.value)
    for target in right.inputs() if trusted else ():
        for words, function in FUNCTIONS.items():
            exchanged = replace(right, take=target, instead=target, through=function)
            sentence = f"your {name} has {words} {target} where the derivation has {target}."
            yield Formula(sentence, exchanged.value)
    if not trusted:
        yield from _repairs(right)
    if equation.startswith("grad_"):
        yield from _polynomials(equation, right.inputs(), cell.states, seen)


def _repairs(wrong: Exchange) -> Iterator[Formula]:
    """The exchanges that turn a cell's wrong code into one that gives the oracle's numbers."""
    answer = Quantity(wrong.equation.removeprefix("grad_"), gradient=wrong.equation.startswith("grad_"))
    for target in wrong.inputs():
        for other in wrong.inputs():
            if other == target:
                continue
            exchanged = replace(wrong, take=target, instead=other)

            def value(known: Quantities, repaired: Exchange = exchanged) -> Array:
                right = np.stack([known.at(answer, t) for t in known.rows])
                is_right = (np.abs(repaired.value(known) - right) <= 1e-10 * np.abs(right).max()).all()
                return wrong.value(known) if is_right else np.full_like(right, np.nan)

            sentence = f"your {symbol(wrong.equation)} has {target} where the derivation has {other}."
            yield Formula(sentence, value)


def _polynomials(
    equation: str, inputs: Sequence[Quantity], states: Sequence[str], seen: Sequence[Observed]
) -> Iterator[Formula]:
    """The incoming gradient times a polynomial of second degree in one node, its coefficients fitted to one case."""
    for state in states:
        incoming = Quantity(state, gradient=True)
        for node in (quantity for quantity in inputs if not quantity.gradient):

            def powers(known: Quantities, g: Quantity = incoming, v: Quantity = node) -> Array:
                rows = [(known.at(g, t), known.at(v, t)) for t in known.rows]
                return np.stack([[g * v**k for g, v in rows] for k in range(3)], axis=-1)

            fitted, *_ = np.linalg.lstsq(powers(seen[0].known).reshape(-1, 3), seen[0].ours.ravel(), rcond=None)
            simple = np.round(4 * fitted) / 4  # quarters are what a hand writes
            yield Formula(
                f"your {symbol(equation)} is ({polynomial(simple, str(node))}) {incoming}.",
                lambda known, powers=powers, c=simple: powers(known) @ c,  # type: ignore[misc]
            )


def polynomial(coefficients: Array, variable: str) -> str:
    """1 − 2h(t) + h(t)²."""
    powers = ("", variable, f"{variable}²")
    parts = [(c, p) for c, p in zip(coefficients, powers, strict=True) if c]
    words = " ".join(f"{'−' if c < 0 else '+'} {'' if abs(c) == 1 and p else f'{abs(c):g}'}{p}" for c, p in parts)
    return words.removeprefix("+ ").replace("− ", "−", 1) if words.startswith("− ") else words.removeprefix("+ ")


@dataclass(frozen=True)
class Exchange:
    """A cell's own equation, computed by the cell's code, with one quantity exchanged for another."""

    cell: Cell
    equation: str
    take: Quantity | None = None
    instead: Quantity | None = None
    through: Callable[[Array], Array] | None = None

    def inputs(self) -> list[Quantity]:
        """What the cell's code can read at a step: its nodes, the states before, the incoming gradients."""
        nodes = [Quantity(name) for name in self.cell.nodes]
        before = [Quantity(name, offset=-1) for name in self.cell.states]
        grads = [Quantity(name, gradient=True) for name in self.cell.states]
        return nodes + before + (grads if self.equation.startswith("grad_") else [])

    def value(self, known: Quantities) -> Array:
        return np.stack([self.row(known, t) for t in known.rows])

    def row(self, known: Quantities, t: int) -> Array:
        def read(quantity: Quantity) -> Array:
            found = known.at(self.instead if quantity == self.take and self.instead else quantity, t)
            return self.through(found) if quantity == self.take and self.through else found

        return self._run(known, t, read)

    def twice(self, known: Quantities) -> Array:
        """The equation with its own result for its first argument."""
        first = self.inputs()[0]

        def again(t: int) -> Array:
            once = self.row(known, t)
            return self._run(known, t, lambda quantity: once if quantity == first else known.at(quantity, t))

        return np.stack([again(t) for t in known.rows])

    def _run(self, known: Quantities, t: int, read: Callable[[Quantity], Array]) -> Array:
        wanted = self.equation.removeprefix("grad_")
        caught: dict[str, Array] = {}
        backward = self.equation.startswith("grad_")

        def tap(name: str, value: Array) -> Array:
            caught[name] = value
            return value if name == wanted else known.at(Quantity(name, gradient=backward), t)

        node = Nodes(**{name: read(Quantity(name)) for name in known.nodes_by_step if name != "o"})
        prev = Nodes(**{name: read(Quantity(name, offset=-1)) for name in self.cell.states})
        if backward:
            grad = Nodes(**{name: read(Quantity(name, gradient=True)) for name in self.cell.states})
            self.cell.backward(node, prev, grad, tap)
        else:
            self.cell.forward(node, prev, tap)
        return caught[wanted]
