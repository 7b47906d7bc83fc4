"""The walk through time of :mod:`manual_rnn.bptt` without an allocation in its loop: the same sums, written in place.

The cell's code is run once, on symbols; what it does with them becomes a :class:`~manual_rnn.program.Program`, whose
results go straight to the tape. The same functions of the same operands are called, so the numbers are those of the
cell's code to the last bit. Code that cannot be read so, a tape that looks at each step, or arrays of two dtypes:
``None`` is returned, and bptt's own walk is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.expression import Symbol, Traced, Unreadable
from manual_rnn.maps import Maps, Product
from manual_rnn.program import Operand, Program, Rows, Same, run
from manual_rnn.tape import Tape


def unroll(cell: Cell, maps: Maps, a: Array, before: Mapping[str, Array], tape: Tape) -> bool:
    """Completes the maps ``a`` (T, B, width) and taps all nodes; False where bptt's walk is to be taken."""
    if type(tape) is not Tape or not _one_dtype([a, *before.values()], maps):
        return False
    shape = next(iter(before.values())).shape[1:]
    program = Program(shape, a.dtype)
    recorded: dict[str, Array] = {}

    def add(product: Product, rows: Operand) -> None:
        of_maps = Rows(a[..., product.columns])
        program.call(np.add, of_maps, _product(program, product, rows, of_maps.array.shape[-1]), out=of_maps)

    def evaluate(name: str) -> None:
        setattr(node, name, tap(name, Traced(Symbol("map", name))))

    def tap(name: str, value: Traced) -> Traced:
        if name in recorded:
            raise Unreadable(f"{name} is tapped twice")
        symbol = Symbol("made", name)
        if name in maps.columns:
            recorded[name] = a[..., maps.columns[name]]
            program.values[symbol] = Rows(recorded[name])
        else:
            known = name in cell.states
            recorded[name] = tape[cell.full(name)] if known else tape.room(name, (len(a), *shape), a.dtype)
            program.values[symbol] = program.value(value.expression, out=Rows(recorded[name]))
        if name in maps.waiting:
            setattr(node, name, Traced(symbol))
            for product in (p for p in maps.within if p.term.of == name):
                add(product, program.values[symbol])
            for waiting in maps.waiting[name]:
                evaluate(waiting)
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
        states = cell.forward(node, prev, tap)
        if any(states[name].expression != Symbol("made", name) for name in cell.states):
            return False
    except Exception:  # whatever a user's code does with a symbol; bptt's walk says what is wrong, if anything is
        return False
    run(program.steps(range(len(a))))
    for name, rows in recorded.items():
        tape.tap_all(cell.full(name), rows)
    return True


def go_back(
    cell: Cell, maps: Maps, nodes: Mapping[str, Array], before: Mapping[str, Array], from_readout: Array, grads: Tape
) -> tuple[Array, dict[str, Array]] | None:
    """Taps the gradients of all nodes; returns those of the maps, (T, B, width), and of the initial states."""
    T, *shape = from_readout.shape
    dtype = from_readout.dtype
    if type(grads) is not Tape or not _one_dtype([from_readout, *nodes.values(), *before.values()], maps):
        return None
    program = Program(tuple(shape), dtype)
    of_maps = grads.room("side by side", (*from_readout.shape[:2], maps.width), dtype)
    recorded: dict[str, Array] = {}
    carried = {name: np.zeros((2, *shape), dtype) for name in cell.states}
    arriving = {name: Rows(both[::-1]) for name, both in carried.items()}  # of step t + 1, as t is counted

    def symbol(name: str, value: Operand) -> Traced:
        """What ``grad`` has under a name from now on."""
        found = Symbol("grad", f"{name} {len(program.values)}")
        program.values[found] = value
        return Traced(found)

    def tap(name: str, value: Traced) -> Traced:
        if name in recorded:
            raise Unreadable(f"{name} is tapped twice")
        is_map = name in maps.columns
        recorded[name] = of_maps[..., maps.columns[name]] if is_map else grads.room(name, from_readout.shape, dtype)
        made = Symbol("made", name)
        program.values[made] = program.value(value.expression, out=Rows(recorded[name]))
        for product in (p for p in maps.within if name in p.nodes):
            of, arrived = product.term.of, _back(program, product, program.values[made])
            if hasattr(grad, of):
                arrived = program.call(np.add, program.value(getattr(grad, of).expression), arrived)
            setattr(grad, of, symbol(of, arrived))
        return Traced(made)

    first = cell.states[0]
    total = grads.room(first, from_readout.shape, dtype)
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
        local = cell.backward(node, prev, grad, tap)  # (B5)
        if any(local[name].expression != Symbol("made", name) for name in maps.columns):
            return None
        for name in cell.states:
            given = local.get(f"{name}_prev")
            direct = [] if given is None else [program.value(given.expression)]
            _hand_back(program, maps, of_maps, name, direct, Rows(carried[name]))
    except Exception:  # as above
        return None
    run(program.steps(reversed(range(T))))
    grads.tap_all(cell.full(first), total)
    for name, rows in recorded.items():
        grads.tap_all(cell.full(name), rows)
    return of_maps, {name: both[0] for name, both in carried.items()}


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
    if direct and not products:
        program.call(np.positive, total, out=out)


def _one_dtype(arrays: Iterable[Array], maps: Maps) -> bool:
    return len({array.dtype for array in (*arrays, *(product.weight for product in maps.products))}) == 1
