"""Which mistake gives the numbers that a wrong equation gave: found on some cases, and held to others.

A sentence is given only if its formula reproduces the user's numbers to rounding in every case, those it was not
fitted on included. Where nothing does, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.gradients import forward_and_backward
from manual_rnn.network import Network
from manual_rnn.testing import losses
from manual_rnn.testing.families import build
from manual_rnn.testing.local import ForcedTape, Manual, run
from manual_rnn.testing.mistakes.equations import initial, own, past_the_maps, stepwise, summed
from manual_rnn.testing.mistakes.factors import NAMED, Factor, constant
from manual_rnn.testing.mistakes.formula import IN_TIME, Formula, Observed, Value, symbol
from manual_rnn.testing.mistakes.joints.known import Joint
from manual_rnn.testing.mistakes.of_cell import cell_of, in_its_order, of_cell
from manual_rnn.testing.mistakes.order import in_order_of_time
from manual_rnn.testing.mistakes.own import FUNCTIONS, formulas_of_own, gives_the_right_numbers
from manual_rnn.testing.mistakes.repairs import repairs
from manual_rnn.testing.mistakes.right import right_value
from manual_rnn.testing.mistakes.steps import formulas_of_steps
from manual_rnn.testing.mistakes.sums import formulas_of_sum
from manual_rnn.testing.mistakes.terms import Quantities, Term
from manual_rnn.testing.problem import Answer, Case, Oracle, Sizes, Spec
from manual_rnn.testing.scales import previous_states

SIZES = (Sizes(8, 2, 3, 8, 5), Sizes(5, 3, 7, 4, 3), Sizes(10, 3, 4, 3, 7), Sizes(7, 4, 3, 2, 2))
"""No two dimensions of a case alike, several steps and sequences: so that no factor looks like another."""
ROUNDING = 512
"""Units in the last place of the array's largest number within which two formulas are the same."""


def observe(
    model: Cell | Network,
    oracle: Oracle,
    *,
    manual: Manual = forward_and_backward,
    seed: int = 0,
    family: str = "ordinary",
    loss: str = "softmax",
) -> dict[str, list[Observed]]:
    """Every equation of some cases, each fed with right values: what was computed and what is right.

    Those of a network's cells as they are in the view of the cell (:mod:`manual_rnn.testing.mistakes.of_cell`), and
    none of those that join cells.
    """
    return observe_in(model, answered(model, oracle, seed=seed, family=family, loss=loss), manual=manual)


def answered(
    model: Cell | Network, oracle: Oracle, *, seed: int = 0, family: str = "ordinary", loss: str = "softmax"
) -> list[tuple[Case, Answer]]:
    """The cases in which mistakes are looked for, with the truth. They differ in how far they go into their family."""
    severities = (60, 60) if family == "ordinary" else (37, 47)  # beyond, hardly a loss that overflows is a number
    specs = [[Spec(family, sizes, "float64", seed + i, s, loss) for i, s in enumerate(severities)] for sizes in SIZES]
    of_size = [[replace(build(model, spec), begins=None) for spec in group] for group in specs]
    return [pair for cases in of_size for pair in zip(cases, oracle([c.for_oracle() for c in cases]), strict=True)]


def observe_in(
    model: Cell | Network, cases: Sequence[tuple[Case, Answer]], *, manual: Manual = forward_and_backward
) -> dict[str, list[Observed]]:
    """The same of cases that have been answered."""
    network = Network.of(model)
    observed: dict[str, list[Observed]] = {}
    for case, (nodes, grads) in cases:
        sizes = case.spec.sizes
        before = previous_states(network, case, nodes)
        tape, back = ForcedTape(sizes.T, nodes, before), ForcedTape(sizes.T, grads, before)
        with np.errstate(all="ignore"):
            run(manual, model, case, tape, back)
        joint = Joint(network, case, (nodes, grads))
        known = {cell.prefix: _in_its_view(joint, cell) for cell in network.cells}
        for prefix, computed, right in (("", tape.computed, nodes), ("grad_", back.computed, grads)):
            for name, ours in computed.items():
                equation = f"{prefix}{name}"
                if cell := cell_of(network, equation):
                    both = (in_its_order(network, cell, equation, array) for array in (ours, right[name]))
                    observed.setdefault(equation, []).append(Observed(known[cell.prefix], *both))
    return observed


