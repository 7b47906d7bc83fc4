"""Whether a layout speaks of arrays that there are: a slip there would pass for a mistake of the code it describes."""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Cell
from manual_rnn.network import parameter_shapes
from manual_rnn.testing.passes.layout import STATES, UPSTREAM
from manual_rnn.testing.passes.lengths import RAGGED
from manual_rnn.testing.passes.target import Target


def check_names(target: Target, cell: Cell) -> None:
    """Raises ValueError, naming the slip, where the layout has an array or a gate that is none of ours."""
    layout = target.layout
    shapes = parameter_shapes(cell, n_in=1, n_hidden=1, n_out=1)
    letters = [name.removeprefix("U_") for name in shapes if name.startswith("U_")]
    if layout.gates and sorted(layout.gates) != sorted(letters):
        has = f"the gates {', '.join(letters)}" if letters else "no gates"
        raise ValueError(f"Layout(gates={layout.gates!r}) has each gate once; the cell {cell.name!r} has {has}.")
    states = [name for name in (*STATES, *(f"{state}0" for state in cell.states)) if name not in layout.shapes]
    params = list(layout.shapes) or list(layout.packed({name: np.zeros(shape) for name, shape in shapes.items()}))
    known = list(dict.fromkeys([*params, *states, "x", "y", *UPSTREAM, *RAGGED, "V", "c"]))
    listed = f"our arrays are {', '.join(known)}"
    for yours, our in layout.names.items():
        if our not in known:
            raise ValueError(f"Layout(names=...) says that {yours} is {our!r}; {listed}.")
    for our in layout.without:
        if our not in known:
            raise ValueError(f"Layout(without=...) has {our!r}; {listed}.")
