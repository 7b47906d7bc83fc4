r"""Truncated BPTT, BPTT(k), of a forward pass of your own: the forward is run on windows of k steps.

.. math:: \nabla_v^{(k)} = \sum_t \nabla_v \langle \nabla h(t),\, h(t) \rangle
    \quad\text{with } h(t-k) \text{ a constant}

The loss of the first k steps reaches h(0), so one run over them gives their part. Each later step t has a window of
its own, x(t−k+1) … x(t), from the state h(t−k) that the whole run came to. That needs a forward whose only state is h,
that takes it as h0 and returns it at every step; whether it does is tried: run from its own h, it must go on as it did.

What it cannot see: a mistake in the forward itself, whose derivative this is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.calling import UserFailure
from manual_rnn.testing.passes.layout import Layout

if TYPE_CHECKING:
    from manual_rnn.testing.passes.target import ForwardOracle

SAME = 1e-9
"""How far, relative to the largest h, the two runs may be apart: the cases are drawn so that rounding does 1e-14."""


@dataclass(frozen=True)
class Windows:
    """The gradients of BPTT(k) by an oracle of the forward; arrays in your layout and by your names."""

    oracle: ForwardOracle
    layout: Layout
    k: int

    def gradients(
        self, arrays: Mapping[str, Array], upstream: Array | Sequence[Array] | None, names: Sequence[str]
    ) -> dict[str, Array | Estimate]:
        """The gradient for each name.

        Raises:
            UserFailure: the forward fails, or does not go on from the h that it returned.
        """
        above = self.layout.to_ours(self._name("grad_h"), np.asarray(upstream))
        h = self._states(arrays, above.shape)
        x_name, h0_name = self._name("x"), self._name("h0")
        x = self.layout.to_ours(x_name, arrays[x_name])
        totals = {name: _Total(self.layout.to_ours(name, arrays[name]).shape) for name in names}
        for start, stop, own in self._windows(above):
            window = {**arrays, x_name: self._turn("x", x[start:stop])}
            if start:
                window[h0_name] = self._turn("h0", h[start - 1])
            part = self.oracle.gradients(window, self._turn("grad_h", own), names)
            for name in names:
                if name == h0_name and start:
                    continue
                totals[name].add(self.layout, name, part[name], slice(start, stop) if name == x_name else slice(None))
        estimated = any(total.estimated for total in totals.values())  # an h0 that no window reaches is exactly zero
        return {name: totals[name].found(self.layout, name, estimated) for name in names}

    def _windows(self, above: Array) -> Iterator[tuple[int, int, Array]]:
        """The first and last row of each window, and the upstream gradient in it."""
        T, k = len(above), self.k
        if above[:k].any():
            yield 0, min(k, T), above[:k]
        for t in range(k, T):
            if above[t].any():
                own = np.zeros_like(above[:k])
                own[-1] = above[t]
                yield t - k + 1, t + 1, own

    def _states(self, arrays: Mapping[str, Array], shape: tuple[int, ...]) -> Array:
        """h at every step, (T, B, n_hidden), of a forward that goes on from what it returned."""
        x_name, h0_name = self._name("x"), self._name("h0")
        h = self._run(arrays, shape)
        T = len(h)
        if self.k >= T:
            return h
        x = self.layout.to_ours(x_name, arrays[x_name])
        start = T - self.k
        rest = {**arrays, x_name: self._turn("x", x[start:]), h0_name: self._turn("h0", h[start - 1])}
        again = self._run(rest, (self.k, *shape[1:]))
        if not np.abs(again - h[start:]).max() <= SAME * np.abs(h[start:]).max():
            raise UserFailure(
                f"forward, run from the state that it returned for step {start}, gives another h than in one run: "
                "truncation needs a forward that takes h0, returns h at every step first, and has no other state."
            )
        return h

    def _run(self, arrays: Mapping[str, Array], shape: tuple[int, ...]) -> Array:
        (found,) = self.oracle.values(arrays, 1)
        wanted = self._turn("grad_h", np.zeros(shape)).shape
        if found.shape != wanted:
            raise UserFailure(
                f"forward returned an array of the shape {found.shape}; expected h at every step, {wanted}."
            )
        return self.layout.to_ours(self._name("grad_h"), found)

    def _name(self, ours: str) -> str:
        return self.layout.yours(ours)[0]

    def _turn(self, ours: str, array: Array) -> Array:
        return np.array(self.layout.turn(ours, array), order="C")


class _Total:
    """The sum over windows, in our shape, with the error where the oracle knows it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.value, self.error = np.zeros(shape), np.zeros(shape)
        self.estimated = False

    def add(self, layout: Layout, name: str, part: Array | Estimate, rows: slice) -> None:
        if isinstance(part, Estimate):
            self.value[rows] += layout.to_ours(name, part.value)
            self.error[rows] += layout.to_ours(name, part.error)
            self.estimated = True
        else:
            self.value[rows] += layout.to_ours(name, part)

    def found(self, layout: Layout, name: str, estimated: bool) -> Array | Estimate:
        ours = layout.ours(name)
        value = layout.turn(ours, self.value)
        return Estimate(value, layout.turn(ours, self.error)) if estimated else value
