"""The walk through time of :mod:`manual_rnn.bptt` without an allocation in its loop: the same sums, written in place.

The cell's code is run once, on symbols; what it does with them becomes a :class:`~manual_rnn.program.Program`, whose
results go straight to the tape. The same functions of the same operands are called, so the numbers are those of the
cell's code to the last bit. Code that cannot be read so, a tape that looks at each step, or arrays of two dtypes:
``None`` is returned, and bptt's own walk is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np

from manual_rnn import affine
from manual_rnn.blocks import columns, end_to_end
from manual_rnn.cell import Array, Cell, Nodes, Tap
from manual_rnn.expression import Symbol, Traced, Unreadable, backward_equations, symbols
from manual_rnn.maps import Maps, Product
from manual_rnn.program import Operand, Program, Rows, Same, run
from manual_rnn.tape import Tape


def unroll(cell: Cell, maps: Maps, x: Array, before: Mapping[str, Array], tape: Tape) -> bool:
    """Taps all nodes, or where the tape is lean those that the way back reads; False: bptt's walk is to be taken."""
    dtype = next(iter(before.values())).dtype
    if not len(x) or type(tape) is not Tape or not _one_dtype(before.values(), maps):
        return False
    T, *shape = next(iter(before.values())).shape
    program = Program(tuple(shape), dtype)
    recorded: dict[str, Array] = {}
    tapped: set[str] = set()
    kept = _read_on_the_way_back(cell, maps) if tape.lean else None
    if kept is not None and not kept & set(maps.places) and affine.is_tokens(x):
        # Nobody reads the maps later: the columns of U are gathered a step at a time, to one array that stays near.
        a = np.empty((len(maps.places), 1, *shape), dtype)
        program.call(_gather, Same(maps.table(dtype)), Rows(x), out=_of_maps(a))
    else:
        a = maps.room(tape, T, shape[0], dtype)
        maps.from_outside(x, a)

    def add(product: Product, rows: Operand) -> None:
        of_maps = _of_maps(a[product.maps])
        program.call(np.add, of_maps, _product(program, product, rows), out=of_maps)

    def evaluate(name: str) -> None:
        setattr(node, name, tap(name, Traced(Symbol("map", name))))

    def tap(name: str, value: Traced) -> Traced:
        if name in tapped:
            raise Unreadable(f"{name} is tapped twice")
        symbol = Symbol("made", name)
        if name in maps.places:
            rows = a[maps.places[name]]
            program.values[symbol] = Rows(rows)
        elif kept is not None and name not in kept:
            program.values[symbol] = program.value(value.expression)
        else:
            rows = tape[cell.full(name)] if name in cell.states else tape.room(name, (T, *shape), dtype)
            program.values[symbol] = program.value(value.expression, out=Rows(rows))
        if kept is None or name in kept:
            recorded[name] = rows
        tapped.add(name)
        if name in maps.waiting:
            setattr(node, name, Traced(symbol))
            for product in (p for p in maps.within if p.term.of == name):
                add(product, program.values[symbol])
            for waiting in maps.waiting[name]:
                evaluate(waiting)  # noqa: F821 (it is there: it goes after the run)
        return Traced(symbol)

    node, prev = Nodes(), Nodes()
    for name, rows in before.items():
        setattr(prev, name, Traced(Symbol("prev", name)))
        program.values[Symbol("prev", name)] = Rows(rows)
    try:
        for product in maps.before:
            add(product, Rows(before[product.term.of]))
        for name in maps.first:
            evaluate(name)
        states: Mapping[str, Any] = cell.forward(node, prev, cast(Tap, tap))  # (F2)
        if any(states[name].expression != Symbol("made", name) for name in cell.states):
            return False
    except Exception:  # whatever a user's code does with a symbol; bptt's walk says what is wrong, if anything is
        return False
    finally:
        del evaluate  # it and tap hold each other, and with them the tape, which must go when nobody else holds it
    run(program.steps(range(T)))
    for name, rows in recorded.items():
        tape.tap_all(cell.full(name), rows)
    return True


