r"""The equations of a cell as LaTeX: those that all cells share from what a cell declares, its own from the cell.

The one place from which a report takes them. A test holds that the docstring of :mod:`manual_rnn.cells.rnn`, where
they stand for the reader, says the same.
"""

from __future__ import annotations

import re

import numpy as np

from manual_rnn import losses
from manual_rnn.cell import Affine, Array, Cell, Nodes
from manual_rnn.network import INITIAL, Network


def formula(model: Cell | Network, equation: str, loss: str = "softmax") -> str | None:
    """The equation of this name (a, h, …, grad_W, …); None where neither its cell nor this file knows it.

    In a network of several, ``layer2.a`` is written as the cell's own a, and those that join the layers as
    :mod:`manual_rnn.layers` has them. Of a cell that goes back in time, what is at t − 1 elsewhere is at t + 1.
    """
    network = Network.of(model)
    backward, variable = equation.startswith("grad_"), equation.removeprefix("grad_")
    cell = next((cell for cell in network.cells if variable.startswith(cell.prefix)), None)
    if cell is None:
        return _of_readout(network, equation, loss)
    alone = cell.alone()
    own = variable.removeprefix(cell.prefix)
    name = f"grad_{own}" if backward else own
    joint = _joints(network, cell).get(name) or (network.learned_initial and _of_beginnings(alone).get(name))
    found = joint or alone.latex.get(name) or _shared(alone, loss).get(name)
    return _in_reverse(found) if found and cell.reverse else found


def _of_readout(network: Network, equation: str, loss: str) -> str | None:
    """What only the network as a whole has: the readout's, of what the last layer shows, and the total ∇x."""
    shown = _shown(network.layers[-1])
    parts = [rf"\nabla x_{{{k + 1}}}(t)" for k in range(len(network.layers[0]))]
    equations = {
        "o": rf"o(t) = c + V {shown}",
        **losses.get(loss).latex,
        "grad_c": r"\nabla c = \sum_t \nabla o(t)",
        "grad_V": rf"\nabla V = \sum_t \nabla o(t)\, {shown}^\top",
        "grad_x": rf"\nabla x(t) = {' + '.join(parts)}",
    }
    return equations.get(equation)


def _shown(layer: tuple[Cell, ...]) -> str:
    """What a layer shows at t: a state, or those of both directions end to end."""
    states = [symbol(cell.states[0]) for cell in layer]
    if len(states) == 1:
        return f"{states[0]}(t)"
    return "[" + ", ".join(f"{state}_{{{k + 1}}}(t)" for k, state in enumerate(states)) + "]"


def _joints(network: Network, cell: Cell) -> dict[str, str]:
    """The equations that join a cell to the layers below and above it; none of a network of one layer."""
    k = next(k for k, layer in enumerate(network.layers) if cell in layer)
    joints: dict[str, str] = {}
    if k > 0:
        joints["x"] = rf"x(t) = m(t) \circ {_shown(network.layers[k - 1])}"
    arrives = _arrives(cell.alone()) if k + 1 < len(network.layers) or len(network.layers[k]) > 1 else None
    if arrives is not None:
        h = symbol(cell.states[0])
        joints[f"grad_{cell.alone().full(cell.states[0])}"] = rf"\nabla {h}(t) = \text{{from above}} + {arrives}"
    return joints


def _of_beginnings(cell: Cell) -> dict[str, str]:
    """The gradients of learned initial states; ∇h(t−1) is what step t hands back."""
    of = {state: rf"\nabla {symbol(state)}" for state in cell.states}
    return {f"grad_{INITIAL}{s}": rf"{v}_{{0}} = \sum_{{\text{{beginnings}}}} {v}(t-1)" for s, v in of.items()}


REVERSED = {"(t-1)": "(t+1)", "(t+1)": "(t-1)", "(0)": r"(\tau+1)", "(1)": r"(\tau)", r"(\tau+1)": "(0)"}


def _in_reverse(latex: str) -> str:
    return re.sub("|".join(map(re.escape, REVERSED)), lambda found: REVERSED[found[0]], latex)


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
    arrives = _arrives(cell, state)
    if arrives is None:
        return {}
    h = symbol(state)
    equations = {f"grad_{state}0": rf"\nabla {h}(0) = {arrives.replace('(t+1)', '(1)')}"}
    if state == cell.states[0]:
        ways = [term for m in cell.maps for term in m.terms if term.of == state and not term.now]
        alone = len(ways) == 1 and f"{state}_prev" not in cell.latex
        end = rf", \quad \nabla {symbol(cell.maps[0].node)}(\tau+1) = 0" if alone else ""
        equations[f"grad_{cell.full(state)}"] = rf"\nabla {h}(t) = V^\top \nabla o(t) + {arrives}{end}"
    return equations


def _arrives(cell: Cell, state: str | None = None) -> str | None:
    """What comes to ∇state(t) from step t+1, of the first state by default; None where only the cell could say it."""
    state = state or cell.states[0]
    ways = [
        rf"{symbol(term.weight)} \circ \nabla {symbol(m.node)}(t+1)" if term.diagonal
        else rf"{symbol(term.weight)}^\top \nabla {symbol(m.node)}(t+1)"
        for m in cell.maps for term in m.terms if term.of == state and not term.now
    ]  # fmt: skip
    direct = cell.latex.get(f"{state}_prev")
    if direct is None and _goes_past_the_map(cell, state):
        return None
    return " + ".join(ways + ([direct.replace("(t)", "(t+1)")] if direct else []))


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
