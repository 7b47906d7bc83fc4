"""What the walk in place runs: the program of a step, and the products of its maps in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from manual_rnn.blocks import columns, end_to_end
from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.expression import Expression, Symbol, Traced
from manual_rnn.gates import Alike, renamed
from manual_rnn.maps import Maps, Product
from manual_rnn.program import Operand, Program, Rows, Same
from manual_rnn.tape import Tape


@dataclass(eq=False)
class Walk:
    """The program of a step, and where to put what another pass over the same memory brings."""

    program: Program
    maps: Array
    """The cell's maps, or their gradients, (k, T, B, n_hidden); only one step of them where nobody reads them later."""
    recorded: dict[str, Array] = field(default_factory=dict)
    """By node, what the program writes to the tape."""
    handed: dict[Symbol, Rows] = field(default_factory=dict)
    """What the step is handed."""
    weights: list[tuple[Same, Callable[[Maps], Array]]] = field(default_factory=list)
    """What is made of the parameters, and how."""
    compiled: Any = None
    """What :mod:`manual_rnn.compiled` has made of the program; False where it could make nothing."""

    def hand(self, kind: str, arrays: Mapping[str, Array]) -> Nodes:
        """Nodes to run the cell's code on, which stand for these arrays."""
        nodes = Nodes()
        for name, rows in arrays.items():
            symbol = Symbol(kind, name)
            setattr(nodes, name, Traced(symbol))
            self.program.values[symbol] = self.handed[symbol] = Rows(rows)
        return nodes

    def weight(self, maps: Maps, of: Callable[[Maps], Array]) -> Same:
        """An operand that is made of the parameters."""
        operand = Same(of(maps))
        self.weights.append((operand, of))
        return operand

    def again(self, maps: Maps, **handed: Mapping[str, Array]) -> None:
        """Puts the arrays of another pass in their places."""
        for operand, of in self.weights:
            operand.array = of(maps)
        for symbol, rows in self.handed.items():
            rows.array = handed[symbol.kind][symbol.name]


@dataclass(eq=False)
class WalkBack(Walk):
    carried: dict[str, Array] = field(default_factory=dict)
    """By state, what goes back to it from a step and from the one after it, (2, B, n_hidden), in turn."""
    fresh: dict[str, Array] = field(default_factory=dict)
    """By state, what goes back to the state that steps which start anew start from, (B, n_hidden)."""


def gather(table: Array, ids: Array, out: Array) -> None:
    table.take(ids, axis=1, out=out, mode="clip")  # any other mode makes an array in between


def go_on(left: Array, where: Array, out: Array) -> None:
    np.copyto(out, left, where=where)


def hand_to(fresh: Array, starts: Array, out: Array) -> None:
    """What a step that starts anew hands back goes to the fresh state, and not to the step before."""
    np.add(fresh, out, out=fresh, where=starts)
    np.copyto(out, 0, where=starts)


def each_step(maps: Array) -> Rows:
    """Of maps (k, T, B, n), all of a step, (k, B, n)."""
    return Rows(maps.swapaxes(0, 1))


def at_once(
    cell: Cell, program: Program, maps: Maps, a: Array, of_first: Expression, alike: Alike, tape: Tape
) -> Iterable[tuple[str, tuple[Expression, Array]]]:
    """Computes gates in the calls of one; gives by gate what it is and where."""
    first = maps.places[alike[0][1]]
    every = Symbol("maps", alike[0][1])
    program.values[every] = each_step(a[first : first + len(alike)])
    names = " ".join(cell.full(gate) for gate, _ in alike)
    room = tape.room(names, (len(alike), tape.T, *program.shape), program.dtype)
    made = Symbol("made", alike[0][1])
    program.value(renamed(of_first, made, every), out=each_step(room))
    for (gate, of_map), rows in zip(alike, room, strict=True):
        yield gate, (renamed(of_first, made, Symbol("made", of_map)), rows)


def times(walk: Walk, maps: Maps, product: Product, rows: Operand) -> Operand:
    """W h of each map, to an array of its own."""
    program, i = walk.program, maps.products.index(product)
    B, n = program.shape
    out = np.empty((len(product.weights), B, n), program.dtype)
    if product.term.diagonal:
        weight = walk.weight(maps, lambda maps: maps.products[i].weight)
        return program.call(np.multiply, rows, weight, out=Same(out))
    blocks = walk.weight(maps, lambda maps: maps.products[i].blocks(B, turned=True))
    program.call(np.matmul, rows, blocks, out=Same(columns(end_to_end(out), blocks.array)))
    return Same(out)


def times_back(walk: Walk, maps: Maps, product: Product, out: Rows | None = None) -> Operand:
    """Σ Wᵀ ∇a."""
    program, i = walk.program, maps.products.index(product)
    grad_a = each_step(walk.maps[product.maps])
    B, n = program.shape
    if product.term.diagonal:
        weight = walk.weight(maps, lambda maps: maps.products[i].weight[0])
        return program.call(np.multiply, Rows(grad_a.array[:, 0]), weight, out=out)
    blocks = walk.weight(maps, lambda maps: maps.products[i].blocks(B, turned=False))
    rows = end_to_end(grad_a.array)[:, :, None]
    if len(blocks.array) == 1:
        out = out or Rows(np.empty((1, B, n), program.dtype))
        program.call(np.matmul, Rows(rows), blocks, out=Rows(columns(out.array[:, None], blocks.array)))
        return out
    each = np.empty((len(blocks.array), B, n), program.dtype)
    program.call(np.matmul, Rows(rows), blocks, out=Same(columns(each, blocks.array)))
    total: Operand = Same(each[0])
    others = [Same(rows) for rows in each[1:]]
    for other in others:  # quicker than np.add.reduce
        to = out if other is others[-1] else None
        total = program.call(np.add, total, other, out=to)
    return total
