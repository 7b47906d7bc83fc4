r"""Which states to keep and which to compute again, so that a chain is gone back through with few of them in memory.

The binomial schedule of A. Griewank and A. Walther, *Algorithm 799: revolve*, ACM TOMS 26, 19–45 (2000). With s
snapshots and every link run forward at most r times besides the once that goes back, a chain may have

.. math:: \beta(s, r) = \binom{s + r}{s}

links. For one of l, with r the least such that β(s, r) ≥ l, it takes the fewest steps forward that there are:

.. math:: t(l, s) = r\, l - \beta(s + 1, r - 1)

Where there is a snapshot for each link, r is 1 and the schedule is the plain one: keep the start of each, and compute
each once more. With √T links of √T steps that is the schedule of T. Chen, B. Xu, C. Zhang and C. Guestrin, *Training
deep nets with sublinear memory cost* (2016), which has the states of 2√T steps in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb, isqrt


@dataclass(frozen=True)
class Move:
    """From the snapshot at the start of link ``origin``, forward to the start of link ``to``; then keep, or go back."""

    origin: int
    to: int
    back: bool
    """Whether link ``to`` is gone back through. Where it is ``origin`` itself, its snapshot is of no more use.
    If not, the state is kept: a snapshot."""


def moves(links: int, snapshots: int) -> Iterator[Move]:
    """The moves that go back through all links, the last one first, with at most so many snapshots at a time.

    The start of the chain is a snapshot, and there from the beginning.
    """
    # Stretches whose start is a snapshot, the last to be gone back through first.
    left = [(0, links)]
    while left:
        start, stop = left.pop()
        free = snapshots - len(left)  # its own one among them
        if stop - start == 1:
            yield Move(start, start, back=True)
        elif free == 1:
            yield Move(start, stop - 1, back=True)
            left.append((start, stop - 1))
        else:
            middle = start + _first_part(stop - start, free)
            yield Move(start, middle, back=False)
            left += [(start, middle), (middle, stop)]


def fewest_steps(links: int, snapshots: int) -> int:
    """t(l, s): how many links are run forward besides the once that goes back."""
    r = _repeats(links, snapshots)
    return r * links - _beta(snapshots + 1, r - 1)


def square_root(T: int) -> int:
    """⌈√T⌉, the length of a link for which the snapshots and the states of one link are 2√T at most."""
    return isqrt(T - 1) + 1


def _beta(s: int, r: int) -> int:
    return comb(s + r, s) if r >= 0 else 0


def _repeats(links: int, snapshots: int) -> int:
    r = 0
    while _beta(snapshots, r) < links:
        r += 1
    return r


def _first_part(links: int, snapshots: int) -> int:
    """How long the first part is: both are then within what the optimum allows them, r − 1 and r repeats."""
    r = _repeats(links, snapshots)
    return max(1, _beta(snapshots, r - 2), links - _beta(snapshots - 1, r))
