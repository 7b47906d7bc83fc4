"""The smallest sizes in which the same gradients are wrong, and the case itself to look at."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.mistakes.replay import Replay
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.calling import UserFailure
from manual_rnn.testing.passes.regimes import draw
from manual_rnn.testing.passes.seen import Seen, ask, look
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.passes.truncation import truncated
from manual_rnn.testing.passes.truth import cell_of, has_cell, variables
from manual_rnn.testing.problem import Sizes

SECONDS = 5.0
"""The time that shrinking may take."""


@dataclass(frozen=True)
class Example:
    """One case, in your layout and by your names: what was handed over, what came back, what is right."""

    given: Mapping[str, Array]
    yours: Mapping[str, Array]
    right: Mapping[str, Array]


def example(target: Target, regime: str, sizes: Sizes, seed: int, *, time_limit: float | None = 60.0) -> Example:
    """One drawn case to look at: a report's last lines call it.

    Raises:
        UserFailure: the backward pass failed; the sentence says how.
    """
    s = look(target, draw(target, cell_of(target), regime, sizes, seed), time_limit)
    right = {name: target.layout.turn(target.layout.ours(name), found.value) for name, found in s.truth.items()}
    return Example(s.answered.given, s.answered.returned, right)


def shrink(target: Target, s: Seen, *, seconds: float = SECONDS, time_limit: float | None = 60.0) -> Seen:
    """The case with sizes as small as can be found in the time, the same gradients being wrong.

    The truth of smaller cases is the right derivation's, which needs no compilation; what is found is confirmed by
    the oracle.
    """
    until = time.monotonic() + seconds
    wanted = set(s.wrong(target))
    smallest = s
    shrunk = True
    while shrunk and time.monotonic() < until:
        shrunk = False
        for sizes in _smaller(target, smallest.drawn.sizes):
            if time.monotonic() > until:
                break
            try:
                found = _look(target, s, sizes, time_limit)
            except UserFailure:
                continue
            if set(found.wrong(target)) == wanted:
                smallest, shrunk = found, True
                break
    try:
        confirmed = look(target, smallest.drawn, time_limit)
    except UserFailure:
        return s
    return confirmed if set(confirmed.wrong(target)) == wanted else s


def _look(target: Target, s: Seen, sizes: Sizes, time_limit: float | None) -> Seen:
    drawn = draw(target, cell_of(target), s.drawn.regime, sizes, s.drawn.seed)
    if not has_cell(target):
        return look(target, drawn, time_limit)
    cell, k = cell_of(target), target.truncation
    gradients = truncated(cell, drawn, k) if k else Replay.of(cell, drawn).grads
    packed = target.layout.packed(gradients)
    right = {n: packed[target.layout.ours(n)] for n in variables(target, drawn)}
    truth = {n: Estimate(array, np.zeros_like(array)) for n, array in right.items()}
    return Seen(drawn, ask(target, drawn, time_limit), truth)


def _smaller(target: Target, sizes: Sizes) -> Iterator[Sizes]:
    """One dimension smaller: at once the smallest that there is, half, one less."""
    now = asdict(sizes)
    for name, value in now.items():
        least = 2 if name == "n_out" else 1
        for smaller in dict.fromkeys((least, value // 2, value - 1)):
            if least <= smaller < value and not (name == "n_out" and not target.has_readout):
                yield Sizes(**{**now, name: smaller})


def three_lines(target: Target, s: Seen, named: str) -> str:
    """Three lines that show the failure; ``named`` is what they call the target."""
    name, z = s.wrong(target)[0], s.drawn.sizes
    sizes = ", ".join(f"{dimension}={value}" for dimension, value in asdict(z).items())
    return (
        "from manual_rnn.testing import Sizes, example\n"
        f"case = example({named}, {s.drawn.regime!r}, Sizes({sizes}), seed={s.drawn.seed})\n"
        f"print(case.yours[{name!r}], case.right[{name!r}], sep='\\n')"
    )
