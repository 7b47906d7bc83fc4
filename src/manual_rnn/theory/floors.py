r"""The loss of whoever remembers nothing: the floors of the tasks of long memory.

Such a predictor knows how the targets are distributed at each step, and no more. The best it can do is their variance
(squared error, without a ½) or their entropy (cross-entropy, in nats), and a curve that lies there has not learned to
remember. Each is exact for its generator; variants differ, so their names say whose.

What they do not see: that a floor can be crossed for bad reasons (a batch, a validation set that is too small), and
partial memory: half of the copied symbols gives half of that floor.
"""

from __future__ import annotations

import math

from manual_rnn.theory.arguments import whole


def copy(delay: int, *, symbols: int = 8, length: int = 10) -> float:
    r"""Copying: ``length`` symbols of ``symbols`` kinds are repeated after ``delay`` steps. Nats per step.

    The sequence has T + 2·length steps (length + delay − 1 blanks and a marker, then the answer). All targets are
    blank, and known, but the last ``length``, which are uniform:

    .. math:: L = \frac{\text{length} \cdot \ln \text{symbols}}{T + 2\,\text{length}} = \frac{10 \ln 8}{T + 20}

    Hochreiter, Schmidhuber 1997; in this form Arjovsky, Shah, Bengio, "Unitary evolution recurrent neural networks",
    ICML 2016. Raises ValueError for a delay below 1, or fewer than one symbol or length.
    """
    whole("delay", delay, 1)
    whole("number of symbols", symbols, 1)
    whole("length of what is copied", length, 1)
    return length * math.log(symbols) / (delay + 2 * length)


def adding_sum() -> float:
    r"""Adding, Arjovsky's: X₁ + X₂ of two marked numbers of U[0, 1]. Var = 2 · 1/12 = 1/6, at the mean 1."""
    return 1 / 6


def adding_mean() -> float:
    r"""Adding, Pascanu's (ICML 2013): (X₁ + X₂)/2 of U[0, 1]. Var = 1/6 · 1/4 = 1/24, at the mean ½."""
    return 1 / 24


def adding_scaled(first_marked: float = 0.0) -> float:
    r"""Adding, Hochreiter's and Schmidhuber's (1997): ½ + (X₁ + X₂)/4 of U[−1, 1]. Var = 2 · 1/3 · 1/16 = 1/24.

    Where the first pair of a sequence is marked they count its number as zero: over such sequences the variance is
    half of this. ``first_marked`` is the share of them, from 0 to 1; ValueError for anything else.
    """
    if not 0 <= first_marked <= 1:
        raise ValueError(f"The share of sequences whose first pair is marked is {first_marked}; it is between 0 and 1.")
    return (1 - first_marked / 2) / 24


def temporal_order(relevant: int = 2) -> float:
    r"""Temporal order: which of two symbols stood at each of ``relevant`` places: 2^relevant classes, as likely each.

    ln 4 with two places, ln 8 with three. Hochreiter, Schmidhuber 1997, tasks 6a and 6b. Nats, for the one answer.
    Raises ValueError for fewer than one place.
    """
    whole("number of relevant symbols", relevant, 1)
    return relevant * math.log(2)


def classes(count: int) -> float:
    r"""One of ``count`` classes, as likely each, of which nothing is known: ln count nats for the one answer.

    Raises ValueError for fewer than one.
    """
    whole("number of classes", count, 1)
    return math.log(count)


def exclusive_or() -> float:
    r"""XOR of fair bits, delayed or not: any bit but the last says nothing of it. ln 2 nats for each answer."""
    return math.log(2)
