"""The walk through time of :mod:`manual_rnn.bptt` without an allocation in its loop: the same sums, written in place.

The cell's code is run once, on symbols; what it does with them becomes a :class:`~manual_rnn.program.Program`, whose
results go straight to the tape. The same functions of the same operands are called, so the numbers are those of the
cell's code to the last bit; but for sums of products of one row, which the maps share, and for code whose own numbers
make arrays of another dtype (``np.where(a > 0, 1.0, 0.0)`` is float64): here all are of the parameters' dtype. Code
that cannot be read so, a tape that looks at each step, or arrays of two dtypes:
``None`` is returned, and bptt's own walk is taken. A pass over the memory of one before (``over``) runs the same
program on the arrays that are new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np

from manual_rnn import affine
from manual_rnn.anew import Anew
from manual_rnn.cell import Array, Cell, Nodes, Tap
from manual_rnn.expression import Expression, Symbol, Traced, Unreadable, backward_equations, symbols
from manual_rnn.gates import gates
from manual_rnn.maps import Maps, Product
from manual_rnn.program import Operand, Program, Rows, Same, run
from manual_rnn.tape import Tape
from manual_rnn.walk import Walk, WalkBack, at_once, each_step, gather, go_on, hand_to, times, times_back


def unroll(
    cell: Cell, maps: Maps, x: Array, before: Mapping[str, Array], tape: Tape, anew: Anew | None
) -> bool:
    """Taps all nodes, or where the tape is lean those that the way back reads; False: bptt's walk is to be taken."""
    rows = next(iter(before.values()))
    if not len(x) or type(tape) is not Tape or not _one_dtype(before.values(), maps):
        return False
    key = cell, rows.shape, rows.dtype, x.shape, x.dtype, tape.lean, anew is None
    left = {} if anew is None else {name: tape.shifted(cell.full(name)) for name in cell.states}
    goes_on = {} if anew is None else {"on": ~anew.starts[..., None]}
    walk: Walk | None = tape.kept(f"{cell.prefix}unroll", key)
    if walk:
        walk.again(maps, prev=before, outside={"x": x}, left=left, goes=goes_on)
    else:
        walk = _forward(cell, maps, x, before, tape, left, goes_on)
        if walk is None:
            return False
        tape.keep(f"{cell.prefix}unroll", key, walk)
    if Symbol("outside", "x") not in walk.handed:
        maps.from_outside(x, walk.maps)
    _run(walk, len(x), tape, backwards=cell.reverse)
    for name, rows in walk.recorded.items():
        tape.tap_all(cell.full(name), rows)
    return True


