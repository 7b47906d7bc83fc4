"""All single mistakes that a whole backward pass can be replayed with, the simplest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, product

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.expression import Symbol
from manual_rnn.testing import losses
from manual_rnn.testing.mistakes.changes import of_one_sequence
from manual_rnn.testing.mistakes.equations import initial, own, stepwise, summed
from manual_rnn.testing.mistakes.factors import NAMED, constant
from manual_rnn.testing.mistakes.formula import IN_TIME, Formula, Observed, StepFactor, symbol
from manual_rnn.testing.mistakes.order import in_order_of_time
from manual_rnn.testing.mistakes.own import formulas_of_own, polynomial
from manual_rnn.testing.mistakes.planting import Mistake, as_change
from manual_rnn.testing.mistakes.replay import Replay
from manual_rnn.testing.mistakes.steps import formulas_of_steps
from manual_rnn.testing.mistakes.sums import OF_ONE, formulas_of_sum
from manual_rnn.testing.mistakes.terms import Given, Quantities, Quantity, Term


def mistakes(replay: Replay, ratios: Mapping[str, float], theirs: Mapping[str, Array]) -> Iterator[Mistake]:
    """Every mistake, found from what the cell declares.

    ``theirs`` are the user's gradients by our names and in our shape; ``ratios`` says by how much they differ from
    the right ones where that may be a factor.
    """
    cell = replay.cell
    wrong = [name for name in theirs if name in replay.grads and not _same(theirs[name], replay.grads[name])]
    alone = [name for name in wrong if f"grad_{name}" in summed(cell)] if len(wrong) == 1 else []
    yield from _simple(replay, ratios)
    for name in alone:  # a mistake in a sum over time shows in that sum and nowhere else
        seen = [Observed(replay.known, theirs[name], replay.grads[name])]
        for f in formulas_of_sum(f"grad_{name}", summed(cell)[f"grad_{name}"], seen):
            yield Mistake(f.sentence, {f"grad_{name}": as_change(f)})
    yield from _of_one_sequence(cell)
    yield from _simplest_first(_of_carry(replay), _of_own(replay))
    yield from _derivatives(cell)
    steps = {name: terms for name, terms in _stepwise(replay).items() if name not in _carried_states(cell)}
    for equation, terms in steps.items():
        for f in formulas_of_steps(equation, terms, _seen(replay, equation), rows=_rows):
            yield Mistake(f.sentence, {equation: as_change(f)})


def _of_one_sequence(cell: Cell) -> Iterator[Mistake]:
    """Sums over the batch that have one sequence in them, of all gates alike: one line of code may make them all."""
    sums = summed(cell)
    of_all = {"b": [m.b for m in cell.maps], "U": [m.U for m in cell.maps], "W": [m.W for m in cell.maps]}
    for letter, names in of_all.items():
        outers = {f"grad_{name}": sums[f"grad_{name}"] for name in names if name}
        for which, of in OF_ONE.items() if len(outers) > 1 else ():
            words = f"∇{letter} of every gate: only the {which} sequence of the batch is in the sum."
            yield Mistake(words, {name: of_one_sequence(outer, of) for name, outer in outers.items()})


def _same(array: Array, right: Array) -> bool:
    if array.shape != right.shape or not np.isfinite(right).all():
        return False
    return bool(np.abs(array - right).max(initial=0) <= 1e-9 * np.abs(right).max(initial=0))


def _of_own(replay: Replay) -> Iterator[tuple[Mistake, int]]:
    """Mistakes in the cell's own equations, the gradients first, with how many things each changes."""
    cell = replay.cell
    equations = [*(name for name in own(cell) if name.startswith("grad_")), *own(cell)]
    for equation in dict.fromkeys(equations):
        if equation in (f"grad_{cell.full(cell.states[0])}", *_completed_elsewhere(cell)):
            continue
        for f in formulas_of_own(cell, equation, _seen(replay, equation)):
            yield Mistake(f.sentence, {equation: as_change(f)}), f.edits


