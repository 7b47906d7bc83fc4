r"""Which characters of a text a hidden unit follows: the share of its variance that a reading of the text explains.

A reading (:func:`readings`) gives every character one of k labels: the character itself, its place in the line, whether
it stands inside quotes. Of a unit's values $a_t$, t = 1 … N, with the mean $\bar a$ and the means $\bar a_g$ of the
labels, a one-way analysis of variance leaves unexplained

.. math:: \epsilon^2 = 1 - \frac{\sum_t (a_t - \bar a_{g(t)})^2 / (N - k)}{\sum_t (a_t - \bar a)^2 / (N - 1)}

which is the correlation ratio η² corrected for what k means explain by chance (Kelley, *An unbiased correlation ratio
measure*, 1935): 1 where the label decides the value, about 0 where it says nothing; below 0 it is given as 0. The cells
to be found are those of Karpathy, Johnson, Fei-Fei, *Visualizing and understanding recurrent networks*, 2015.

What it cannot see: readings that nobody has defined, and units that only work together. Characters that follow each
other are no independent draws, so a small share may be chance all the same. Readings overlap: a line's end is a
character, and a place in the line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from manual_rnn import layers
from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network, start_states
from manual_rnn.tape import Tape

AT_ONCE = 4096
"""Steps on one tape: the state is carried on, so the number decides nothing but memory."""
LONGEST = 100
"""Places in a line or a word from here on are one label."""
LEAST = 0.1
"""A unit of which every reading explains less follows none of them."""


def readings(text: str) -> dict[str, Array]:
    """The labels, (N,) each, that every reading gives to the characters of a text.

    A quote lasts from its mark to before the next one, and at most to an empty line; only double marks are read, since
    the single one is an apostrophe too. Brackets are round, square and curly, and their label is the depth.
    """
    rows, line, word, quoted, depth = [], 0, 0, False, 0
    for before, character in zip("\n" + text, text, strict=False):
        if before == character == "\n":
            quoted, depth = False, 0
        if character in "“”":
            quoted = character == "“"
        elif character == '"':
            quoted = not quoted
        depth = max(depth + (character in "([{") - (character in ")]}"), 0)
        word = word + 1 if character.isalnum() else 0
        rows.append((min(line, LONGEST), quoted, depth, min(word, LONGEST), ord(before), ord(character)))
        line = 0 if character == "\n" else line + 1
    labels = np.array(rows, np.int64).reshape(-1, 6).T
    names = ("line position", "inside quotes", "bracket depth", "place in the word", "character before", "character")
    return dict(zip(names, labels, strict=True))


def share(values: Array, labels: Array) -> Array:
    """ε² of each unit, (n,), of values (N, n) and labels (N,). NaN where a unit is constant or N labels are N."""
    _, group = np.unique(labels, return_inverse=True)
    counts = np.bincount(group)
    N, k = len(values), len(counts)
    if k >= N:
        return np.full(values.shape[1], np.nan)
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    within = centred - _means(centred, group, counts)[group]
    total = (centred**2).sum(axis=0)
    constant = np.ptp(values, axis=0) == 0
    ratio = (within**2).sum(axis=0) / np.where(constant, 1, total) * (N - 1) / (N - k)
    return np.where(constant, np.nan, np.clip(1 - ratio, 0, 1))


def _means(values: Array, group: Array, counts: Array) -> Array:
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, group, values)
    means: Array = sums / counts[:, None]
    return means


@dataclass(frozen=True)
class Followed:
    """What one unit follows."""

    unit: int
    shares: dict[str, float]
    """By reading; empty of a unit that is constant."""
    best: str | None
    """The reading that explains most; None where none explains ``LEAST``."""
    detail: str
    """How it follows: ``space high``, ``rises``, ``low inside``."""

    @property
    def name(self) -> str:
        """``character 0.97: space high``."""
        if not self.shares:
            return "constant"
        if self.best is None:
            return f"none of these (at most {max(self.shares.values()):.2f})"
        return f"{self.best} {self.shares[self.best]:.2f}: {self.detail}"


def following(values: Array, text: str) -> list[Followed]:
    """What each unit follows, of its values (N, n) at the characters of a text of N.

    Raises ValueError where the lengths differ or a value is not finite.
    """
    if values.ndim != 2 or len(values) != len(text):
        raise ValueError(f"values has shape {values.shape}; expected ({len(text)}, n), one row a character.")
    if not np.isfinite(values).all():
        raise ValueError("values are not all finite; the model's weights are too large for this text.")
    read = readings(text)
    shares = {name: share(values, labels) for name, labels in read.items()}
    found = []
    for unit in range(values.shape[1]):
        of_unit = {name: float(s[unit]) for name, s in shares.items() if not np.isnan(s[unit])}
        best = max(of_unit, key=lambda name: of_unit[name]) if of_unit else None
        if best is None or of_unit[best] < LEAST:
            found.append(Followed(unit, of_unit, None, ""))
        else:
            found.append(Followed(unit, of_unit, best, _detail(best, values[:, unit], read[best])))
    return found


def _detail(reading: str, values: Array, labels: Array) -> str:
    centred = values.astype(np.float64) - values.mean(dtype=np.float64)
    if reading.startswith("character"):
        kinds, group, counts = np.unique(labels, return_inverse=True, return_counts=True)
        means = np.bincount(group, centred) / counts
        telling = int((counts * means**2).argmax())  # the largest part of the variance between the labels
        return f"{shown(chr(int(kinds[telling])))} {'high' if means[telling] > 0 else 'low'}"
    up = float(((labels - labels.mean()) * centred).sum()) > 0
    if reading == "inside quotes":
        return "high inside" if up else "low inside"
    return "rises" if up else "falls"


def shown(character: str) -> str:
    """A character's name in a line of text."""
    names = {" ": "space", "\n": "line end", "\t": "tab"}
    return names.get(character, f"“{character}”" if character.isprintable() else ascii(character))


def by_reading(found: list[Followed]) -> list[Followed]:
    """The units of one reading together, in the order of the readings, the largest share first; the others last."""
    order: Mapping[str | None, int] = {name: k for k, name in enumerate(readings(""))}
    return sorted(found, key=lambda one: (order.get(one.best, len(order)), -max(one.shares.values(), default=-1)))


def states(network: Network, params: Mapping[str, Array], ids: Array, cell: Cell, state: str) -> Array:
    """A cell's state after each character, (N, n), of ids (N,) read from a fresh state.

    The first state is as it is; of any other, which has no bound (c of an LSTM), the tanh.
    """
    carried, parts = start_states(network, params, 1), []
    for first in range(0, len(ids), AT_ONCE):
        part = ids[first : first + AT_ONCE, None]
        tape = Tape(len(part))
        _, carried = layers.up(network, params, part, carried, tape)
        parts.append(np.array(tape[cell.full(state)][:, 0]))
    values = np.concatenate(parts)
    return values if state == cell.states[0] else np.tanh(values)