def _forward(
    cell: Cell,
    maps: Maps,
    x: Array,
    before: Mapping[str, Array],
    tape: Tape,
    left: Mapping[str, Array],
    goes_on: Mapping[str, Array],
) -> Walk | None:
    """``left`` has what the step before each step left, ``goes_on`` where it is gone on from, if not everywhere."""
    rows = next(iter(before.values()))
    T, *shape = rows.shape
    program = Program(tuple(shape), rows.dtype)
    tapped: set[str] = set()
    try:
        kept = _read_on_the_way_back(cell, maps) if tape.lean else None
    except Unreadable:
        return None
    of_one_step = kept is not None and affine.is_tokens(x)
    if of_one_step:
        # Hardly any map is read later: the columns of U are gathered a step at a time, to one array that stays near.
        a = np.empty((len(maps.places), 1, *shape), program.dtype)
        walk = Walk(program, a)
        walk.hand("outside", {"x": x})
        table = walk.weight(maps, lambda maps: maps.table(program.dtype))
        program.call(gather, table, walk.handed[Symbol("outside", "x")], out=each_step(a))
    else:
        a = maps.room(tape, f"{cell.prefix}maps", T, shape[0], program.dtype)
        walk = Walk(program, a)

    together: dict[str, tuple[Expression, Array]] = {}

    def add(product: Product, rows: Operand) -> None:
        of_maps = each_step(a[product.maps])
        program.call(np.add, of_maps, times(walk, maps, product, rows), out=of_maps)

    def evaluate(name: str) -> None:
        setattr(node, name, tap(name, Traced(Symbol("map", name))))

    def tap(name: str, value: Traced) -> Traced:
        if name in tapped:
            raise Unreadable(f"{name} is tapped twice")
        symbol = Symbol("made", name)
        alike = next((alike for alike in gates(cell) if name in dict(alike)), ())
        if alike and name not in together and (kept is None or kept >= {gate for gate, _ in alike}):
            together.update(at_once(cell, program, maps, a, value.expression, alike, tape))
        if name in maps.places:
            rows = a[maps.places[name]]
            program.values[symbol] = Rows(rows)
            if of_one_step and kept is not None and name in kept:
                rows = tape.room(cell.full(name), (T, *shape), program.dtype)
                program.call(np.positive, program.values[symbol], out=Rows(rows))
        elif name in together and together[name][0] == value.expression:
            rows = together[name][1]
            program.values[symbol] = Rows(rows)
        elif kept is not None and name not in kept:
            program.values[symbol] = program.value(value.expression)
        else:
            full = cell.full(name)
            rows = tape[full] if name in cell.states else tape.room(full, (T, *shape), program.dtype)
            program.values[symbol] = program.value(value.expression, out=Rows(rows))
        if kept is None or name in kept:
            walk.recorded[name] = rows
        tapped.add(name)
        if name in maps.waiting:
            setattr(node, name, Traced(symbol))
            for product in (p for p in maps.within if p.term.of == name):
                add(product, program.values[symbol])
            for waiting in maps.waiting[name]:
                evaluate(waiting)  # noqa: F821 (it is there: it goes after the run)
        return Traced(symbol)

    node, prev = Nodes(), walk.hand("prev", before)
    if goes_on:
        walk.hand("left", left)
        walk.hand("goes", goes_on)
        for name in cell.states:
            at, of = walk.handed[Symbol("prev", name)], walk.handed[Symbol("left", name)]
            program.call(go_on, of, walk.handed[Symbol("goes", "on")], out=at)
    try:
        for product in maps.before:
            add(product, walk.handed[Symbol("prev", product.term.of)])
        for name in maps.first:
            evaluate(name)
        states: Mapping[str, Any] = cell.forward(node, prev, cast(Tap, tap))  # (F2)
        if any(states[name].expression != Symbol("made", name) for name in cell.states):
            return None
    except Exception:  # whatever a user's code does with a symbol; bptt's walk says what is wrong, if anything is
        return None
    finally:
        del evaluate  # it and tap hold each other, and with them the tape, which must go when nobody else holds it
    return walk


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
    """Taps the gradients of all nodes; returns those of the maps, (k, T, B, n), of the initial and of fresh states.

    ``after`` has by state what comes to the last step from the steps after the tape, where there are any. What a step
    hands back is at ``[t % 2]`` while time goes either way: the step that comes next reads the other.
    """
    T = len(from_readout)
    handed_in = [from_readout, *nodes.values(), *before.values(), *(after or {}).values()]
    if type(grads) is not Tape or not _one_dtype(handed_in, maps):
        return None
    key = cell, from_readout.shape, from_readout.dtype, tuple(nodes), grads.lean, anew is None
    starts = {} if anew is None else {"here": anew.starts[..., None]}
    walk: WalkBack | None = grads.kept(f"{cell.prefix}go back", key)
    if walk:
        walk.again(maps, node=nodes, prev=before, readout={"h": from_readout}, starts=starts)
    else:
        walk = _backward(cell, maps, nodes, before, from_readout, grads, starts)
        if walk is None:
            return None
        grads.keep(f"{cell.prefix}go back", key, walk)
    first_row, last_row = (1, (T - 1) % 2) if cell.reverse else (T % 2, 0)
    for name, both in walk.carried.items():
        both[first_row] = 0 if after is None else after[name]
    for total in walk.fresh.values():
        total[:] = 0
    _run(walk, T, grads, backwards=not cell.reverse)
    for name, rows in walk.recorded.items():
        grads.tap_all(cell.full(name), rows)
    carried = {name: both[last_row].copy() for name, both in walk.carried.items()}
    return walk.maps, carried, {name: total.copy() for name, total in walk.fresh.items()}


