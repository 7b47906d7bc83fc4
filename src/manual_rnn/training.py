"""Training of a character model, in the six steps: initialise, forward, loss, backward, update, repeat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from math import log
from time import perf_counter

import numpy as np

from manual_rnn import cells, initialise
from manual_rnn.cell import Array
from manual_rnn.clipping import clip_by_norm
from manual_rnn.dropout import draw_masks
from manual_rnn.errors import RunError
from manual_rnn.evaluation import mean_nats
from manual_rnn.gradients import Result, loss_and_gradients
from manual_rnn.network import Network, stack, widths, zero_state
from manual_rnn.optimisers import OPTIMISERS, Optimiser, decay_matrices
from manual_rnn.options import TrainingOptions
from manual_rnn.schedule import learning_rate
from manual_rnn.trace import Trace
from manual_rnn.windows import Window, Windows


@dataclass(frozen=True)
class Step:
    """What one update was."""

    update: int
    nats: float
    """The mean loss of its windows, before the update."""
    grad_norm: float
    """The norm of the gradient of that mean, before clipping."""


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """One line of metrics.jsonl: an evaluation after so many updates."""

    update: int
    train_nats: float
    """The mean of the steps' losses in nats per character, since the line before."""
    val_nats: float
    """The mean loss in nats per character of the whole validation set."""
    val_bits_per_char: float
    grad_norm: float
    """The mean of the steps' norms, since the line before."""
    seconds: float
    """Since training began, evaluations included; the time between an interruption and what resumes it is not."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One line of samples.jsonl: what the model writes at an evaluation."""

    update: int
    text: str


@dataclass(frozen=True)
class Dropout:
    """How much is left out, and what draws it."""

    rate: float
    rng: np.random.Generator


@dataclass
class Training:
    """All that changes while training: what one needs to go on from here."""

    network: Network
    params: dict[str, Array]
    optimiser: Optimiser
    dropout: Dropout
    state: dict[str, Array]
    """The hidden state that the last window ended with."""
    last: Step | None = None
    written_over: Result | None = None
    """The last pass, whose memory the next one takes."""
    compiled: bool = False
    """Whether a compiled function runs the steps."""
    since: list[Step] = field(default_factory=list)
    """The steps since the last evaluation."""
    history: list[Metrics] = field(default_factory=list)
    """The evaluations."""
    samples: list[Sample] = field(default_factory=list)
    """What the model wrote at each, where it was asked."""
    trace: Trace = field(default_factory=Trace)
    """All steps, in few lines."""
    best: dict[str, Array] | None = None
    """The parameters at the best evaluation; kept with --patience only."""
    seconds: float = 0.0
    """How long it has trained."""

    @property
    def update(self) -> int:
        """How many updates were made."""
        return self.last.update if self.last else 0

    @property
    def best_line(self) -> Metrics | None:
        """The evaluation with the lowest validation loss, the first of equals; None before there is one."""
        return min(self.history, key=lambda metrics: metrics.val_nats, default=None)

    @property
    def shown(self) -> tuple[int, dict[str, Array]]:
        """The parameters that others are to have, and after how many updates: the best where they are kept."""
        if self.best is None or self.best_line is None:
            return self.update, self.params
        return self.best_line.update, self.best

    def masks_for(self, window: Window) -> dict[str, Array] | None:
        """The masks of the next update, drawn anew; None without dropout."""
        if not self.dropout.rate:
            return None
        (T, B), (_, n_hidden, _) = window.x.shape, widths(self.network, self.params)
        dtype = self.params["V"].dtype
        return draw_masks(self.network, self.dropout.rng, self.dropout.rate, T=T, B=B, n_hidden=n_hidden, dtype=dtype)


def seeds(seed: int) -> list[np.random.SeedSequence]:
    """The children of the one seed: for the initial parameters, the samples shown while training, and dropout."""
    return np.random.SeedSequence(seed).spawn(3)


def start(options: TrainingOptions, n: int) -> Training:
    """A network over n characters as it is before the first update: matrices at random, biases zero or as told."""
    network = stack(cells.get(options.cell), layers=options.layers)
    params = initialise(
        network,
        n_in=n,
        n_hidden=options.hidden,
        n_out=n,
        seed=np.random.default_rng(seeds(options.seed)[0]),
        **options.start(),
        dtype=options.dtype,
    )
    dropout = Dropout(options.dropout, np.random.default_rng(seeds(options.seed)[2]))
    state = zero_state(network, params, options.batch)
    return Training(network, params, OPTIMISERS[options.optimizer](), dropout, state, compiled=options.compiled)


def one_update(training: Training, *windows: Window, lr: float, clip: float, weight_decay: float = 0.0) -> Step:
    """Forward, loss, backward, clip, update. Raises RunError where a number is not finite.

    The gradient is the mean of those of the windows, each of which goes on where the one before ended.
    """
    params = training.params
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # caught by name, below
        try:
            nats, gradients, state = _mean_over(training, windows)
            gradients, norm = clip_by_norm(gradients, clip)
        except FloatingPointError as error:
            raise RunError(_diverged(training, str(error), lr)) from None
        decay_matrices(params, lr * weight_decay)
        training.optimiser.update(params, gradients, lr)
    if lost := [name for name, theta in params.items() if not np.isfinite(theta).all()]:
        what = f"{', '.join(lost)} overflowed; the norm of the gradient was {norm:.4g}."
        raise RunError(_diverged(training, what, lr))
    training.last = Step(training.update + 1, nats, norm)
    training.state = state
    return training.last