def _in_its_view(joint: Joint, cell: Cell) -> Quantities:
    view, (nodes, grads) = of_cell(joint.network, cell, joint.case, joint.answer)
    shared = (cell,) != joint.network.layers[-1]
    return Quantities(cell.alone(), view, nodes, grads, joint.turned(cell, joint.from_above(cell)) if shared else None)


def explain(cell: Cell, equation: str, observed: Sequence[Observed]) -> Formula | None:
    """The simplest formula that gives the observed numbers in every case; None if there is none."""
    if not shows(observed):
        return None  # what is wrong shows in other cases only
    if np.mean([np.isfinite(o.ours).mean() for o in observed]) < 0.5:
        return None  # any formula that overflows would fit
    with np.errstate(all="ignore"):
        if as_coded := _past_the_maps(cell, equation, observed):
            return as_coded
        all_there_are = chain(simple_formulas(cell, equation, observed), formulas(cell, equation, observed[:1]))
        return next((formula for formula in all_there_are if gives(formula, observed)), None)


def _past_the_maps(cell: Cell, equation: str, observed: Sequence[Observed]) -> Formula | None:
    """Where a state's equation gives the user's wrong numbers as it stands: its one part that is the cell's own code is
    what comes back past the maps. Any change of the other terms that changes nothing would fit as well."""
    terms = {**_stepwise(cell, observed), **initial(cell)}.get(equation, [])
    state = equation.removeprefix("grad_").removesuffix("0")
    right = _right_value(cell, equation, observed) if terms and state in cell.states else None
    if right is None or gives_the_right_numbers(right, observed):
        return None
    sentence = f"{symbol(equation)}: {past_the_maps(terms, state)}."
    as_it_is = Formula(sentence if equation != f"grad_{state}0" else _of_start(sentence), right)
    return as_it_is if gives(as_it_is, observed) else None


def shows(observed: Sequence[Observed]) -> bool:
    """Whether anything is wrong in these cases."""
    with np.errstate(all="ignore"):
        return not all(_same(o.right, o) for o in observed)


def formulas(cell: Cell, equation: str, seen: Sequence[Observed]) -> Iterator[Formula]:
    """All formulas for an equation, the simplest first; ``seen`` gives the constants that are measured, not guessed."""
    if equation in summed(cell):
        return formulas_of_sum(equation, summed(cell)[equation], seen)
    if equation in (steps := _stepwise(cell, seen)):
        of_steps = formulas_of_steps(equation, steps[equation], seen, rows=lambda known: known.rows)
        of_own = formulas_of_own(cell, equation, seen) if equation in own(cell) else ()
        return chain(of_steps, of_own, in_order_of_time(cell, equation))
    if equation in (starts := initial(cell)):
        at_start = formulas_of_steps(equation, starts[equation], seen, rows=lambda known: [-1])
        of_start = (replace(formula, sentence=_of_start(formula.sentence)) for formula in at_start)
        return chain(_ended_early(equation, starts[equation]), of_start, in_order_of_time(cell, equation))
    if _is_made(cell, equation):
        return iter(())  # a made weight has no steps: what can be said is what can be said of any array
    return chain(formulas_of_own(cell, equation, seen), repairs(cell, equation, seen))


def _ended_early(equation: str, terms: Sequence[Term]) -> Iterator[Formula]:
    words = f"{symbol(equation)} is what step 2 hands to step 1: the loop on the way back leaves out the first step."
    yield Formula(words, lambda known: np.asarray(sum(term.row(known, 0) for term in terms)))


def _is_made(cell: Cell, equation: str) -> bool:
    """Whether it is that of a weight that is made of a parameter, or of that parameter's gradient."""
    return equation in {name for w in cell.weights for name in (w.name, f"grad_{w.of}")}


def _of_start(sentence: str) -> str:
    """Step 1 by its number, where the equation holds at step 0 alone."""
    return sentence.replace("(t+1)", "(1)").replace("(t)", "(0)")


def gives(formula: Formula, observed: Sequence[Observed]) -> bool:
    """Whether a formula reproduces the observed numbers to rounding, in every case."""
    with np.errstate(all="ignore"):
        return all(formula.fits(o) if formula.fits else _same(formula.value(o.known), o) for o in observed)


