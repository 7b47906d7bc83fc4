"""Whether an oracle is the partner of the model that is judged, and not that of another cell.

What it cannot see: a partner of another cell that has the same names, the tanh's for the ReLU's, say. The equations
themselves tell that.
"""

from __future__ import annotations

from manual_rnn.cell import Cell
from manual_rnn.network import Network
from manual_rnn.testing.problem import Answer, Case, Oracle
from manual_rnn.tracebacks import has_own_frames


def called(model: Cell | Network) -> str:
    """What sentences call a cell or a network."""
    network = Network.of(model)
    return f"the cell {network.cells[0].name!r}" if len(network.cells) == 1 else f"the network of {network.name}"


def check_asked_for(model: Cell | Network, oracle: Oracle, case: Case, error: BaseException) -> None:
    """Raises ValueError where an oracle has failed for want of a parameter, or a state, that the model has not.

    Not where the oracle is a step of the user's own: there the line that failed is to be seen.
    """
    name = error.args[0] if isinstance(error, KeyError) and error.args else None
    if name is None or name in case.params or name in case.initial or has_own_frames(error):
        return
    raise ValueError(
        f"The oracle{_source(oracle)} asks for {name!r}, and {called(model)} has no such parameter or state; "
        f"it has {', '.join(case.params)}, and of states {', '.join(case.initial)}. {_PARTNER}"
    ) from error


def check_given(model: Cell | Network, oracle: Oracle, answer: Answer) -> None:
    """Raises ValueError where an oracle does not give the nodes that the model declares: its maps and its states."""
    cells = Network.of(model).cells
    declared = [cell.full(name) for cell in cells for name in (*(m.node for m in cell.maps), *cell.states)]
    if missing := [name for name in declared if name not in answer[0]]:
        raise ValueError(
            f"The oracle{_source(oracle)} does not give {', '.join(missing)}, which {called(model)} has; "
            f"it gives {', '.join(answer[0])}. {_PARTNER}"
        )


_PARTNER = "Hand in the oracle of the same cell."


def _source(oracle: Oracle) -> str:
    source = getattr(oracle, "source", None)
    return f", {source}," if source else ""
