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
from manual_rnn.anew import Anew
from manual_rnn.cell import Array, Cell, Nodes, Tap
from manual_rnn.expression import Symbol, Traced, Unreadable, backward_equations, symbols
from manual_rnn.maps import Maps, Product
from manual_rnn.program import Operand, Program, Rows, Same, run
from manual_rnn.tape import Tape


def unroll(
    cell: Cell, maps: Maps, x: Array, before: Mapping[str, Array], tape: Tape, anew: Anew | None
) -> bool:
    """Taps all nodes, or where the tape is lean those that the way back reads; False: bptt's walk is to be taken."""
    dtype = next(iter(before.values())).dtype
    if not len(x) or type(tape) is not Tape or not _one_dtype(before.values(), maps):
        return False
    T, *shape = next(iter(before.values())).shape
    program = Program(tuple(shape), dtype)
    recorded: dict[str, Array] = {}
    tapped: set[str] = set()
    kept = _read_on_the_way_back(cell, maps) if tape.lean else None
    if kept is not None and not kept & set(maps.columns) and affine.is_tokens(x):
        # Nobody reads the maps later: the columns of U are gathered a step at a time, to one array that stays near.
        a = np.empty((1, shape[0], maps.width), dtype)
        program.call(_gather, Same(maps.table(dtype)), Rows(x), out=Rows(a))
    else:
        a = tape.room(f"{cell.prefix}side by side", (T, shape[0], maps.width), dtype)
        maps.from_outside(x, a)

    def add(product: Product, rows: Operand) -> None:
        of_maps = Rows(a[..., product.columns])
        program.call(np.add, of_maps, _product(program, product, rows, of_maps.array.shape[-1]), out=of_maps)

    def evaluate(name: str) -> None:
        setattr(node, name, tap(name, Traced(Symbol("map", name))))

    def tap(name: str, value: Traced) -> Traced:
        if name in tapped:
            raise Unreadable(f"{name} is tapped twice")
        symbol = Symbol("made", name)
        if name in maps.columns:
            rows = a[..., maps.columns[name]]
            program.values[symbol] = Rows(rows)
        elif kept is not None and name not in kept:
            program.values[symbol] = program.value(value.expression)
        else:
            rows = tape[cell.full(name)] if name in cell.states else tape.room(cell.full(name), (T, *shape), dtype)
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
    if anew:
        goes_on = Rows(~anew.starts[..., None])
        for name in cell.states:
            program.call(_go_on, Rows(tape.shifted(cell.full(name))), goes_on, out=Rows(before[name]))
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
    run(program.steps(range(T)[::-1] if cell.reverse else range(T)))
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
    anew: Anew | None,
) -> tuple[Array, dict[str, Array], dict[str, Array]] | None:
    """Taps the gradients of all nodes; returns those of the maps, (T, B, width), of the initial and of fresh states.

    ``after`` has by state what comes to the last step from the steps after the tape, where there are any. What a step
    hands back is at ``[t % 2]`` while time goes either way: the step that comes next reads the other.
    """
    T, *shape = from_readout.shape
    dtype = from_readout.dtype
    handed_in = [from_readout, *nodes.values(), *before.values(), *(after or {}).values()]
    if type(grads) is not Tape or not _one_dtype(handed_in, maps):
        return None
    program = Program(tuple(shape), dtype)
    of_maps = grads.room(f"{cell.prefix}side by side", (*from_readout.shape[:2], maps.width), dtype)
    recorded: dict[str, Array] = {}
    tapped: set[str] = set()
    carried = {name: np.zeros((2, *shape), dtype) for name in cell.states}
    first_row, last_row = (1, (T - 1) % 2) if cell.reverse else (T % 2, 0)
    for name, rows in (after or {}).items():
        carried[name][first_row] = rows
    fresh = {name: np.zeros(shape, dtype) for name in (cell.states if anew else ())}
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
        if grads.lean and name not in maps.columns:
            program.values[made] = program.value(value.expression)
        else:
            mine = name in maps.columns
            rows = of_maps[..., maps.columns[name]] if mine else grads.room(cell.full(name), from_readout.shape, dtype)
            recorded[name] = rows
            program.values[made] = program.value(value.expression, out=Rows(recorded[name]))
        for product in (p for p in maps.within if name in p.nodes):
            of, arrived = product.term.of, _back(program, product, program.values[made])
            if hasattr(grad, of):
                arrived = program.call(np.add, program.value(getattr(grad, of).expression), arrived)
            setattr(grad, of, symbol(of, arrived))
        return Traced(made)

    first = cell.states[0]
    total = np.empty((1, *shape), dtype) if grads.lean else grads.room(cell.full(first), from_readout.shape, dtype)
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
        if any(local[name].expression != Symbol("made", name) for name in maps.columns):
            return None
        for name in cell.states:
            given = local.get(f"{name}_prev")
            direct = [] if given is None else [program.value(given.expression)]
            _hand_back(program, maps, of_maps, name, direct, Rows(carried[name]))
            if anew:
                program.call(_hand_to, Same(fresh[name]), Rows(anew.starts[..., None]), out=Rows(carried[name]))
    except Exception:  # as above
        return None
    run(program.steps(range(T) if cell.reverse else range(T)[::-1]))
    if not grads.lean:
        recorded[first] = total
    for name, rows in recorded.items():
        grads.tap_all(cell.full(name), rows)
    return of_maps, {name: both[last_row] for name, both in carried.items()}, fresh


