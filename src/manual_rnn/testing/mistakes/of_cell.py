"""A cell of a network seen as a network of its own: dense inputs, its own names, and time in the order that it goes.

So what is known of the mistakes of one cell is known of each cell in a network. What joins it to others is not in the
view: its input's mask, boundaries between sequences. What comes to its first state from a layer above is as it is.
"""

from __future__ import annotations

from dataclasses import replace

from manual_rnn import affine
from manual_rnn.cell import Array, Cell
from manual_rnn.network import INITIAL, Network
from manual_rnn.testing.local import BEFORE
from manual_rnn.testing.problem import Answer, Case, leading_axes

OF_READOUT = ("o", "loss", "c", "V")


def cell_of(network: Network, equation: str) -> Cell | None:
    """The cell whose view has an equation; None for one that joins cells."""
    variable = equation.removeprefix("grad_")
    top = network.layers[-1]
    if variable in OF_READOUT:
        return None if equation in ("o", "grad_V") and len(top) > 1 else top[0]
    cell = next((cell for cell in network.cells if variable.startswith(cell.prefix)), None)
    if cell is None:
        return None
    own = variable.removeprefix(cell.prefix)
    between_steps = own.startswith(INITIAL) or own.endswith(f"_{BEFORE}")
    between_layers = own == "x" and equation == variable
    return None if between_steps or between_layers else cell


def place_of(network: Network, equation: str) -> Cell | None:
    """The cell whose name an equation bears; None for those of the whole network."""
    variable = equation.removeprefix("grad_")
    if variable in OF_READOUT:
        return None
    return next((cell for cell in network.cells if variable.startswith(cell.prefix)), None)


def own_equation(cell: Cell, equation: str) -> str:
    """An equation's name in the view of its cell."""
    variable = equation.removeprefix("grad_")
    own = variable if variable in OF_READOUT else variable.removeprefix(cell.prefix)
    return own if variable == equation else f"grad_{own}"


def of_cell(network: Network, cell: Cell, case: Case, answer: Answer) -> tuple[Case, Answer]:
    """A case and its truth as they are for one cell; nothing is changed where it is the only one."""
    if (cell,) == network.cells and not cell.prefix:
        return case, answer
    nodes, grads = answer
    first = cell in network.layers[0]
    x = case.x if first else nodes[f"{cell.prefix}x"]
    width = case.spec.sizes.n_in if affine.is_tokens(x) else x.shape[-1]
    readout = OF_READOUT if cell == network.layers[-1][0] else ()

    def own(arrays: dict[str, Array], prefix: str = "") -> dict[str, Array]:
        found = {name.removeprefix(cell.prefix): name for name in arrays if name.startswith(cell.prefix)}
        found |= {name: name for name in readout if name in arrays}
        return {mine: in_its_order(network, cell, f"{prefix}{name}", arrays[name]) for mine, name in found.items()}

    view = replace(
        case,
        spec=replace(case.spec, sizes=replace(case.spec.sizes, n_in=width)),
        params={**own(dict(case.params), "grad_"), "V": case.params["V"], "c": case.params["c"]},
        initial={name: case.initial[f"{cell.prefix}{name}"] for name in cell.states},
        x=_turned(cell, x),
        y=_turned(cell, case.y),
        weights=_turned(cell, case.weights),
        masks={},
    )
    of_nodes = {name: array for name, array in own(dict(nodes)).items() if name != "x"}
    return view, (of_nodes, own(dict(grads), "grad_"))


def in_its_order(network: Network, cell: Cell, equation: str, array: Array) -> Array:
    """An equation's array with its steps in the order in which the cell goes through them."""
    return _turned(cell, array) if leading_axes(network, equation) == 2 else array


def _turned(cell: Cell, rows: Array) -> Array:
    return rows[::-1] if cell.reverse else rows
