"""What is to be checked: your backward pass, what it is held against, its loss, and how its arrays lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from manual_rnn.cell import Array
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.layout import Layout
from manual_rnn.testing.problem import Oracle

LOSSES = {
    "every": "the sum over all steps and sequences of −log softmax(c + V h(t)) at the target y(t)",
    "last": "−log softmax(c + V h(τ)) at the target y(τ), of the last step only, summed over sequences",
    "mean": "the loss of every step, averaged over steps and sequences",
    "random": "⟨grad_h, h⟩ with random numbers at every step: your backward gets them as the upstream gradient",
    "some": "⟨grad_h, h⟩ with random numbers at some steps and units only, zeros elsewhere",
}
"""The losses by name. The first three have a readout: your backward gets the targets y and the readout's V and c."""
WITH_READOUT = ("every", "last", "mean")


@runtime_checkable
class ForwardOracle(Protocol):
    """A source of truth that differentiates a forward pass of your own: ``complex_step``, ``reference.autodiff_of``."""

    def gradients(
        self, arrays: Mapping[str, Array], upstream: Array | None, names: Sequence[str]
    ) -> Mapping[str, Array | Estimate]:
        """The gradient of ⟨upstream, forward(**arrays)⟩, or of the loss that forward returns, for each name.

        Plain arrays are taken to be exact to rounding, and what rounding does is measured.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Target:
    """One backward pass to be checked. Raises ValueError, naming the field, where one makes no sense."""

    backward: Callable[..., Any]
    """Takes the arrays by keyword under your names; returns the gradients by name: "Wx", or "dWx", or "grad_Wx"."""
    against: Oracle | ForwardOracle
    """The truth: ``autodiff("rnn")`` or ``autodiff_of(forward)`` from ``reference``, or ``complex_step(forward)``."""
    loss: str = "every"
    """One of :data:`LOSSES`."""
    layout: Layout = field(default_factory=Layout)
    dtype: str = "float64"
    """What your arrays are handed to you in; float64 shows a mistake best, float32 is for code that has no other."""

    truncation: int | None = None
    """k, where your code is BPTT(k): each step's loss reaches the steps t, t−1, …, t−k+1. Held against the right
    derivation with the carry cut, so the oracle must be that of a built-in cell."""

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
        if self.dtype not in ("float64", "float32"):
            raise ValueError(f"dtype is {self.dtype!r}; it is 'float64' or 'float32'.")

        if self.truncation is not None and (self.truncation < 1 or isinstance(self.against, ForwardOracle)):
            raise ValueError(
                f"truncation is {self.truncation}; it is a number of steps, at least 1, and its truth is a built-in "
                "cell's: against=autodiff(<name of the cell>)."
            )

    @property
    def has_readout(self) -> bool:
        return self.loss in WITH_READOUT
