"""What the judge knows of each loss: the scales of its two equations, and what stands in their place by mistake.

One file a loss, under the name of the loss; a file that defines ``JUDGED`` is found.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from manual_rnn.cell import Array
from manual_rnn.testing.mistakes.factors import Factor
from manual_rnn.testing.mistakes.formula import Formula
from manual_rnn.testing.mistakes.terms import Given


@dataclass(frozen=True, kw_only=True)
class JudgedLoss:
    """The judge's side of one loss; its equations are named "loss" and "grad_o"."""

    scales: Callable[[Array, Array, Array], tuple[Array, Array]]
    """From o, y and the magnitudes of the weights: the natural scales of the losses (T, B) and of ∇o (T, B, n_out)."""
    terms: Mapping[str, Sequence[Given]]
    """The terms of which each equation is the sum."""
    instead: Mapping[str, Sequence[Given]]
    """What may stand in the place of a term, or besides."""
    formulas: Callable[[str], Iterable[Formula]]
    """Mistakes of another form in an equation."""
    conventions: Sequence[Factor] = ()
    """What the loss is multiplied with where others define it otherwise under the same name."""


def get(name: str) -> JudgedLoss:
    """The judge's side of the loss of this name. Raises ValueError where it has none."""
    try:
        found: JudgedLoss = importlib.import_module(f"{__name__}.{name}").JUDGED
    except ModuleNotFoundError as error:
        file = f"src/manual_rnn/testing/losses/{name}.py"
        raise ValueError(f"The loss {name!r} cannot be judged: its scales are missing, {file}.") from error
    return found
