"""The equations that all cells share, as sums of terms, found from what a cell declares."""

from __future__ import annotations

from manual_rnn.cell import Cell
from manual_rnn.testing.mistakes.loss_terms import GRAD_O, LOSS
from manual_rnn.testing.mistakes.terms import Linear, Outer, Quantity, Term

ONE = Quantity("1")


def gradient(name: str, offset: int = 0) -> Quantity:
    """∇name(t + offset)."""
    return Quantity(name, gradient=True, offset=offset)


def stepwise(cell: Cell) -> dict[str, list[Term]]:
    """The equations that hold at every step: by name, the terms of which each is the sum."""
    equations: dict[str, list[Term]] = {"loss": [*LOSS], "grad_o": [*GRAD_O]}
    for m in cell.maps:
        state = Linear(Quantity(m.state, offset=-1), m.W)
        equations[m.node] = [state, Linear(Quantity("x"), m.U), Linear(ONE, m.b)]
    equations["o"] = [Linear(Quantity(cell.states[0]), "V"), Linear(ONE, "c")]
    for name in cell.states:
        from_loss: list[Term] = [Linear(gradient("o"), "V", transposed=True)] if name == cell.states[0] else []
        equations[f"grad_{name}"] = from_loss + _carried(cell, name)
    equations["grad_x"] = [Linear(gradient(m.node), m.U, transposed=True) for m in cell.maps]
    return equations


def initial(cell: Cell) -> dict[str, list[Term]]:
    """The gradients of the initial states: terms at row −1."""
    return {f"grad_{name}0": _carried(cell, name) for name in cell.states}


def summed(cell: Cell) -> dict[str, Outer]:
    """The gradients of the parameters: by name, the one term of each, a sum over time."""
    o = gradient("o")
    equations = {"grad_c": Outer(o, ONE), "grad_V": Outer(o, Quantity(cell.states[0]))}
    for m in cell.maps:
        a = gradient(m.node)
        equations |= {
            f"grad_{m.b}": Outer(a, ONE),
            f"grad_{m.W}": Outer(a, Quantity(m.state, offset=-1)),
            f"grad_{m.U}": Outer(a, Quantity("x")),
        }
    return equations


def _carried(cell: Cell, state: str) -> list[Term]:
    """What comes to a state's gradient from the maps of the next step."""
    return [Linear(gradient(m.node, 1), m.W, transposed=True) for m in cell.maps if m.state == state]
