r"""Learning a task by gradient descent on sequences that are drawn anew for each update, until it is solved.

As in Pascanu, Mikolov, Bengio, *On the difficulty of training recurrent neural networks* (ICML 2013): SGD, SGD-C with
clipping, and SGD-CR with Ω besides (:mod:`manual_rnn.vanishing_penalty`), which are one function here with other
options. Their task is solved where none of 10,000 sequences drawn for the purpose is answered wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import cast

import numpy as np

from manual_rnn import layers, readout
from manual_rnn.cell import Array, Cell
from manual_rnn.check import check_parameters
from manual_rnn.clipping import clip_by_norm
from manual_rnn.gradients import Result, loss_and_gradients
from manual_rnn.network import Network, start_states
from manual_rnn.optimisers import SGD, Optimiser
from manual_rnn.tape import Tape
from manual_rnn.tasks.task import Task
from manual_rnn.theory.arguments import above_zero, whole
from manual_rnn.vanishing_penalty import vanishing_penalty

AT_ONCE = 500
"""Sequences that are answered side by side."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What became of it."""

    solved_at: int | None
    """Updates after which the task was solved; None where it was not."""
    failure: str | None = None
    """Why it ended early: the sentence, where the loss or a gradient was not finite any more."""
    losses: list[float] = field(default_factory=list)
    """By update, the loss of its batch, without the penalty."""
    norms: list[float] = field(default_factory=list)
    """By update, the norm of the gradient, the penalty's in it, before it was clipped."""
    penalties: list[float] = field(default_factory=list)
    """By update, Ω; empty where there is no penalty."""
    wrong: list[tuple[int, float]] = field(default_factory=list)
    """(update, share of the validation sequences answered wrong)."""


def learn(
    task: Task,
    model: Cell | Network,
    params: dict[str, Array],
    *,
    updates: int,
    seed: int,
    batch: int = 20,
    lr: float = 0.01,
    optimiser: Optimiser | None = None,
    clip: float = math.inf,
    penalty: float = 0.0,
    every: int = 500,
    sequences: int = 10_000,
    enough: float = 1.0,
) -> Learned:
    r"""Moves ``params`` in place by up to ``updates`` updates; ends as soon as the task is solved.

    Args:
        task: at one length, such as ``tasks.temporal_order(50)``. Validation sequences are of its ``held_out``, if
            it has one.
        model: a cell or a network; with a penalty, one of the vanilla networks.
        params: for the task's n_in and n_out.
        seed: decides every sequence: of updates and of validation, each from a stream of its own.
        batch: sequences an update.
        lr, optimiser: SGD where none is given.
        clip: the norm that a longer gradient is scaled to (Pascanu's clipping).
        penalty: α of α Ω, added to the gradient of W.
        every: updates between two looks at ``sequences`` validation sequences, drawn once.
        enough: the share of these that is answered right when the task counts as solved; all of them by default.

    Raises ValueError where an argument does not fit. A loss or a gradient that is not finite ends the learning, and no
    more: it is the outcome, ``failure``.
    """
    if not isinstance(task, Task):
        raise ValueError(f"task is {task!r}; expected one at a length, such as tasks.temporal_order(50).")
    n_in, _, n_out = check_parameters(model, params)
    if (n_in, n_out) != (task.n_in, task.n_out):
        raise ValueError(
            f"params are for n_in = {n_in} and n_out = {n_out}; {task.name!r} has {task.n_in} and {task.n_out}."
        )
    whole("number of updates", updates, 0)
    whole("number of sequences an update", batch, 1)
    whole("number of updates between two looks", every, 1)
    whole("number of validation sequences", sequences, 1)
    for name, value in {"lr": lr, "clip": clip, "penalty": penalty, "enough": enough}.items():
        if not isinstance(value, Real):
            raise ValueError(f"{name} is {value!r}; expected a number.")
    above_zero("learning rate lr", lr)
    if not penalty >= 0 or not clip > 0:
        raise ValueError(f"penalty is {penalty} and clip {clip}; a penalty is at least 0, a norm to clip to above 0.")
    if not 0 < enough <= 1:
        raise ValueError(f"enough is {enough}; it is the share of right answers that solves the task, up to 1.")
    optimiser = SGD() if optimiser is None else optimiser
    drawing, judging = (np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(2))
    dtype = params["V"].dtype
    judge = task.held_out or task
    validation = [judge.draw(min(AT_ONCE, sequences - first), seed=judging, dtype=dtype)
                  for first in range(0, sequences, AT_ONCE)]  # fmt: skip
    found = Learned(solved_at=None)
    result: Result | None = None
    for update in range(updates + 1):
        if update % every == 0 or update == updates:
            right = [task.solved(answers(model, params, drawn.x), drawn) for drawn in validation]
            found.wrong.append((update, 1 - float(np.concatenate(right).mean())))
            if found.wrong[-1][1] <= 1 - enough:
                return _ended(found, solved_at=update)
        if update == updates:
            break
        drawn = task.draw(batch, seed=drawing, dtype=dtype)
        try:
            result = loss_and_gradients(
                model, params, drawn.x, drawn.y, weights=drawn.weights, loss=task.loss, every_node=penalty > 0,
                over=result,
            )  # fmt: skip
        except FloatingPointError as error:
            return _ended(found, failure=f"At update {update}: {error}")
        gradients = {name: result.gradients[name] for name in params}
        found.losses.append(result.loss)
        if penalty:
            omega, of_W = vanishing_penalty(cast(Cell, model), params, result)  # which refuses all others
            gradients["W"] = gradients["W"] + dtype.type(penalty) * of_W
            found.penalties.append(omega)
        try:
            gradients, norm = clip_by_norm(gradients, clip)
        except FloatingPointError as error:
            return _ended(found, failure=f"At update {update}: {error}")
        found.norms.append(norm)
        optimiser.update(params, gradients, lr)
    return found


def answers(model: Cell | Network, params: Mapping[str, Array], x: Array) -> Array:
    """The readouts o (T, B, n_out) of inputs x, forward only."""
    network = Network.of(model)
    tape = Tape(len(x), lean=True)
    shown, _ = layers.up(network, params, x, start_states(network, params, x.shape[1]), tape)
    return readout.forward(params["V"], params["c"], shown)


def _ended(found: Learned, *, solved_at: int | None = None, failure: str | None = None) -> Learned:
    return Learned(
        solved_at=solved_at, failure=failure, losses=found.losses, norms=found.norms, penalties=found.penalties,
        wrong=found.wrong,
    )  # fmt: skip