def go_back(
    cell: Cell,
    maps: Maps,
    nodes: Mapping[str, Array],
    before: Mapping[str, Array],
    from_readout: Array,
    grads: Tape,
    after: Mapping[str, Array] | None,
) -> tuple[Array, dict[str, Array]] | None:
    """Taps the gradients of all nodes; returns those of the maps, (k, T, B, n), and of the initial states.

    ``after`` has by state what comes to the last step from the steps after the tape, where there are any.
    """
    T, *shape = from_readout.shape
    dtype = from_readout.dtype
    handed_in = [from_readout, *nodes.values(), *before.values(), *(after or {}).values()]
    if type(grads) is not Tape or not _one_dtype(handed_in, maps):
        return None
    program = Program(tuple(shape), dtype)
    of_maps = maps.room(grads, T, shape[0], dtype)
    recorded: dict[str, Array] = {}
    tapped: set[str] = set()
    carried = {name: np.zeros((2, *shape), dtype) for name in cell.states}
    for name, rows in (after or {}).items():
        carried[name][T % 2] = rows
    arriving = {name: Rows(both[::-1]) for name, both in carried.items()}  # of step t + 1, as t is counted

    def symbol(name: str, value: Operand) -> Traced:
        """What ``grad`` has under a name from now on."""
        found = Symbol("grad", f"{name} {len(program.values)}")
        program.values[found] = value
        return Traced(found)

    def tap(name: str, value: Traced) -> Traced:
        if name in tapped:
            raise Unreadable(f"{name} is tapped twice")
        tapped.add(name)
        made = Symbol("made", name)
        if grads.lean and name not in maps.places:
            program.values[made] = program.value(value.expression)
        else:
            is_map = name in maps.places
            recorded[name] = of_maps[maps.places[name]] if is_map else grads.room(name, from_readout.shape, dtype)
            program.values[made] = program.value(value.expression, out=Rows(recorded[name]))
        for product in (p for p in maps.within if name in p.nodes):
            of, arrived = product.term.of, _back(program, product, of_maps)
            if hasattr(grad, of):
                arrived = program.call(np.add, program.value(getattr(grad, of).expression), arrived)
            setattr(grad, of, symbol(of, arrived))
        return Traced(made)

    first = cell.states[0]
    total = np.empty((1, *shape), dtype) if grads.lean else grads.room(first, from_readout.shape, dtype)
    node, prev, grad = Nodes(), Nodes(), Nodes()
    for handed, arrays, kind in ((node, nodes, "node"), (prev, before, "prev")):
        for name, rows in arrays.items():
            setattr(handed, name, Traced(Symbol(kind, name)))
            program.values[Symbol(kind, name)] = Rows(rows)
    program.call(np.add, Rows(from_readout), arriving[first], out=Rows(total))  # (B4)
    setattr(grad, first, symbol(first, Rows(total)))
    for name in cell.states[1:]:
        setattr(grad, name, symbol(name, arriving[name]))
    try:
        local: Mapping[str, Any] = cell.backward(node, prev, grad, cast(Tap, tap))  # (B5)
        if any(local[name].expression != Symbol("made", name) for name in maps.places):
            return None
        for name in cell.states:
            given = local.get(f"{name}_prev")
            _hand_back(program, maps, of_maps, name, given, Rows(carried[name]))
    except Exception:  # as above
        return None
    run(program.steps(reversed(range(T))))
    if not grads.lean:
        recorded[first] = total
    for name, rows in recorded.items():
        grads.tap_all(cell.full(name), rows)
    return of_maps, {name: both[0] for name, both in carried.items()}


def _read_on_the_way_back(cell: Cell, maps: Maps) -> set[str]:
    """The nodes of a step that the cell's backward reads, or that a weight's gradient is made with."""
    equations = backward_equations(cell)
    read = {symbol for e in (*equations.tapped.values(), *equations.returned.values()) for symbol in symbols(e)}
    nodes = {symbol.name for symbol in read if symbol.kind == "node"}
    return nodes | {product.term.of for product in maps.within} | set(cell.states)


def _gather(table: Array, ids: Array, out: Array) -> None:
    np.take(table, ids, axis=1, out=out, mode="clip")  # any other mode makes an array in between


def _of_maps(maps: Array) -> Rows:
    """Of maps (k, T, B, n), all of a step, (k, B, n)."""
    return Rows(maps.swapaxes(0, 1))


def _product(program: Program, product: Product, rows: Operand) -> Operand:
    """W h of each map, to an array of its own."""
    B, n = program.shape
    out = np.empty((len(product.weights), B, n), program.dtype)
    if product.term.diagonal:
        return program.call(np.multiply, rows, Same(product.weight), out=Same(out))
    blocks = product.blocks(B, turned=True)
    program.call(np.matmul, rows, Same(blocks), out=Same(columns(end_to_end(out), blocks)))
    return Same(out)


def _back(program: Program, product: Product, of_maps: Array, out: Rows | None = None) -> Operand:
    """Σ Wᵀ ∇a."""
    grad_a = _of_maps(of_maps[product.maps])
    B, n = program.shape
    if product.term.diagonal:
        return program.call(np.multiply, Rows(grad_a.array[:, 0]), Same(product.weight[0]), out=out)
    blocks, rows = product.blocks(B, turned=False), end_to_end(grad_a.array)
    if rows.shape[1] == 1:
        out = out or Rows(np.empty((1, B, n), program.dtype))
        program.call(np.matmul, Rows(rows), Same(blocks[0]), out=Rows(columns(out.array, blocks)))
        return out
    each = np.empty((rows.shape[1], B, n), program.dtype)
    program.call(np.matmul, Rows(rows[:, :, None]), Same(blocks), out=Same(columns(each, blocks)))
    total, *others = map(Same, each)
    for other in others:  # quicker than np.add.reduce
        to = out if other is others[-1] else None
        total = program.call(np.add, total, other, out=to)
    return total


def _hand_back(
    program: Program, maps: Maps, of_maps: Array, state: str, direct: Traced | None, out: Rows
) -> None:
    """What a state of the step before receives: directly, and Wᵀ ∇a of each product that is taken of it."""
    products = [product for product in maps.before if product.term.of == state]
    if direct is not None and not products:
        program.value(direct.expression, out=out)
        return
    total = None if direct is None else program.value(direct.expression)
    for product in products:
        to = out if product is products[-1] else None
        if total is None:
            total = _back(program, product, of_maps, to)
        else:
            total = program.call(np.add, total, _back(program, product, of_maps), out=to)


def _one_dtype(arrays: Iterable[Array], maps: Maps) -> bool:
    return len({array.dtype for array in (*arrays, *(product.weight for product in maps.products))}) == 1
