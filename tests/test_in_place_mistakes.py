"""Mistakes planted in the walk in place: the check that holds it to the cell's own code, bit by bit, sees each one.

First every call of every cell's program: left out, or with an operand or its result at another step. Then lines of
the code that makes the programs. What has not been written is not a number here: memory that a pass before has left
behind would have the right ones in it.
"""

import dataclasses
import importlib
import itertools
from functools import cache

import numpy as np
import pytest

from manual_rnn import cells, in_place, loss_and_gradients, program
from manual_rnn.tape import Tape
from planting import Mistake, planted
from test_in_place import Watching, any_cell, assert_same, passed, problem, too_early

SIZES = (5, 3, 4, 6)
"""T, B, n and H: an odd number of steps, as the rows of what is carried back are taken in turns."""
WHOLE, LEAN = "whole", "lean"


@cache
def right(name, kind):
    return results(cells.get(name), kind, Watching)


def results(cell, kind, tape_type=Tape):
    given = problem(cell, SIZES, np.float64, tokens=True)
    if kind == WHOLE or tape_type is Watching:
        state, tape, grads = passed(cell, tape_type, *given)
        names = {n for n in grads if n in given[0] or n in [f"{s}0" for s in cell.states]}
        return (state, tape, grads) if kind == WHOLE else ({n: grads[n] for n in names}, state)
    params, x, y, initial = given
    result = loss_and_gradients(cell, params, x, y, initial=initial, every_node=False)
    return result.gradients, result.state


def agrees(cell, kind):
    try:
        with np.errstate(all="ignore"):
            assert_same(results(cell, kind), right(cell.name, kind))
    except (AssertionError, FloatingPointError):  # a loss that is no number is refused
        return False
    return True


def not_written(monkeypatch):
    """Room and buffers hold no numbers until something is written there."""

    def room(tape, name, shape, dtype):
        return np.full(shape, np.nan, dtype)

    monkeypatch.setattr(Tape, "room", room)


def emptied(steps):
    """The same program, what it has for one step only being no number at its beginning."""
    for i, (_, arrays) in enumerate(steps):
        out = arrays[0][-1]
        shared = all(given[-1] is out for given in arrays)
        read = any(out is operand for _, others in steps[: i + 1] for operand in others[0][:-1])
        if shared and not read and len(arrays) > 1:
            out[...] = np.nan if out.dtype != bool else True
    return steps


def with_a_changed_walk(monkeypatch, walk, change):
    """``walk``: 0 for the way forward, 1 for the way back."""
    count = itertools.count()

    def run(steps):
        program.run(emptied(change(steps) if next(count) == walk else steps))

    monkeypatch.setattr(in_place, "run", run)


def changes(steps):
    """Every call left out; every operand and every result that has a row of its own at each step, at the next one."""
    for i, (function, arrays) in enumerate(steps):
        name = getattr(function, "__name__", str(function))
        yield f"call {i}, {name}, is left out", lambda steps, i=i: steps[:i] + steps[i + 1 :]
        for j, one in enumerate(arrays[0]):
            if all(given[j] is one for given in arrays):
                continue

            def at_the_next(steps, i=i, j=j):
                function, arrays = steps[i]
                moved = [
                    (*given[:j], later[j], *given[j + 1 :])
                    for given, later in zip(arrays, arrays[1:] + arrays[:1], strict=True)
                ]
                return [*steps[:i], (function, moved), *steps[i + 1 :]]

            what = "its result" if j == len(arrays[0]) - 1 else f"operand {j}"
            yield f"call {i}, {name}: {what} is that of another step", at_the_next


@any_cell
@pytest.mark.parametrize("kind", [WHOLE, LEAN])
@pytest.mark.parametrize("walk", [0, 1], ids=["forward", "back"])
def test_every_call_of_every_program_matters(cell, kind, walk, monkeypatch):
    not_written(monkeypatch)
    seen = []
    with_a_changed_walk(monkeypatch, walk, lambda steps: seen.append(list(changes(steps))) or steps)
    assert agrees(cell, kind)
    (planted_here,) = seen
    assert len(planted_here) >= 4
    escaped = []
    for words, change in planted_here:
        with_a_changed_walk(monkeypatch, walk, change)
        if agrees(cell, kind):
            escaped.append(words)
    assert escaped == []


# Mistakes in the code that makes the programs. Each is seen in the cells that leave room for it.