def _same(value: Array, o: Observed) -> bool:
    """To rounding, and NaN or infinite in the same places."""
    if value.shape != o.ours.shape:
        return False
    finite = np.isfinite(o.ours)
    largest = np.abs(o.ours[finite]).max(initial=0) + np.abs(o.right).max()
    near = np.abs(value - o.ours)[finite] <= ROUNDING * np.finfo(o.right.dtype).eps * largest
    return bool(near.all()) and np.array_equal(value[~finite], o.ours[~finite], equal_nan=True)


def simple_formulas(cell: Cell, equation: str, observed: Sequence[Observed]) -> Iterator[Formula]:
    """What can go wrong with a right array: its sign, a factor, its dtype, its layout, a limit, a step."""
    name, right, first = symbol(equation), _right_value(cell, equation, observed), observed[0]
    if right is None or not gives_the_right_numbers(right, observed):
        # The cell's own code is what is wrong, or it cannot be read: the right numbers are those of the oracle.
        def right(known: Quantities) -> Array:
            backward = equation.startswith("grad_")
            return np.asarray(known.grads[equation.removeprefix("grad_")] if backward else known.nodes[equation])

    every_step = first.right.ndim == 3
    yield from done_to(name, right, observed, every_step=every_step)
    square = first.right.ndim == 2 and first.right.shape[0] == first.right.shape[1]
    if square and (equation in summed(cell) or _is_made(cell, equation)):
        yield Formula(f"{name} is transposed.", lambda known: right(known).T)
    for words, function in FUNCTIONS.items() if not equation.startswith("grad_") and every_step else ():
        sentence = f"your {name} is {words} of what the derivation has."
        yield Formula(sentence, lambda known, function=function: function(right(known)))  # type: ignore[misc]
    yield from losses.get(_loss_of(observed)).formulas(equation)


def done_to(name: str, right: Value, observed: Sequence[Observed], *, every_step: bool) -> Iterator[Formula]:
    """What can go wrong with any array: its sign, a factor, its dtype, a limit, its steps where it has them."""
    first = observed[0]
    for factor in NAMED[1:]:
        yield _scaled(name, right, factor)
    power = float((first.right * first.right).sum())
    if power:
        yield replace(_scaled(name, right, constant(float((first.ours * first.right).sum()) / power)), measured=True)
    sentence = f"{name} has passed through float32: seven digits are right."
    yield Formula(sentence, lambda known: right(known).astype(np.float32), measured=True, fits=_same_in_single)
    limit = max(float(np.abs(o.ours).max()) for o in observed)  # not every case need reach it
    clipped = f"{name} is clipped at ±{limit:.6g}."
    yield Formula(clipped, lambda known: np.clip(right(known), -limit, limit), measured=True)
    for which, row in (("first", lambda T: 0), ("last", lambda T: T - 1)) if every_step else ():
        yield Formula(f"{name} is zero at the {which} step.", partial(_but_at, right, row))
    for words, moved in IN_TIME.items() if every_step else ():
        yield Formula(f"{name} is {words}.", lambda known, moved=moved: moved(right(known)), measured=True)  # type: ignore[misc]


def _but_at(right: Value, row: Callable[[int], int], known: Quantities) -> Array:
    """The right rows, and zeros at one step."""
    kept = np.array([t != row(known.T) for t in known.rows], bool)
    return np.where(kept[:, None, None], right(known), 0)


def _loss_of(seen: Sequence[Observed]) -> str:
    return seen[0].known.case.spec.loss


def _stepwise(cell: Cell, seen: Sequence[Observed]) -> dict[str, list[Term]]:
    return stepwise(cell, _loss_of(seen), above=seen[0].known.upstream is not None)


def _right_value(cell: Cell, equation: str, seen: Sequence[Observed]) -> Value | None:
    return right_value(cell, equation, _loss_of(seen), above=seen[0].known.upstream is not None)


def _scaled(name: str, right: Value, factor: Factor) -> Formula:
    return Formula(f"{name} is {factor.words}.", lambda known: factor.value(known.case.spec.sizes) * right(known))


def _same_in_single(o: Observed) -> bool:
    """Whether the numbers agree to the digits of float32, and no further."""
    off = np.abs(o.ours - o.right)
    return bool((off <= 4 * np.finfo(np.float32).eps * np.abs(o.right)).all())
