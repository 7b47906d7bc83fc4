"""All that may have become of an equation that joins cells, found from what the network declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manual_rnn.cell import Cell
from manual_rnn.network import INITIAL, Network
from manual_rnn.testing.local import BEFORE
from manual_rnn.testing.mistakes.formula import Formula
from manual_rnn.testing.mistakes.joints.before import of_before
from manual_rnn.testing.mistakes.joints.carried import (
    as_the_code_has_it,
    of_fresh,
    of_initial,
    of_what_is_carried,
)
from manual_rnn.testing.mistakes.joints.from_above import from_above_otherwise, sum_of_directions
from manual_rnn.testing.mistakes.joints.known import Joint
from manual_rnn.testing.mistakes.joints.shown import of_input, of_readout
from manual_rnn.testing.mistakes.joints.variants import formulas_of


def formulas_at_joint(equation: str, seen: Sequence[Joint]) -> Iterator[Formula]:
    """All formulas for an equation of a network but those that are the cell's own; ``seen`` are cases of it."""
    network = seen[0].network
    if equation in ("o", "grad_V"):
        yield from of_readout(network, equation, len(network.layers) - 1)
    elif equation == "grad_x" and all(cell.prefix for cell in network.layers[0]):
        yield from formulas_of("∇x", equation, sum_of_directions(network))
    for k, layer in enumerate(network.layers):
        for cell in layer:
            if k and equation == f"{cell.prefix}x":
                yield from of_input(network, k, cell, masked=bool(seen[0].case.masks))
            for state in cell.states:
                yield from _of_state(network, cell, state, equation, seen)


def _of_state(network: Network, cell: Cell, state: str, equation: str, seen: Sequence[Joint]) -> Iterator[Formula]:
    variable = equation.removeprefix("grad_")
    at_start, fresh = cell.initial_name(state), f"{cell.prefix}{INITIAL}{state}"
    if equation == f"{cell.full(state)}_{BEFORE}":
        yield from of_before(network, cell, state, equation)
    if equation == variable or variable not in (cell.full(state), at_start, fresh):
        return
    if as_it_is := as_the_code_has_it(cell, state, equation, seen):
        yield from as_it_is
    elif variable == at_start:
        yield from of_initial(network, cell, state, equation)
    elif variable == fresh:
        yield from of_fresh(network, cell, state, equation)
    else:
        if state == cell.states[0]:
            above = from_above_otherwise(network, cell, seen[0])
            yield from formulas_of(f"∇{state}(t)", equation, above, lambda known: known.from_above(cell))
        yield from of_what_is_carried(network, cell, state, equation, max(known.T for known in seen))