LINES = [
    Mistake("what is carried back is read from the buffer that is written", "in_place",
            "Rows(both[::-1])", "Rows(both)", ()),
    Mistake("what comes from after the tape is put into the other buffer", "in_place",
            "both[first_row] = 0", "both[1 - first_row] = 0", ()),
    Mistake("the initial state's gradient is taken from the other buffer", "in_place",
            "both[last_row].copy()", "both[1 - last_row].copy()", ()),
    Mistake("one product with the state before is missed", "in_place",
            "for product in maps.before:\n            add", "for product in maps.before[:-1]:\n            add", ()),
    Mistake("one product within the step is missed on the way forward", "in_place",
            "for product in (p for p in maps.within if p.term.of == name):\n                add(",
            "for product in (p for p in maps.within[:-1] if p.term.of == name):\n                add(", ()),
    Mistake("one product within the step is missed on the way back", "in_place",
            "for product in (p for p in maps.within if name in p.nodes):",
            "for product in (p for p in maps.within[1:] if name in p.nodes):", ()),
    Mistake("one product is missed in what is handed back", "in_place",
            "[product for product in maps.before if product.term.of == state]",
            "[product for product in maps.before if product.term.of == state][:1]", ()),
    Mistake("what a state hands back past the maps is forgotten", "in_place",
            "_hand_back(walk, maps, name, given)", "_hand_back(walk, maps, name, None if maps.before else given)", ()),
    Mistake("a map's columns are those of the first map", "in_place",
            "rows = a[maps.places[name]]\n", "rows = a[maps.places[maps.first[0]]]\n", ()),
    Mistake("the gradient that arrives within the step takes the place of what was there", "in_place",
            "arrived = program.call(np.add, program.value(getattr(grad, of).expression), arrived)", "pass", ()),
    Mistake("a gradient that has grown since goes by its old name", "in_place",
            'Symbol("grad", f"{name} {len(program.values)}")', 'Symbol("grad", name)', ()),
    Mistake("the tokens' gather takes the row before", "walk",
            "table.take(ids,", "table.take(ids - 1,", ()),
    Mistake("the gradient of the state is not recorded", "in_place",
            "total = walk.recorded[first] = grads.room", "total = grads.room", ()),
    Mistake("the state is written beside the tape's own array", "in_place",
            "tape[full] if name in cell.states else tape.room", "tape.room", ()),
    Mistake("a lean tape forgets the states that the way back reads", "in_place",
            "{product.term.of for product in maps.within} | set(cell.states)",
            "{product.term.of for product in maps.within}", ()),
    Mistake("a lean tape forgets what the cell's way back reads", "in_place",
            "return nodes | {product", "return set() | {product", ()),
    Mistake("by element for a matrix product, on the way back", "walk",
            "program.call(np.multiply, Rows(grad_a.array[:, 0]), weight, out=out)",
            "program.call(np.matmul, Rows(grad_a.array[:, 0]), weight, out=out)", ()),
    Mistake("a buffer is free as soon as it is read once", "program",
            "isinstance(v, Between) and last[v] == i]", "isinstance(v, Between)]", ()),
    Mistake("an operand is overwritten by a result that is not made element by element", "program",
            "return isinstance(function, np.ufunc) and function.signature is None", "return True", ()),
    Mistake("a value that is there already is not written to the tape", "program",
            "return self.call(np.positive, found, out=out)", "return found", ()),
    Mistake("an operand is read a step late", "program",
            "rows[t % len(rows)] for t", "rows[(t - 1) % len(rows)] for t", ()),
    Mistake("the calls of all steps, not the steps of all calls", "program",
            """            for k in range(len(steps[0][1])):
                for function, arrays in steps:
                    function(*arrays[k])""",
            """            for function, arrays in steps:
                for k in range(len(arrays)):
                    function(*arrays[k])""", ()),
    Mistake("the other side of a condition", "program", "np.copyto(out, yes, where=condition)",
            "np.copyto(out, yes, where=~condition)", ()),
]  # fmt: skip


def bent(node, prev, tap):
    """What is chosen is needed in one step only, and is no step's result."""
    return {"h": tap("h", 2 * np.where(node.a > 0, np.tanh(node.a), 0.1))}


CELLS = {name: (name, {}) for name in cells.names()}
CELLS |= {"reads ∇c too early": ("lstm_peephole", {"backward": too_early}), "chooses": ("rnn", {"forward": bent})}
"""The cells, and two with code that has what no built-in one has."""


def of_package(package, name):
    """Whether a package's walk in place is its own cell's code, in a whole pass, a lean one, and one with an after."""
    bptt, gradients, tape_of = (
        importlib.import_module(f"{package.__name__}.{module}") for module in ("bptt", "gradients", "tape")
    )
    known, changed = CELLS[name]
    cell = dataclasses.replace(importlib.import_module(f"{package.__name__}.cells").get(known), **changed)
    apart = type("Watching", (tape_of.Tape,), {})
    params, x, y, initial = problem(cells.get(known), SIZES, np.float64, tokens=True)

    def run(tape_type):
        tape, grads = tape_type(len(x)), tape_type(len(x))
        given = (cell, params, x, y, np.ones(y.shape), initial)
        state = gradients.forward_and_backward(*given, inputs=True, tape=tape, grads=grads)
        again, above = tape_type(len(x)), np.cos(tape[cell.full(cell.states[0])])
        after = {state: np.sin(rows) for state, rows in initial.items()}
        bptt.go_back(cell, params, x, tape, above, again, inputs=True, after=after)
        return state, tape, grads, again

    try:
        with np.errstate(all="ignore"):
            whole = run(apart)
            assert_same(run(tape_of.Tape), whole)
            lean = gradients.loss_and_gradients(cell, params, x, y, initial=initial, every_node=False)
            assert_same((lean.gradients,), ({n: whole[2][n] for n in lean.gradients},))
    except (AssertionError, FloatingPointError):  # other numbers, or a loss that is none
        return False
    except (KeyError, AttributeError, ValueError):  # what was not recorded, or is of another shape
        return False
    return True


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.what)
def test_a_wrong_line_is_seen(line, tmp_path):
    with planted(line, tmp_path) as package:
        tape_of = importlib.import_module(f"{package.__name__}.tape")
        tape_of.Tape.room = lambda tape, name, shape, dtype: np.full(shape, np.nan, dtype)
        assert not all(of_package(package, name) for name in CELLS)


def test_right_lines_are_right(tmp_path):
    nothing = Mistake("nothing", "in_place", LINES[0].right, LINES[0].right, ())
    with planted(nothing, tmp_path) as package:
        assert all(of_package(package, name) for name in CELLS)
