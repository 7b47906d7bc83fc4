"""What a task is: sequences that are drawn, the loss they are for, its floor, and when a sequence is solved.

A batch has weights for every step's loss, such that the weighted sum of ``loss_and_gradients`` is the loss as the
source of the task gives it: zero where nothing is asked, 1/B (cross-entropy) or 2/B (squared error, which has a ½ in
this library) at the end of B sequences. Where sequences of a batch differ in length, each has its weight at its own
last step, and what stands behind it does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from manual_rnn.cell import Array
from manual_rnn.theory.arguments import whole

Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """B sequences of up to T steps, side by side."""

    x: Array
    """Inputs (T, B, n_in), or token ids (T, B)."""
    y: Array
    """What the loss takes: target ids (T, B), or rows (T, B, n_out)."""
    weights: Array
    """(T, B), of each step's loss."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One variant of a task at one length."""

    name: str
    n_in: int
    n_out: int
    loss: str
    """The name of the loss, for ``loss_and_gradients(…, loss=)``."""
    floor: float
    """The expected loss of the best answer that uses no memory, exact for this generator."""
    generate: Callable[[int, np.random.Generator], Batch]
    """From B and a generator, in float64; :meth:`draw` checks and casts."""
    right: Callable[[Array, Array], Marks]
    """From readouts o (T, B, n_out) and targets y: (T, B), whether the answer at a step is right."""
    held_out: Task | None = None
    """The same on sequences that are not among these, where there are only so many: what learning is judged by."""

    def draw(
        self, batch: int, *, seed: int | Sequence[int] | np.random.Generator, dtype: npt.DTypeLike = np.float64
    ) -> Batch:
        """``batch`` sequences of their own. A ``Generator`` for a seed goes on where it is.

        Raises ValueError for a batch below one.
        """
        whole("number of sequences", batch, 1)
        drawn = self.generate(batch, np.random.default_rng(seed))
        x, y = (a.astype(dtype) if np.issubdtype(a.dtype, np.floating) else a for a in (drawn.x, drawn.y))
        return Batch(x=x, y=y, weights=drawn.weights.astype(dtype))

    def solved(self, o: Array, batch: Batch) -> Marks:
        """(B,), which sequences are answered right at every step that counts; o are readouts (T, B, n_out).

        Raises ValueError where o has another shape than the batch asks for.
        """
        expected = (*batch.weights.shape, self.n_out)
        if o.shape != expected:
            raise ValueError(f"o has the shape {o.shape}; expected (T, B, n_out) = {expected}, as the batch has.")
        found: Marks = (self.right(o, batch.y) | (batch.weights == 0)).all(axis=0)
        return found


def at_ends(lengths: Array, T: int, weight: float) -> Array:
    """(T, B): the weight at the last step of each sequence, zero elsewhere."""
    weights = np.zeros((T, len(lengths)))
    weights[lengths - 1, np.arange(len(lengths))] = weight
    return weights


def likeliest(o: Array, y: Array) -> Marks:
    """Where the largest logit is that of the target id."""
    found: Marks = o.argmax(axis=-1) == y
    return found


def nearer_than(bound: float) -> Callable[[Array, Array], Marks]:
    """Where the one number that is answered is off by less."""
    return lambda o, y: (np.abs(o - y) < bound)[..., 0]


def sigmoid_nearer_than(bound: float) -> Callable[[Array, Array], Marks]:
    """Where σ of the one logit is off by less."""
    return lambda o, y: (np.abs(1 / (1 + np.exp(-np.abs(o))) - np.where(o < 0, 1 - y, y)) < bound)[..., 0]
