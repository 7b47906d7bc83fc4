r"""The equations of a cell as LaTeX: those that all cells share from what a cell declares, its own from the cell.

The one place from which a report takes them. A test holds that the docstring of :mod:`manual_rnn.cells.rnn`, where
they stand for the reader, says the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from manual_rnn.cell import Affine, Array, Cell, Nodes


def formula(cell: Cell, equation: str) -> str | None:
    """The equation of this name (a, h, …, grad_W, …); None where neither the cell nor this file knows it."""
    return cell.latex.get(equation) or _shared(cell).get(equation)


def symbol(name: str) -> str:
    r"""A name as one symbol: ``W`` is W, ``W_f`` is W_{f}, ``gate`` is \mathit{gate}; others come as text."""
    if not re.fullmatch(r"[^\W_]+(_[^\W_]+)?", name):
        plain = re.sub(r"[^\w ]|_", " ", name)
        return rf"\text{{{plain}}}"
    head, _, index = name.partition("_")
    return _word(head) + (f"_{{{_word(index)}}}" if index else "")


def _word(name: str) -> str:
    return name if len(name) == 1 else rf"\mathit{{{name}}}"


def _shared(cell: Cell) -> dict[str, str]:
    first = symbol(cell.states[0])
    equations = {
        "o": rf"o(t) = c + V {first}(t)",
        "loss": r"\ell(t) = -\log \operatorname{softmax}(o(t))_{y(t)}, \quad L = \sum_t \ell(t)",
        "grad_o": r"\nabla o(t) = \hat y(t) - 1_{y(t)}",
        "grad_c": r"\nabla c = \sum_t \nabla o(t)",
        "grad_V": rf"\nabla V = \sum_t \nabla o(t)\, {first}(t)^\top",
        "grad_x": r"\nabla x(t) = " + _sum(rf"{symbol(m.U)}^\top \nabla {symbol(m.node)}(t)" for m in cell.maps),
    }
    for m in cell.maps:
        equations |= _of_map(m)
    for state in cell.states:
        equations |= _of_state(cell, state)
    return equations


def _of_map(m: Affine) -> dict[str, str]:
    a, W, U, b, h = (symbol(name) for name in (m.node, m.W, m.U, m.b, m.state))
    return {
        m.node: rf"{a}(t) = {b} + {W} {h}(t-1) + {U} x(t)",
        f"grad_{m.b}": rf"\nabla {b} = \sum_t \nabla {a}(t)",
        f"grad_{m.W}": rf"\nabla {W} = \sum_t \nabla {a}(t)\, {h}(t-1)^\top",
        f"grad_{m.U}": rf"\nabla {U} = \sum_t \nabla {a}(t)\, x(t)^\top",
    }


def _of_state(cell: Cell, state: str) -> dict[str, str]:
    """The gradients that are carried back, where there is one way from step to step: through the one map."""
    if len(cell.states) > 1 or len(cell.maps) > 1 or _goes_past_the_map(cell):
        return {}
    (m,) = cell.maps
    h, a = symbol(state), symbol(m.node)
    way = rf"{symbol(m.W)}^\top \nabla {a}"
    return {
        f"grad_{state}": rf"\nabla {h}(t) = V^\top \nabla o(t) + {way}(t+1), \quad \nabla {a}(\tau+1) = 0",
        f"grad_{state}0": rf"\nabla {h}(0) = {way}(1)",
    }


def _goes_past_the_map(cell: Cell) -> bool:
    """Whether the cell hands back a direct gradient of the state before, a term that only the cell can write down."""
    one = np.ones(1)
    nodes = {m.node: one for m in cell.maps}

    def tap(name: str, value: Array) -> Array:
        nodes[name] = value
        return value

    prev = Nodes(**dict.fromkeys(cell.states, one))
    try:
        with np.errstate(all="ignore"):
            states = cell.forward(Nodes(**nodes), prev, tap)
            grad = Nodes(**dict.fromkeys(cell.states, one))
            back = cell.backward(Nodes(**(nodes | states)), prev, grad, lambda name, value: value)
    except Exception:  # a user's code; what is wrong with it is said elsewhere
        return True
    return any(name not in {m.node for m in cell.maps} for name in back)


def _sum(terms: Iterable[str]) -> str:
    return " + ".join(terms)
