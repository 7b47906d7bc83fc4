"""What a step may start from by mistake: another state than that of the step before, or where it is none of its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network
from manual_rnn.testing.mistakes.formula import Formula
from manual_rnn.testing.mistakes.joints.carried import other_starts
from manual_rnn.testing.mistakes.joints.known import Joint, following, preceding
from manual_rnn.testing.mistakes.joints.variants import Part, Variant, formulas_of, place_of


def of_before(network: Network, cell: Cell, state: str, equation: str) -> Iterator[Formula]:
    """Formulas for what each step starts from, (T, B, n_hidden)."""

    def handed_in(known: Joint) -> Array:
        return known.case.initial[f"{cell.prefix}{state}"]

    def of_steps(known: Joint) -> Array:
        return known.turned(cell, np.asarray(known.nodes[cell.full(state)]))

    def going_on(known: Joint) -> Array:
        """The state of the step before, whether it is started from or not, in the order of the steps."""
        return preceding(of_steps(known), handed_in(known))

    def the_other_way(known: Joint) -> Array:
        return following(of_steps(known), handed_in(known))

    def right_starts(known: Joint) -> Array:
        return known.starts(cell)

    def right_fresh(known: Joint) -> Array:
        return known.fresh(cell, state)

    def started(starts: Part = right_starts, fresh: Part = right_fresh, before: Part = going_on) -> Part:
        return lambda known: known.turned(cell, np.where(starts(known), fresh(known), before(known)))

    variants: list[Variant] = [(words, started(starts)) for words, starts in other_starts(cell)]
    if network.learned_initial:
        zeros = started(fresh=lambda known: np.zeros_like(right_fresh(known)))
        variants.append(("what is learned is not started from, but zeros", zeros))
    anew = "what is started from anew is"
    variants += [
        (f"{anew} that of {place_of(other)}", started(fresh=lambda known, other=other: known.fresh(other, state)))  # type: ignore[misc]
        for other in network.cells if other != cell and state in other.states
    ]  # fmt: skip
    variants += [
        (f"{anew} that of {other}", started(fresh=lambda known, other=other: known.fresh(cell, other)))  # type: ignore[misc]
        for other in cell.states if other != state
    ]  # fmt: skip
    variants.append((f"{anew} the initial state that was handed in", started(fresh=handed_in)))
    variants.append(("it is taken from the wrong neighbour in time", started(before=the_other_way)))
    way = "forward" if cell.reverse else "back"
    run = f"the cell goes {way} in time: it starts from the wrong neighbour, and at the wrong boundaries"
    variants.append((run, started(lambda known: known.starts_of_the_other_way(cell), before=the_other_way)))
    yield from formulas_of(f"the {state} that step t starts from", equation, variants)