def _simplest_first(
    carry: Iterator[tuple[Mistake, int]], of_own: Iterator[tuple[Mistake, int]]
) -> Iterator[Mistake]:
    """Those that change one thing, of the carry and of the cell's own equations; then the others."""
    later: list[Mistake] = []
    for mistake, edits in chain(carry, of_own):
        if edits == 1:
            yield mistake
        else:
            later.append(mistake)
    yield from later


def _completed_elsewhere(cell: Cell) -> list[str]:
    """Equations of the cell's own code that are nothing but what comes from elsewhere."""
    return [name for name, expression in own(cell).items() if isinstance(expression, Symbol)]


def _derivatives(cell: Cell) -> Iterator[Mistake]:
    """The incoming gradient times a polynomial in one node, such as 1 + h² or h (1 − h)."""
    for m in cell.maps:
        for node in (Quantity(cell.states[0]), Quantity(m.node)):
            for c in product((-1, 0, 1), repeat=3):

                def change(
                    known: Quantities, value: Array, t: int | None, c: tuple[int, ...] = c, node: Quantity = node
                ) -> Array:
                    v, incoming = known.at(node, t or 0), known.at(Quantity(cell.states[0], True), t or 0)
                    return np.asarray((c[0] + c[1] * v + c[2] * v**2) * incoming)

                words = polynomial(np.array(c), str(node))
                if words:
                    yield Mistake(f"your ∇{m.node} is ({words}) ∇{cell.states[0]}(t).", {f"grad_{m.node}": change})


def _simple(replay: Replay, ratios: Mapping[str, float]) -> Iterator[Mistake]:
    """A factor, a transposition, an array a step late or early."""
    equations = [f"grad_{name}" for name in replay.grads]
    for equation in equations:
        name = symbol(equation)
        measured = [constant(r) for r in dict.fromkeys(float(f"{r:.12g}") for r in ratios.values())]
        for factor in (*NAMED[1:], *measured):

            def scaled(known: Quantities, value: Array, t: int | None, factor: object = factor) -> Array:
                return np.asarray(value * factor.value(known.case.spec.sizes))  # type: ignore[attr-defined]

            yield Mistake(f"{name} is {factor.words}.", {equation: scaled})
        if replay.grads[equation.removeprefix("grad_")].ndim == 2:
            yield Mistake(f"{name} is transposed.", {equation: lambda known, value, t: value.T})
    for factor in NAMED[1:]:

        def scaled_too(known: Quantities, value: Array, t: int | None, factor: object = factor) -> Array:
            return np.asarray(value * factor.value(known.case.spec.sizes))  # type: ignore[attr-defined]

        returned = (*replay.drawn.params, "x", *(f"{state}0" for state in replay.cell.states))
        yield Mistake(f"Every gradient is {factor.words}.", {f"grad_{name}": scaled_too for name in returned})
    if replay.drawn.upstream is None:
        for f in losses.get(replay.drawn.step_loss).formulas("grad_o"):
            yield Mistake(f.sentence, {"grad_o": as_change(f)})
    for words, moved in IN_TIME.items():
        yield Mistake(f"∇x is {words}.", {"grad_x": lambda known, value, t, moved=moved: moved(value)})  # type: ignore[misc]


