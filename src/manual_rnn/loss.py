r"""What a loss is: a number at every step from the logits o(t) and the targets y(t), and its gradient by hand.

Each is a file of its own with its derivation (:mod:`manual_rnn.losses`). What they share: the loss is a sum over time
and batch, $L = \sum_{t,b} w(t,b)\,\ell(t,b)$, with all weights one unless they are given: zeros leave steps out (the
loss of the last step, ragged lengths), 1/(TB) is the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from manual_rnn.cell import Array
from manual_rnn.sequences import within


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What y is: ids (T, B) in [0, n_out), or a row of real numbers for every step, (T, B, n_out)."""

    ids: bool = False
    least: float = -inf
    most: float = inf
    """What the numbers of a row lie between."""

    @property
    def bounded(self) -> bool:
        return self.most < inf


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One loss: F4 and B1 of a derivation, which no other equation knows; and RB1, how B1 moves with the logits."""

    name: str
    words: str
    """What it is at one step, in a report's words."""
    forward: Callable[[Array, Array, Array], tuple[Array, Any]]
    """From logits o (T, B, n_out), targets y and weights (T, B): the weighted losses (T, B), and what ``backward``
    wants of them."""
    backward: Callable[[Any, Array, Array], Array]
    """∇o (T, B, n_out), the gradient of the weighted loss, from what ``forward`` kept, y and the weights."""
    tangent: Callable[[Any, Array, Array], Array]
    """R{∇o} (T, B, n_out), the second derivative of the weighted loss along R{o}, from what ``forward`` kept, R{o} and
    the weights: y is a constant in ∇o, and not in it."""
    targets: Targets
    latex: Mapping[str, str]
    """The two equations for reports, "loss" and "grad_o"."""


def weights_of_steps(
    weights: Array | None, reduction: str, T: int, B: int, dtype: npt.DTypeLike, lengths: Array | None = None
) -> Array:
    """The weights (T, B) that were given, or else those of the reduction, none beyond a sequence's length.

    Raises ValueError where both weights and a reduction are named.
    """
    if weights is None:
        return weights_for(reduction, T, B, dtype, lengths)
    if reduction != "sum":
        raise ValueError(f"Both weights and reduction={reduction!r} are given; the weights say all a reduction can.")
    return weights if lengths is None else np.where(within(lengths, T, B), weights, weights.dtype.type(0))


def weights_for(
    reduction: str, T: int, B: int, dtype: npt.DTypeLike, lengths: Array | None = None
) -> Array:
    """The weights (T, B) of a named reduction: "sum", "mean" over time and batch, or the "last" step's sum.

    With ``lengths`` (B,) only the steps of a sequence count, and the last is each sequence's own.
    """
    counted = within(lengths, T, B)
    weights: Array = counted.astype(dtype)
    if reduction == "sum":
        return weights
    if reduction == "mean":
        weights /= counted.sum()
        return weights
    if reduction == "last":
        weights[:-1] -= weights[1:]
        return weights
    raise ValueError(f"reduction is {reduction!r}; it is one of 'sum', 'mean' and 'last'.")
