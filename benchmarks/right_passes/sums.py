"""The same pass with every sum made in another order, or in another precision: products of matrices by their terms."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from manual_rnn.cell import Array
from right_passes.walks import Gradients, Walk

Total = Callable[[Array], Array]
"""The sum over the first axis."""


def in_halves(terms: Array) -> Array:
    if len(terms) == 1:
        return np.asarray(terms[0])
    middle = len(terms) // 2
    return in_halves(terms[:middle]) + in_halves(terms[middle:])


def compensated(terms: Array) -> Array:
    """Kahan's summation."""
    total, lost = np.zeros_like(terms[0]), np.zeros_like(terms[0])
    for term in terms:
        corrected = term - lost
        larger = total + corrected
        lost, total = (larger - total) - corrected, larger
    return total


def sorted_by_size(terms: Array) -> Array:
    return np.asarray(np.add.accumulate(np.take_along_axis(terms, np.argsort(np.abs(terms), axis=0), axis=0))[-1])


def exactly(terms: Array) -> Array:
    return np.asarray(np.apply_along_axis(math.fsum, 0, terms), terms.dtype)


TOTALS: dict[str, Total] = {
    "sums from the left": lambda terms: np.asarray(np.add.accumulate(terms)[-1]),
    "sums from the right": lambda terms: np.asarray(np.add.accumulate(terms[::-1])[-1]),
    "sums in halves": in_halves,
    "sums of the smallest first": sorted_by_size,
    "sums of the largest first": lambda terms: -sorted_by_size(-terms[::-1]),
    "compensated sums": compensated,
    "exact sums": exactly,
    "sums in 80 bits": lambda terms: terms.sum(axis=0, dtype=np.longdouble).astype(terms.dtype),
}


def with_sums(total: Total) -> Walk:
    """The pass in which every sum, inside a step and over the steps, is ``total``."""

    def product(A: Array, B: Array) -> Array:
        """A @ B, its terms on the first axis."""
        return total(A.T[:, :, None] * B[:, None, :])

    def walk(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
        h = [h0]
        for row in x:
            terms = [*(row.T[:, :, None] * U.T[:, None, :]), *(h[-1].T[:, :, None] * W.T[:, None, :])]
            h.append(np.tanh(total(np.stack([*terms, np.broadcast_to(b, h0.shape)]))))
        da, carry = np.empty_like(dh), np.zeros_like(h0)
        for t in reversed(range(len(x))):
            da[t] = (1 - h[t + 1] ** 2) * (dh[t] + carry)
            carry = product(da[t], W)
        rows = da.reshape(-1, da.shape[-1])
        dW, dU = product(rows.T, np.concatenate(h[:-1])), product(rows.T, x.reshape(len(rows), -1))
        return {"x": product(rows, U).reshape(x.shape), "h0": carry, "U": dU, "W": dW, "b": total(rows)}

    return walk


PASSES: dict[str, Walk] = {name: with_sums(total) for name, total in TOTALS.items()}