def _mean_over(training: Training, windows: Sequence[Window]) -> tuple[float, dict[str, Array], dict[str, Array]]:
    """The loss and the gradients as means over the windows, and the state after the last."""
    nats, total, state = 0.0, dict[str, Array](), training.state
    for window in windows:
        # The mean over time and batch, so that a learning rate means the same for any window.
        result = loss_and_gradients(
            training.network, training.params, window.x, window.y, initial=None if window.starts else state,
            reduction="mean", masks=training.masks_for(window), every_node=False, over=training.written_over,
            compiled=training.compiled,
        )  # fmt: skip
        training.written_over, state = result, result.state
        nats += result.loss / len(windows)
        found = {name: result.gradients[name] for name in training.params}
        if len(windows) == 1:
            return nats, found, state
        for name, gradient in found.items():  # whose memory the next pass takes
            part = gradient / gradient.dtype.type(len(windows))
            total[name] = total[name] + part if name in total else part
    return nats, total, state


def _diverged(training: Training, what: str, lr: float) -> str:
    before = ""
    if last := training.last:
        before = f" The update before had the loss {last.nats:.4g} and a gradient of norm {last.grad_norm:.4g}."
    return (
        f"Training failed at update {training.update + 1}: {what}{before} "
        f"The learning rate is {lr:.3g}; try a smaller --lr, a smaller --clip or a smaller --gain."
    )


def evaluate(training: Training, x: Array, y: Array, *, seconds: float) -> Metrics:
    """The metrics of the steps since the last ones. Raises RunError where the loss is not finite."""
    since = training.since
    with np.errstate(over="ignore", invalid="ignore"):
        nats = mean_nats(training.network, training.params, x, y)
    if not np.isfinite(nats):
        raise RunError(
            f"Training failed after update {training.update}: the loss on the validation set is {nats}, "
            f"the last window had the loss {since[-1].nats:.4g} and a gradient of norm {since[-1].grad_norm:.4g}. "
            "Try a smaller --lr or a smaller --gain."
        )
    return Metrics(
        update=training.update,
        train_nats=float(np.mean([step.nats for step in since])),
        val_nats=nats,
        val_bits_per_char=nats / log(2),
        grad_norm=float(np.mean([step.grad_norm for step in since])),
        seconds=seconds,
    )


def run(
    training: Training,
    windows: Windows,
    validation: tuple[Array, Array],
    options: TrainingOptions,
    *,
    before_update: Callable[[Window], None] = lambda window: None,
    on_step: Callable[[Step, float], None] = lambda step, done: None,
    on_evaluation: Callable[[Metrics], None] = lambda metrics: None,
    sample: Callable[[], str] | None = None,
    undisturbed: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Metrics:
    """Updates until ``options`` says that it is enough, from wherever ``training`` is; returns the last evaluation.

    ``validation`` is inputs and targets, ids (N,). ``before_update`` gets the window that is to be learnt from, and
    its time is no time of training; of the windows of an update it is the first. ``on_step`` gets each step and the
    fraction that is done. ``sample`` gives a text that the model writes, kept for each evaluation.
    ``undisturbed`` keeps signals from ending the run in its block: outside of it, ``training`` can go on from where it
    is, to the same bits. Raises RunError where the loss, a gradient or a parameter is no longer finite.
    """
    options = options.filled()
    began = perf_counter() - training.seconds
    done = _done(training, options)
    while True:
        if training.since and (done >= 1 or training.update % options.eval_every == 0):
            metrics = evaluate(training, *validation, seconds=perf_counter() - began)
            text = sample() if sample else None
            with undisturbed():
                _keep(training, metrics, text, options)
            on_evaluation(metrics)
        if done >= 1 or (not training.since and _patience_is_over(training, options)):
            return training.history[-1]
        lr = learning_rate(options, update=training.update, done=done)
        first = training.update * options.accumulate
        of_update, now = [windows[first + k] for k in range(options.accumulate)], perf_counter()
        before_update(of_update[0])
        began += perf_counter() - now
        with undisturbed():
            step = one_update(training, *of_update, lr=lr, clip=options.clip, weight_decay=options.weight_decay)
            training.since.append(step)
            training.trace.add(step.update, step.nats, step.grad_norm, limit=options.clip)
            training.seconds = perf_counter() - began
        done = _done(training, options)
        on_step(step, done)


def _keep(training: Training, metrics: Metrics, text: str | None, options: TrainingOptions) -> None:
    """What an evaluation leaves."""
    training.history.append(metrics)
    training.since, training.seconds = [], metrics.seconds
    if text is not None:
        training.samples.append(Sample(update=metrics.update, text=text))
    if options.patience is not None and training.best_line is metrics:
        training.best = {name: theta.copy() for name, theta in training.params.items()}


def _patience_is_over(training: Training, options: TrainingOptions) -> bool:
    """Whether so many evaluations have come after the best."""
    best = training.best_line
    if options.patience is None or best is None:
        return False
    return sum(metrics.update > best.update for metrics in training.history) >= options.patience


def _done(training: Training, options: TrainingOptions) -> float:
    """The fraction of the training that is over: 0 before the first update, so that there is one at least."""
    if not training.update:
        return 0.0
    if options.steps is not None:
        return training.update / options.steps
    assert options.seconds is not None
    return min(1.0, training.seconds / options.seconds)
