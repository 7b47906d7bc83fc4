"""What is to be checked: your backward pass, what it is held against, its loss, and how its arrays lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from manual_rnn import losses
from manual_rnn.cell import Array
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.layout import Layout
from manual_rnn.testing.passes.lengths import RAGGED
from manual_rnn.testing.problem import Oracle

LOSSES = {
    "every": "the sum over all steps and sequences of {step}, o(t) = c + V h(t)",
    "last": "{step}, o(t) = c + V h(t), of the last step only, summed over sequences",
    "mean": "{step}, o(t) = c + V h(t), averaged over steps and sequences",
    "random": "⟨grad_h, h⟩ with random numbers at every step: your backward gets them as the upstream gradient",
    "some": "⟨grad_h, h⟩ with random numbers at some steps and units only, zeros elsewhere",
}
"""The losses by name. The first three have a readout: your backward gets the targets y and the readout's V and c, and
the loss of a step is that of ``step_loss``."""
WITH_READOUT = ("every", "last", "mean")


def loss_in_words(loss: str, step_loss: str) -> str:
    """The whole loss as a report says it."""
    return LOSSES[loss].format(step=losses.get(step_loss).words)


@runtime_checkable
class ForwardOracle(Protocol):
    """A source of truth that differentiates a forward pass of your own: ``complex_step``, ``reference.autodiff_of``."""

    def gradients(
        self, arrays: Mapping[str, Array], upstream: Array | Sequence[Array] | None, names: Sequence[str]
    ) -> Mapping[str, Array | Estimate]:
        """The gradient of ⟨upstream, forward(**arrays)⟩, or of the loss that forward returns, for each name.

        Several upstream gradients belong to the first arrays that forward returns. Plain arrays are taken to be exact
        to rounding, and what rounding does is measured.
        """
        ...

    def values(self, arrays: Mapping[str, Array], count: int) -> Sequence[Array]:
        """The first arrays that forward returns."""
        ...


@dataclass(frozen=True, kw_only=True)
class Target:
    """One backward pass to be checked. Raises ValueError, naming the field, where one makes no sense."""

    backward: Callable[..., Any]
    """Takes the arrays by keyword under your names; returns the gradients by name: "Wx", or "dWx", or "grad_Wx"."""
    against: Oracle | ForwardOracle
    """The truth: ``autodiff("rnn")`` or ``autodiff_of(forward)`` from ``reference``, or ``complex_step(forward)``."""
    loss: str = "every"
    """One of :data:`LOSSES`: which steps count."""
    step_loss: str = "softmax"
    """The loss of one step, where there is a readout: one of :mod:`manual_rnn.losses`, "softmax" with ids for y,
    "squared" or "bernoulli" with rows of numbers, (T, B, n_out). With a forward of your own it only says which y is
    drawn: the loss is what forward returns."""
    layout: Layout = field(default_factory=Layout)
    dtype: str = "float64"
    """What your arrays are handed to you in; float64 shows a mistake best, float32 is for code that has no other."""

    truncation: int | None = None
    """k, where your code is BPTT(k): each step's loss reaches the steps t, t−1, …, t−k+1. Held against the right
    derivation with the carry cut; with an oracle of your own forward, against that forward run on windows."""
    ragged: str = ""
    """"lengths" or "mask" where sequences differ in length: your code is handed this array too, under this name or
    your own. What counts is said in :mod:`manual_rnn.testing.passes.lengths`."""

    def __post_init__(self) -> None:
        if not callable(self.backward):
            raise ValueError(f"backward is of the type {type(self.backward).__name__}; expected a function.")
        if isinstance(self.against, str):
            raise ValueError(
                f"against is {self.against!r}; hand in the oracle itself: "
                f"from reference import autodiff; against=autodiff({self.against!r})."
            )
        if not callable(self.against) and not isinstance(self.against, ForwardOracle):
            raise ValueError(
                f"against is of the type {type(self.against).__name__}; expected autodiff(...), autodiff_of(forward) "
                "or complex_step(forward)."
            )
        if self.loss not in LOSSES:
            raise ValueError(f"loss is {self.loss!r}; it is one of {', '.join(LOSSES)}.")
        if self.step_loss not in losses.names():
            raise ValueError(f"step_loss is {self.step_loss!r}; it is one of {', '.join(losses.names())}.")
        if self.step_loss != "softmax" and not self.has_readout:
            raise ValueError(
                f"step_loss is {self.step_loss!r} with the loss {self.loss!r}: your code is handed the gradient from "
                f"above there, and no step has a loss; choose one of {', '.join(WITH_READOUT)}, or leave it out."
            )
        if self.dtype not in ("float64", "float32"):
            raise ValueError(f"dtype is {self.dtype!r}; it is 'float64' or 'float32'.")
        if self.ragged and (self.ragged not in RAGGED or not self.layout.has_batch or self.layout.step):
            raise ValueError(
                f"ragged is {self.ragged!r}; it is 'lengths' or 'mask', for a pass over several sequences "
                '(axes "TB" or "BT").'
            )
        if self.truncation is not None and (reason := self._no_truncation()):
            raise ValueError(f"truncation is {self.truncation!r}; {reason}.")

    def _no_truncation(self) -> str:
        if type(self.truncation) is not int or self.truncation < 1:
            return "it is a whole number of steps, at least 1"
        if not isinstance(self.against, ForwardOracle):
            return ""
        instead = "or hold it against a built-in cell: against=autodiff(<name of the cell>)"
        if self.has_readout:
            return (
                f"with the loss {self.loss!r} your forward returns nothing but the loss, so the state that a window "
                f"starts from cannot be had: let it return h, with loss='random', {instead}"
            )
        if "h0" in self.layout.without or any("B" in shape for shape in self.layout.shapes.values()):
            return (
                "a window starts from the state h(t−k), so your forward must take h0, and h must be all its state; "
                f"else {instead}"
            )
        return f"with ragged lengths your own forward is not cut into windows; {instead}" if self.ragged else ""

    @property
    def called(self) -> str:
        """What it is that is checked, for sentences."""
        return "the step" if self.layout.step else "backward"

    @property
    def has_readout(self) -> bool:
        return self.loss in WITH_READOUT
