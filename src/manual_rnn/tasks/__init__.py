"""Tasks of long memory as generators, one a file, with the variants of the literature under names of their own.

    task = tasks.adding_sum(length=100)
    batch = task.draw(32, seed=rng)
    result = loss_and_gradients(cell, params, batch.x, batch.y, weights=batch.weights, loss=task.loss)

``task.floor`` is that loss for whoever remembers nothing (:mod:`manual_rnn.theory.floors`), ``task.solved(o, batch)``
says which sequences are answered as the source demands. Variants differ in their floors and in what counts as solved:

- ``adding_sum`` (Arjovsky's), ``adding_mean`` (Pascanu's), ``adding_scaled`` (Hochreiter's and Schmidhuber's);
- ``copying``;
- ``temporal_order`` (Pascanu's), ``temporal_order_framed`` (Hochreiter's and Schmidhuber's), of two or three symbols;
- ``latch``; ``delayed_xor``;
- ``digits_rows``, ``digits_permuted`` (8 × 8 pixels, one by one), with the extra "digits", which is scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manual_rnn.tasks.adding import adding_mean, adding_scaled, adding_sum
from manual_rnn.tasks.copying import copying
from manual_rnn.tasks.delayed_xor import delayed_xor
from manual_rnn.tasks.digits import digits_permuted, digits_rows
from manual_rnn.tasks.latch import latch
from manual_rnn.tasks.task import Batch, Task
from manual_rnn.tasks.temporal_order import temporal_order, temporal_order_framed

__all__ = [
    "Batch",
    "Task",
    "adding_mean",
    "adding_scaled",
    "adding_sum",
    "copying",
    "delayed_xor",
    "digits_permuted",
    "digits_rows",
    "get",
    "latch",
    "names",
    "temporal_order",
    "temporal_order_framed",
]

_TASKS: dict[str, Callable[..., Task]] = {
    made.__name__: made
    for made in (
        adding_mean, adding_scaled, adding_sum, copying, delayed_xor, digits_permuted, digits_rows, latch,
        temporal_order, temporal_order_framed,
    )
}  # fmt: skip


def names() -> list[str]:
    """The names of all tasks, sorted."""
    return sorted(_TASKS)


def get(name: str, **sizes: Any) -> Task:
    """The task of this name, as its function makes it: ``get("copying", delay=100)``.

    Raises ValueError, naming those that exist, if there is none; or where a size does not fit. Those of digits raise
    ModuleNotFoundError without scikit-learn.
    """
    if name not in _TASKS:
        raise ValueError(f"There is no task named {name!r}; the tasks are {', '.join(names())}.")
    return _TASKS[name](**sizes)
