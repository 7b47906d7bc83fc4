r"""The equations of a cell as LaTeX: those that all cells share from what a cell declares, its own from the cell.

The one place from which a report takes them. A test holds that the docstring of :mod:`manual_rnn.cells.rnn`, where
they stand for the reader, says the same.
"""

from __future__ import annotations

import re

import numpy as np

from manual_rnn import losses
from manual_rnn.cell import Affine, Array, Cell, Nodes


def formula(cell: Cell, equation: str, loss: str = "softmax") -> str | None:
    """The equation of this name (a, h, …, grad_W, …); None where neither the cell nor this file knows it."""
    return cell.latex.get(equation) or _shared(cell, loss).get(equation)


def symbol(name: str) -> str:
    r"""A name as one symbol: ``W`` is W, ``W_f`` is W_{f}, ``gate`` is \mathit{gate}; others come as text."""
    name = name.removeprefix("cell.")
    if not re.fullmatch(r"[^\W_]+(_[^\W_]+)?", name):
        plain = re.sub(r"[^\w ]|_", " ", name)
        return rf"\text{{{plain}}}"
    head, _, index = name.partition("_")
    return _word(head) + (f"_{{{_word(index)}}}" if index else "")


def _word(name: str) -> str:
    return name if len(name) == 1 else rf"\mathit{{{name}}}"


def _shared(cell: Cell, loss: str) -> dict[str, str]:
    first = symbol(cell.states[0])
    of_input = [rf"{symbol(m.U)}^\top \nabla {symbol(m.node)}(t)" for m in cell.maps if m.U]
    equations = {
        "o": rf"o(t) = c + V {first}(t)",
        **losses.get(loss).latex,
        "grad_c": r"\nabla c = \sum_t \nabla o(t)",
        "grad_V": rf"\nabla V = \sum_t \nabla o(t)\, {first}(t)^\top",
        "grad_x": r"\nabla x(t) = " + " + ".join(of_input),
    }
    for m in cell.maps:
        equations |= _of_map(cell, m)
    for state in cell.states:
        equations |= _of_state(cell, state)
    return equations


def _of_map(cell: Cell, m: Affine) -> dict[str, str]:
    a = symbol(m.node)
    parts = [symbol(m.b)] if m.b else []
    equations = {f"grad_{m.b}": rf"\nabla {symbol(m.b)} = \sum_t \nabla {a}(t)"} if m.b else {}
    for term in m.terms:
        weight, of = symbol(term.weight), f"{symbol(term.of)}({'t' if term.now else 't-1'})"
        parts.append(rf"{weight} \circ {of}" if term.diagonal else f"{weight} {of}")
        summed = rf"\nabla {a}(t) \circ {of}" if term.diagonal else rf"\nabla {a}(t)\, {of}^\top"
        equations[f"grad_{term.weight}"] = rf"\nabla {weight} = \sum_t {summed}"
    if m.U:
        parts.append(f"{symbol(m.U)} x(t)")
        equations[f"grad_{m.U}"] = rf"\nabla {symbol(m.U)} = \sum_t \nabla {a}(t)\, x(t)^\top"
    return equations | {cell.full(m.node): f"{a}(t) = {' + '.join(parts)}"}


def _of_state(cell: Cell, state: str) -> dict[str, str]:
    """The gradients that are carried back: through the maps, and by the way past them that the cell writes down."""
    ways = [
        rf"{symbol(term.weight)} \circ \nabla {symbol(m.node)}" + "({t})" if term.diagonal
        else rf"{symbol(term.weight)}^\top \nabla {symbol(m.node)}" + "({t})"
        for m in cell.maps for term in m.terms if term.of == state and not term.now
    ]  # fmt: skip
    direct = cell.latex.get(f"{state}_prev")
    if direct is None and _goes_past_the_map(cell, state):
        return {}
    h = symbol(state)

    def at(t: str) -> str:
        past = [direct.replace("(t)", f"({t})")] if direct else []
        return " + ".join([way.replace("{t}", t) for way in ways] + past)

    equations = {f"grad_{state}0": rf"\nabla {h}(0) = {at('1')}"}
    if state == cell.states[0]:
        end = rf", \quad \nabla {symbol(cell.maps[0].node)}(\tau+1) = 0" if len(ways) == 1 and not direct else ""
        equations[f"grad_{cell.full(state)}"] = rf"\nabla {h}(t) = V^\top \nabla o(t) + {at('t+1')}{end}"
    return equations


def _goes_past_the_map(cell: Cell, state: str) -> bool:
    """Whether the cell hands back a direct gradient of a state before, a term that only the cell can write down."""
    one = np.ones(1)
    nodes = {m.node: one for m in cell.maps}

    def tap(name: str, value: Array) -> Array:
        nodes[name] = value
        return value

    prev = Nodes(**dict.fromkeys(cell.states, one))
    try:
        with np.errstate(all="ignore"):
            states = cell.forward(Nodes(**nodes), prev, tap)
            names = [*cell.states, *(term.of for m in cell.maps for term in m.terms if term.now)]
            back = cell.backward(Nodes(**(nodes | states)), prev, Nodes(**dict.fromkeys(names, one)), lambda name, v: v)
    except Exception:  # a user's code; what is wrong with it is said elsewhere
        return True
    return f"{state}_prev" in back
