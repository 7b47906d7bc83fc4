"""One case put to a user's backward pass: what it gave, what is right, and how it treated what it was handed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.blocks import Blocks, blocks
from manual_rnn.testing.passes.calling import UserFailure, call, gradients_by_name
from manual_rnn.testing.passes.layout import STATES
from manual_rnn.testing.passes.regimes import Drawn
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.passes.truth import truth_of, variables


@dataclass(frozen=True)
class Answered:
    """What one call gave."""

    given: Mapping[str, Array]
    """The arrays as they were handed over, by your names."""
    returned: Mapping[str, Array]
    """The gradients, in your layout."""
    unknown: Mapping[str, Array | None]
    """What was returned under names of no array; None where it cannot be read as one."""
    overwritten: tuple[str, ...]
    printed: str
    kept: Mapping[str, Array]
    """The gradients as they came, not copied: what the function goes on to do to them shows here."""
    views: Mapping[str, str]
    """The gradients that lie in the memory of an array that was handed over, each with that array's name."""


@dataclass(frozen=True)
class Seen:
    """A case, the answer, and the truth in our shape."""

    drawn: Drawn
    answered: Answered
    truth: Mapping[str, Estimate]

    def fits(self, name: str) -> bool:
        """Whether the gradient has the shape of its array."""
        return self.answered.returned[name].shape == self.answered.given[name].shape

    def blocks(self, target: Target, name: str) -> Blocks:
        """The comparison of one gradient that has the right shape."""
        ours = target.layout.to_ours(name, self.answered.returned[name])
        return blocks(ours, self.truth[name], block_axes(target, name), target.dtype)

    def wrong(self, target: Target) -> tuple[str, ...]:
        """The names of the gradients that are wrong in this case."""
        found = self.answered.returned
        return tuple(n for n in self.truth if n in found and (not self.fits(n) or self.blocks(target, n).wrong.any()))


def block_axes(target: Target, name: str) -> int:
    """Time and batch for x, batch for an initial state, none for a parameter."""
    ours = target.layout.ours(name)
    if ours in target.layout.shapes:
        return 0
    return 2 if ours == "x" else 1 if ours in STATES else 0


def ask(target: Target, drawn: Drawn, time_limit: float | None) -> Answered:
    """Calls the backward pass on fresh copies of a case's arrays.

    Raises:
        UserFailure: it raised, hung, or returned what cannot be read.
    """
    given = target.layout.to_yours(drawn.arrays)
    given = {n: a.astype(target.dtype) if np.issubdtype(a.dtype, np.floating) else a for n, a in given.items()}
    handed = {name: array.copy() for name, array in given.items()}
    try:
        called = call(target.backward, handed, what=f"{target.called}, at {drawn.sizes},", time_limit=time_limit)
    except UserFailure as error:
        if isinstance(error.__cause__, TypeError) and error.__cause__.__traceback__ is None:  # the call itself
            raise UserFailure(
                f"{error.sentence}; it is handed {', '.join(given)}, by keyword (the loss, and Layout(names=..., "
                "without=...), say what, under which names)", error.details,
            ) from error  # fmt: skip
        raise
    returned, unknown = gradients_by_name(called.value, variables(target, drawn))
    overwritten = tuple(n for n in given if not np.array_equal(given[n], handed[n], equal_nan=True))
    own = {name: np.array(array) for name, array in returned.items()}  # it may reuse its buffers
    views = {name: n for name, g in returned.items() for n, array in handed.items() if np.shares_memory(g, array)}
    besides = {name: None if array is None else np.array(array) for name, array in unknown.items()}
    return Answered(given, own, besides, overwritten, called.printed, returned, views)


def look(target: Target, drawn: Drawn, time_limit: float | None) -> Seen:
    """One case with its truth. Raises UserFailure as :func:`ask` does."""
    answered = ask(target, drawn, time_limit)
    return Seen(drawn, answered, truth_of(target, drawn, time_limit))