def _of_carry(replay: Replay) -> Iterator[tuple[Mistake, int]]:
    """Mistakes of what is carried back: in ∇h and ∇h(0) alike, as one line of code makes both, then in each alone.

    With each, how many things it changes.
    """
    cell = replay.cell
    for state in cell.states:
        here, start = f"grad_{cell.full(state)}", f"grad_{state}0"
        if here not in _stepwise(replay):  # the cell's code cannot be read
            continue
        seen = _seen(replay, here)
        of_start = list(formulas_of_steps(start, initial(cell)[start], seen, rows=lambda known: [-1]))
        same = {_without_name(f, start): f for f in of_start}
        for f in formulas_of_steps(here, _stepwise(replay)[here], seen, rows=_rows):
            if replay.drawn.sizes.T == 1:
                break  # nothing is carried to another step: ∇h(0) alone has the term
            if twin := same.get(_without_name(f, here)):
                yield Mistake(f.sentence, {here: as_change(f), start: as_change(twin)}), f.edits
            yield Mistake(f.sentence, {here: as_change(f)}), f.edits
        if state == cell.states[0]:
            yield from ((mistake, 1) for mistake in _cut_carries(replay, state))
        order = {name: as_change(f) for name in (here, start) for f in in_order_of_time(cell, name)}
        if order:
            yield Mistake(next(in_order_of_time(cell, here)).sentence, order), 1
        if replay.drawn.upstream is not None and state == cell.states[0]:
            yield from ((mistake, 1) for mistake in _cut_upstream(here))
        for f in of_start:
            words = f.sentence.replace("(t+1)", "(1)").replace("(t)", "(0)")
            yield Mistake(words, {start: as_change(f)}), f.edits


def _cut_carries(replay: Replay, state: str) -> Iterator[Mistake]:
    """The carry cut every k steps: state detached between windows, which the derivation does not know."""
    for k in range(1, replay.drawn.sizes.T):

        def cut(known: Quantities, value: Array, t: int | None, k: int = k) -> Array:
            if t is None or (t + 1) % k:
                return value
            return known.upstream[t] if known.upstream is not None else _from_readout(known, t)

        words = "never carried back" if k == 1 else f"cut every {k} steps: the gradient goes back within a window only"
        yield Mistake(f"∇{state}: the carry is {words}.", {f"grad_{state}": cut})


def _cut_upstream(equation: str) -> Iterator[Mistake]:
    """The upstream gradient left out, or counted twice, at some steps."""
    masks: dict[str, Callable[[int, int], float]] = {
        "is there at the last step only": lambda t, T: float(t == T - 1),
        "is missing at the last step": lambda t, T: float(t < T - 1),
        "is missing at the first step": lambda t, T: float(t > 0),
        "is counted twice at the last step": lambda t, T: 1.0 + (t == T - 1),
        "is counted twice at the first step": lambda t, T: 1.0 + (t == 0),
    }
    for words, factor in masks.items():

        def change(known: Quantities, value: Array, t: int | None, factor: StepFactor = factor) -> Array:
            upstream = known.upstream
            return value if t is None or upstream is None else value + (factor(t, known.T) - 1) * upstream[t]

        yield Mistake(f"∇h: the upstream gradient dh(t) {words}.", {equation: change})


def _from_readout(known: Quantities, t: int) -> Array:
    return np.asarray(known.grads["o"][t] @ known.case.params["V"])


def _stepwise(replay: Replay) -> dict[str, list[Term]]:
    """The equations of every step; without a readout, ∇h gets the upstream gradient in place of Vᵀ ∇o."""
    found = stepwise(replay.cell, replay.drawn.step_loss)
    if replay.drawn.upstream is None:
        return {name: terms for name, terms in found.items() if name != "loss"}
    first = f"grad_{replay.cell.full(replay.cell.states[0])}"
    given = Given("the upstream gradient dh(t)", _upstream)
    return {name: terms for name, terms in found.items() if name not in ("loss", "o", "grad_o")} | {
        first: [given, *found[first][1:]]
    }


def _upstream(known: Quantities, t: int) -> Array:
    return np.asarray(known.upstream[t])  # type: ignore[index]


def _carried_states(cell: Cell) -> list[str]:
    return [f"grad_{cell.full(state)}" for state in cell.states]


def _seen(replay: Replay, equation: str) -> list[Observed]:
    """What formulas are made from: the quantities. Of an equation inside nothing is seen, so its right value stands."""
    right = replay.grads[equation[5:]] if equation.startswith("grad_") else replay.nodes[equation]
    return [Observed(replay.known, right, right)]


def _rows(known: Quantities) -> list[int]:
    return list(known.rows)


def _without_name(f: Formula, equation: str) -> str:
    return f.sentence.removeprefix("your ").removeprefix(symbol(equation))
