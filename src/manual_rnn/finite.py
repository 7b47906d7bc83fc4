"""Where a pass has left the format: the first state that is not finite, and the first loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network
from manual_rnn.tape import Tape

Nodes = Tape | Mapping[str, Array]


def lost_state(model: Cell | Network, nodes: Nodes, *, first: int = 1) -> str | None:
    """A sentence on the first state that is not finite, with its step and sequence; None if all are.

    ``first`` is the step of the nodes' first row.
    """
    for cell in Network.of(model).cells:
        for name in (cell.full(state) for state in cell.states):
            finite = np.logical_and.reduce(np.isfinite(nodes[name]), axis=-1)
            if not finite.all():
                t = int(np.flatnonzero(~finite.all(axis=-1))[-1 if cell.reverse else 0])
                b = int(np.argmin(finite[t]))
                way = "back" if cell.reverse else "on"
                return (
                    f"The state {name} is not finite from step {t + first} {way}, in sequence {b}: the forward pass "
                    "itself grows beyond the format there, so no loss and no gradient exist. A smaller gain, or a "
                    "cell that saturates, keeps it within."
                )
    return None


def check_loss(loss: float, model: Cell | Network, nodes: Nodes, *, first: int = 1) -> None:
    """Raises FloatingPointError where the sum of ``nodes["loss"]`` is not finite: which step, and why."""
    if np.isfinite(loss):
        return
    if sentence := lost_state(model, nodes, first=first):
        raise FloatingPointError(sentence)
    lost = np.argwhere(~np.isfinite(nodes["loss"]))
    if not len(lost):
        check_sum(loss, nodes["loss"].dtype)
    t, b = (int(i) for i in lost[0])
    raise FloatingPointError(
        f"The loss is {loss}: that of step {t + first} of sequence {b} is not finite, with outputs o up to "
        f"{np.abs(nodes['o'][t, b]).max():.3g} there, and {_end(nodes['loss'].dtype)}. A smaller V and c, or targets y "
        "of a smaller size, keep it within; a weight of zero leaves out no step whose loss is infinite: lengths do."
    )


def check_sum(loss: float, dtype: np.dtype[Any]) -> None:
    """Raises FloatingPointError where finite losses have a sum that is not."""
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"The loss is {loss}: those of the steps are finite, their sum is not, and {_end(dtype)}. Smaller weights "
            'of the steps keep it within, such as those of reduction="mean".'
        )


def _end(dtype: np.dtype[Any]) -> str:
    return f"{dtype} ends at {np.finfo(dtype).max:.1e}"
