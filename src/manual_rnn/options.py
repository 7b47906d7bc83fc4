"""What training is told: the options of ``manual-rnn train``, checked when made, kept in config.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypedDict

from manual_rnn.errors import UsageError

DEFAULT_STEPS = 2000
COUNTS = (
    "hidden", "layers", "seq_len", "batch", "accumulate", "steps", "eval_every", "patience", "verify_every", "threads",
)  # fmt: skip
CHANGEABLE = ("steps", "seconds", "eval_every", "verify_every", "threads", "compiled", "tensorboard")
"""The options that a resumed run may be given anew: when it ends, when it is looked at, and what it is computed by."""
ADDED: Mapping[str, Any] = {
    "accumulate": 1, "min_lr": 0.0, "warmup": 0, "weight_decay": 0.0, "patience": None, "tensorboard": False,
}  # fmt: skip
"""Options that came later, with the value that says what was done before: config.json of an old run has them not."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The options of a training. Raises UsageError, naming the option, where one makes no sense."""

    cell: str = "rnn"
    """The recurrent cell: rnn (tanh), lstm, gru, or another file of manual_rnn/cells."""
    hidden: int = 256
    """Width of the hidden state."""
    layers: int = 1
    """Layers of the cell, one above the other."""
    dropout: float = 0.0
    """Probability that a unit is left out on its way to the layer above, while training."""
    seq_len: int = 50
    """Steps of a window, which is how far the gradient goes back."""
    batch: int = 32
    """Streams of the text that are read side by side."""
    steps: int | None = None
    """Updates to make; 2000 unless --seconds is given."""
    seconds: float | None = None
    """Time to train for, in place of --steps."""
    lr: float | None = None
    """Learning rate; by default 0.004 for adam, 0.02 for adagrad, 1.5 for sgd."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate goes to --min-lr by the end, or that it does not."""
    min_lr: float = 0.0
    """What the learning rate comes down to; a tenth of --lr is usual."""
    warmup: int = 0
    """Updates at the start in which the learning rate rises to --lr, by equal steps."""
    optimizer: Literal["adam", "adagrad", "sgd"] = "adam"
    """The rule of the update."""
    clip: float = 1.0
    """Largest norm of the gradient of the mean loss; a longer one is scaled to it. inf: never."""
    accumulate: int = 1
    """Windows that an update learns from, one after the other: its gradient is the mean of theirs."""
    weight_decay: float = 0.0
    """Shrinks the matrices, not the biases, by this times the learning rate at each update, apart from the gradient, as
    AdamW does."""
    gain: float = 1.0
    """Scale of the initial matrices: entries are drawn from N(0, gain²/width)."""
    init: Literal["gaussian", "glorot", "orthogonal", "identity", "sparse"] | None = None
    """How the matrices of the state start, with glorot the others too; by default gaussian, or the cell's own start."""
    spectral_radius: float | None = None
    """Largest absolute eigenvalue of the matrices of the state at the start, in place of --gain."""
    forget_bias: float | None = None
    """Initial bias of the gate that keeps the state: the forget gate's or the update gate's; 0 if not given."""
    chrono: int | None = None
    """Length of the longest memory in steps, for initial biases of that gate from log U(1, length − 1)."""
    dtype: Literal["float32", "float64"] = "float32"
    """The numbers to compute with."""
    seed: int = 0
    """Decides everything that is random."""
    eval_every: int = 500
    """Updates between two evaluations on the validation set; one comes at the end in any case."""
    patience: int | None = None
    """Evaluations in a row without a lower validation loss than the best, after which training ends. With it
    weights.safetensors has the weights of the best evaluation; without it, the last."""
    verify_every: int | None = None
    """Updates between two cross-checks of the gradients with jax.grad, on the weights and the batch of that moment; the
    first comes before the first update, and where the gradients disagree the training ends. By default never."""
    threads: int = 1
    """Threads for matrix products; up to a few hundred units, one is as fast as two."""
    compiled: bool = False
    """Run the steps by a compiled function: quicker where the batch is small; needs manual-rnn[fast]."""
    tensorboard: bool = False
    """Write the evaluations for TensorBoard, too, into the run folder; needs manual-rnn[tensorboard]."""

    def __post_init__(self) -> None:
        from manual_rnn import cells
        from manual_rnn.initialisation import refusal

        if self.cell not in cells.names():
            raise UsageError(f"--cell is {self.cell!r}; the cells are {', '.join(cells.names())}.")
        for name in COUNTS:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{_flag(name)} is {value}; it must be at least 1.")
        for name in ("seconds", "lr", "clip"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and (math.isfinite(value) or name == "clip")):
                raise UsageError(f"{_flag(name)} is {value}; it must be a positive, finite number.")
        if wrong := refusal(cells.get(self.cell), **self.start(), say=_flag):
            raise UsageError(wrong)
        if not 0 <= self.dropout < 1:
            raise UsageError(f"--dropout is {self.dropout}; it is at least 0 and less than 1.")
        if self.dropout and self.layers == 1:
            raise UsageError(f"--dropout is {self.dropout}, but it is between layers, and --layers is 1.")
        for name in ("seed", "warmup", "weight_decay", "min_lr"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise UsageError(f"{_flag(name)} is {value}; it must be zero or more.")
        if self.lr is not None and self.min_lr > self.lr:
            raise UsageError(f"--min-lr is {self.min_lr}, but --lr, which comes down to it, is {self.lr}.")
        if self.lr is not None and self.lr * self.weight_decay >= 1:
            raise UsageError(
                f"--weight-decay is {self.weight_decay} and --lr {self.lr}: an update shrinks the matrices by their "
                "product, which must be less than 1."
            )
        if self.warmup and self.steps is not None and self.warmup >= self.steps:
            raise UsageError(f"--warmup is {self.warmup}, but --steps is {self.steps}: no update would come after it.")
        if self.steps is not None and self.seconds is not None:
            raise UsageError("--steps and --seconds exclude each other: each says when training ends.")

    def start(self) -> _Start:
        """How the parameters start, as :func:`manual_rnn.initialise` is told."""
        return {
            "recurrent": self.init, "gain": self.gain, "spectral_radius": self.spectral_radius,
            "forget_bias": self.forget_bias, "chrono": self.chrono,
        }

    def filled(self) -> TrainingOptions:
        """The same with every default that hangs on another option put in."""
        from manual_rnn.optimisers import OPTIMISERS

        return replace(
            self,
            steps=DEFAULT_STEPS if self.steps is None and self.seconds is None else self.steps,
            lr=OPTIMISERS[self.optimizer].default_lr if self.lr is None else self.lr,
        )

    def to_json(self) -> dict[str, Any]:
        """The options as config.json has them: JSON has no infinity, so no clipping is null."""
        return asdict(self) | {"clip": self.clip if math.isfinite(self.clip) else None}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> TrainingOptions:
        """The options that config.json has. Raises UsageError, TypeError or KeyError where it has no such options."""
        return cls(**{**told, "clip": math.inf if told["clip"] is None else told["clip"]})

    def resumed_with(self, given: Mapping[str, Any]) -> TrainingOptions:
        """The same with what a resumed run is given; --steps takes the place of --seconds, and the other way round.

        Raises UsageError, naming each, where an option is given that is another than before and may not change.
        """
        changed = {name: value for name, value in given.items() if value != getattr(self, name)}
        if fixed := [name for name in changed if name not in CHANGEABLE]:
            said = ", ".join(f"{_flag(name)} {changed[name]} (it is {getattr(self, name)})" for name in fixed)
            free = ", ".join(map(_flag, CHANGEABLE))
            raise UsageError(f"A run that is resumed cannot change {said}; it may change {free}.")
        if "steps" in given and "seconds" not in given:
            changed["seconds"] = None
        if "seconds" in given and "steps" not in given:
            changed["steps"] = None
        return replace(self, **changed)


class GivenOptions(TrainingOptions):
    """The options as a command line gives them, which of them in ``given``; checked when they are completed."""

    given: Mapping[str, Any]

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        object.__setattr__(self, "given", given)

    def __post_init__(self) -> None:
        pass

    def completed(self) -> TrainingOptions:
        """With a default for each option that is not given. Raises UsageError as TrainingOptions does."""
        return TrainingOptions(**self.given).filled()


class _Start(TypedDict):
    recurrent: str | None
    gain: float
    spectral_radius: float | None
    forget_bias: float | None
    chrono: int | None


def _flag(name: str) -> str:
    return "--init" if name == "recurrent" else "--" + name.replace("_", "-")
