"""Which nodes of a cell are the same function, each of a map of its own: the gates.

They are found in the cell's own code. What lies side by side is computed in one call for all, which gives each number
as a call of its own does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, cast

from manual_rnn.cell import Affine, Cell
from manual_rnn.expression import Call, Expression, Symbol, Unreadable, forward_equations, symbols

Alike = tuple[tuple[str, str], ...]
"""Nodes of the same function, each with its map: (("i", "a_i"), ("f", "a_f"), ("o", "a_o"))."""


def gates(cell: Cell) -> tuple[Alike, ...]:
    """All there are. The code is read once; who calls them together has to see that it is still the same."""
    return _gates(cell.forward, cell.maps, cell.states)


@lru_cache
def _gates(forward: Callable[..., Any], maps: tuple[Affine, ...], states: tuple[str, ...]) -> tuple[Alike, ...]:
    try:
        tapped = forward_equations(cast(Cell, SimpleNamespace(forward=forward))).tapped
    except Unreadable:
        return ()
    # A map of the network alone does not lie beside one that has an input.
    complete = {Symbol("node", m.node): m.node for m in maps if m.waits_for is None and m.U and m.W}
    found: dict[Expression, list[tuple[str, str]]] = {}
    for name, expression in tapped.items():
        of = symbols(expression)
        if len(of) == 1 and of <= set(complete) and isinstance(expression, Call) and name not in states:
            (of_map,) = of
            del complete[of_map]
            found.setdefault(renamed(expression, of_map, ANY), []).append((name, of_map.name))
    return tuple(tuple(alike) for alike in found.values() if len(alike) > 1)


def renamed(expression: Expression, old: Symbol, new: Symbol) -> Expression:
    """The same expression of another symbol."""
    if isinstance(expression, Call):
        return Call(expression.function, tuple(renamed(part, old, new) for part in expression.arguments))
    return new if expression == old else expression


ANY = Symbol("map", "any")
