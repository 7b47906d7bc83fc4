r"""What becomes of the gradient while a network trains: the diagnostics of its weights after chosen updates.

The training is that of :mod:`manual_rnn.training`, update for update and bit for bit; it is only looked at. What is
looked at is a held-out batch of 2 T steps: the first T give the state that the other T start from, and on these the
gradient is taken, through T steps.

What it does not see: other text than this batch, and gradients that come from further than T steps.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.check import the_cell
from manual_rnn.diagnostics.clipped import clipping_statistics
from manual_rnn.diagnostics.comparison import Oracle
from manual_rnn.diagnostics.contributions import contributions
from manual_rnn.diagnostics.gradient_norms import gradient_norms
from manual_rnn.diagnostics.horizon import memory_horizon, suggested_truncation
from manual_rnn.diagnostics.labelled import xr
from manual_rnn.diagnostics.measurable import whole_pass
from manual_rnn.diagnostics.saturation import saturation
from manual_rnn.options import TrainingOptions
from manual_rnn.training import Step, Training, run
from manual_rnn.windows import Windows


def during_training(
    training: Training,
    windows: Windows,
    validation: tuple[Array, Array],
    options: TrainingOptions,
    *,
    held_out: tuple[Array, Array],
    updates: Collection[int],
    element: float,
    parameter: str | None = None,
    state: str | None = None,
    against: Oracle | None = None,
) -> xr.Dataset:
    """Trains as :func:`manual_rnn.training.run` does, and looks before the first update and after each of ``updates``.

    Args:
        held_out: inputs and targets, ids (2 T, B).
        element: the limit of a clipping by element, which is compared; training clips by the norm, at ``options.clip``.
        parameter: whose gradient is taken apart by lag; the first W of the cell by default.
        state: whose gradient is measured; the first of the cell by default.
        against: the oracle of a cross-check at every update that is looked at.

    Returns by ``update``

    - ``log_norm`` (lag): log ‖∂L/∂h(T − k)‖ less that of lag 0, for the loss of the last step, mean over sequences;
    - ``horizon``, ``truncation``: :func:`memory_horizon` at 95 % and :func:`suggested_truncation` at 5 %;
    - ``saturated`` (node): the fraction of units, see :func:`saturation`;
    - ``fired``, ``cosine``: of the updates since the one before in this list, the fraction at which the norm was above
      ``options.clip``, and the mean cosine between the gradient and the same clipped by element; nan at 0;
    - ``worst``: the largest relative error of the cross-checks of ∂L/∂h(t) and of ∇W; nan without one, and where one
      of them decides nothing.

    and ``val_nats`` of the whole validation set at the end. Raises RunError as training does, Unmeasurable and
    Disagreement as the diagnostics do: a state is not finite, the gradient is zero; the oracle has another. ValueError:
    the network has layers, or an update accumulates the gradients of several windows.
    """
    if options.accumulate > 1:
        raise ValueError(
            f"during_training looks at the gradient of one window, and accumulate is {options.accumulate}: give 1."
        )
    rows, gradients = [_look(training, held_out, parameter, state, against)], []

    def on_step(step: Step, _: float) -> None:
        assert training.written_over is not None
        found = training.written_over.gradients
        gradients.append({name: found[name] for name in training.params})
        if step.update in updates:
            clipped = clipping_statistics(gradients, sorted({options.clip, element})).mean("update")
            gradients.clear()
            rows.append(_look(training, held_out, parameter, state, against).assign(
                fired=float(clipped.fired.sel(limit=options.clip, kind="norm")),
                cosine=float(clipped.cosine.sel(limit=element, kind="element")),
            ))  # fmt: skip

    last = run(training, windows, validation, options, on_step=on_step)
    return xr.concat(rows, "update", data_vars="all").assign(val_nats=last.val_nats)


def _look(
    training: Training, held_out: tuple[Array, Array], parameter: str | None, state: str | None, against: Oracle | None
) -> xr.Dataset:
    """One update's part of it."""
    x, y = held_out
    T = len(x) // 2
    cell: Cell = the_cell(training.network, "during_training")
    params = training.params
    with np.errstate(over="ignore", invalid="ignore"):  # contributions refuses by name what is not finite
        initial = whole_pass(cell, params, x[:T], y[:T]).state
        x, y = x[T:], y[T:]
        of_last: dict[str, Any] = {"initial": initial, "reduction": "last", "state": state}
        norms = gradient_norms(cell, params, x, y, **of_last, against=against)
        parts = contributions(cell, params, x, y, parameter, initial=initial, against=against)
        logs = norms.by_lag.values
        by_lag = (logs - logs[0]).mean(axis=1)
    return xr.Dataset(
        {
            "log_norm": ("lag", by_lag, {"units": "nats"}),
            "horizon": memory_horizon(parts),
            "truncation": suggested_truncation(parts),
            "saturated": saturation(cell, params, x, initial=initial).fraction.mean("step"),
            "fired": np.nan,
            "cosine": np.nan,
            "worst": np.max([one.attrs.get("worst_relative_error", np.nan) for one in (norms, parts)]),
        },
        coords={"update": training.update, "lag": np.arange(len(logs))},
        attrs={"diagnostic": "during_training", "state": norms.attrs["state"]},
    )