def _backward(
    cell: Cell,
    maps: Maps,
    nodes: Mapping[str, Array],
    before: Mapping[str, Array],
    from_readout: Array,
    grads: Tape,
    starts: Mapping[str, Array],
) -> WalkBack | None:
    T, *shape = from_readout.shape
    program = Program(tuple(shape), from_readout.dtype)
    of_maps = maps.room(grads, f"{cell.prefix}maps", T, shape[0], program.dtype)
    carried = {name: np.empty((2, *shape), program.dtype) for name in cell.states}
    fresh = {name: np.empty(shape, program.dtype) for name in (cell.states if starts else ())}
    walk = WalkBack(program, of_maps, carried=carried, fresh=fresh)
    tapped: set[str] = set()
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
            if name in maps.places:
                rows = of_maps[maps.places[name]]
            else:
                rows = grads.room(cell.full(name), from_readout.shape, program.dtype)
            program.values[made] = program.value(value.expression, out=Rows(rows))
            walk.recorded[name] = rows
        for product in (p for p in maps.within if name in p.nodes):
            of, arrived = product.term.of, times_back(walk, maps, product)
            if hasattr(grad, of):
                arrived = program.call(np.add, program.value(getattr(grad, of).expression), arrived)
            setattr(grad, of, symbol(of, arrived))
        return Traced(made)

    first = cell.states[0]
    total = np.empty((1, *shape), program.dtype)
    if not grads.lean:
        total = walk.recorded[first] = grads.room(cell.full(first), from_readout.shape, program.dtype)
    node, prev, grad = walk.hand("node", nodes), walk.hand("prev", before), Nodes()
    walk.hand("readout", {"h": from_readout})
    walk.hand("starts", starts)
    program.call(np.add, walk.handed[Symbol("readout", "h")], arriving[first], out=Rows(total))  # (B4)
    setattr(grad, first, symbol(first, Rows(total)))
    for name in cell.states[1:]:
        setattr(grad, name, symbol(name, arriving[name]))
    try:
        local: Mapping[str, Any] = cell.backward(node, prev, grad, cast(Tap, tap))  # (B5)
        if any(local[name].expression != Symbol("made", name) for name in maps.places):
            return None
        for name in cell.states:
            given = local.get(f"{name}_prev")
            _hand_back(walk, maps, name, given)
        for name in cell.states if starts else ():  # when all have been: two may be handed the same
            here = walk.handed[Symbol("starts", "here")]
            program.call(hand_to, Same(fresh[name]), here, out=Rows(carried[name]))
    except Exception:  # as above
        return None
    return walk


def _run(walk: Walk, T: int, tape: Tape, *, backwards: bool) -> None:
    if tape.compiled:
        from manual_rnn import compiled

        if compiled.run(walk, T, backwards=backwards):
            return
    run(walk.program.steps(range(T)[::-1] if backwards else range(T)))


def _read_on_the_way_back(cell: Cell, maps: Maps) -> set[str]:
    """The nodes of a step that the cell's backward reads, or that a weight's gradient is made with."""
    equations = backward_equations(cell)
    read = {symbol for e in (*equations.tapped.values(), *equations.returned.values()) for symbol in symbols(e)}
    nodes = {symbol.name for symbol in read if symbol.kind == "node"}
    return nodes | {product.term.of for product in maps.within} | set(cell.states)


def _hand_back(walk: WalkBack, maps: Maps, state: str, direct: Traced | None) -> None:
    """What a state of the step before receives: directly, and Wᵀ ∇a of each product that is taken of it."""
    program, out = walk.program, Rows(walk.carried[state])
    products = [product for product in maps.before if product.term.of == state]
    if direct is not None and not products:
        program.value(direct.expression, out=out)
        return
    if not products:
        program.call(np.positive, Same(np.zeros((), program.dtype)), out=out)
    total = None if direct is None else program.value(direct.expression)
    for product in products:
        to = out if product is products[-1] else None
        if total is None:
            total = times_back(walk, maps, product, to)
        else:
            total = program.call(np.add, total, times_back(walk, maps, product), out=to)


def _one_dtype(arrays: Iterable[Array], maps: Maps) -> bool:
    return len({array.dtype for array in (*arrays, *(product.weight for product in maps.products))}) == 1