def _read_on_the_way_back(cell: Cell, maps: Maps) -> set[str]:
    """The nodes of a step that the cell's backward reads, or that a weight's gradient is made with."""
    equations = backward_equations(cell)
    read = {symbol for e in (*equations.tapped.values(), *equations.returned.values()) for symbol in symbols(e)}
    nodes = {symbol.name for symbol in read if symbol.kind == "node"}
    return nodes | {product.term.of for product in maps.within} | set(cell.states)


def _gather(table: Array, ids: Array, out: Array) -> None:
    np.take(table, ids, axis=0, out=out, mode="clip")  # any other mode makes an array in between


def _go_on(states: Array, where: Array, out: Array) -> None:
    np.copyto(out, states, where=where)


def _hand_to(fresh: Array, starts: Array, out: Array) -> None:
    """What a step that starts anew hands back goes to the fresh state, and not to the step before."""
    np.add(fresh, out, out=fresh, where=starts)
    np.copyto(out, 0, where=starts)


def _product(program: Program, product: Product, rows: Operand, width: int) -> Operand:
    """W h, to an array of its own."""
    out = Same(np.empty((program.shape[0], width), program.dtype))
    if product.term.diagonal:
        return program.call(np.multiply, rows, Same(product.weight), out=out)
    return program.call(np.matmul, rows, Same(product.turned), out=out)


def _back(program: Program, product: Product, grad_a: Operand, out: Operand | None = None) -> Operand:
    """Wᵀ ∇a."""
    return program.call(np.multiply if product.term.diagonal else np.matmul, grad_a, Same(product.weight), out=out)


def _hand_back(
    program: Program, maps: Maps, of_maps: Array, state: str, direct: list[Operand], out: Operand
) -> None:
    """What a state of the step before receives: directly, and Wᵀ ∇a of each product that is taken of it."""
    products = [product for product in maps.before if product.term.of == state]
    total = direct[0] if direct else None
    for product in products:
        to = out if product is products[-1] else None
        rows = Rows(of_maps[..., product.columns])
        if total is None:
            total = _back(program, product, rows, to)
        else:
            total = program.call(np.add, total, _back(program, product, rows), out=to)
    for given in direct if not products else ():
        program.call(np.positive, given, out=out)


def _one_dtype(arrays: Iterable[Array], maps: Maps) -> bool:
    return len({array.dtype for array in (*arrays, *(product.weight for product in maps.products))}) == 1
