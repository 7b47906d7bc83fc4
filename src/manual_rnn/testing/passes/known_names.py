"""Whether a layout speaks of arrays that there are: a slip there would pass for a mistake of the code it describes."""

from __future__ import annotations

from manual_rnn.cell import Cell, parameter_shapes
from manual_rnn.testing.passes.layout import STATES, UPSTREAM
from manual_rnn.testing.passes.lengths import RAGGED
from manual_rnn.testing.passes.target import Target


def check_names(target: Target, cell: Cell) -> None:
    """Raises ValueError, naming the slip, where ``names`` or ``without`` has an array that is none of ours."""
    layout = target.layout
    states = [name for name in (*STATES, *(f"{state}0" for state in cell.states)) if name not in layout.shapes]
    params = list(layout.shapes) or list(parameter_shapes(cell, n_in=1, n_hidden=1, n_out=1))
    known = list(dict.fromkeys([*params, *states, "x", "y", *UPSTREAM, *RAGGED, "V", "c"]))
    listed = f"our arrays are {', '.join(known)}"
    for yours, our in layout.names.items():
        if our not in known:
            raise ValueError(f"Layout(names=...) says that {yours} is {our!r}; {listed}.")
    for our in layout.without:
        if our not in known:
            raise ValueError(f"Layout(without=...) has {our!r}; {listed}.")
