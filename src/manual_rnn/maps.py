r"""The affine maps of a cell, with the parameters of one pass: what F1 is made of, and what goes back through it.

.. math::
    a(t) = b + U x(t) + W h(t-1) + \dots \qquad \nabla h(t-1) \mathrel{+}= W^\top \nabla a(t)

The maps lie side by side, n_hidden columns each, in one array (T, B, k n_hidden): what several of them take of the
same thing is one product with their weights below each other, which costs less than one for each. A map of a node of
its own step (the reset gate times the state, of a GRU) waits for that node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from manual_rnn import affine
from manual_rnn.cell import Affine, Array, Cell, Term


@dataclass(frozen=True, eq=False)
class Product:
    """What maps that lie next to each other take of one thing: W of(t−1), or p ∘ of(t)."""

    term: Term
    """What is taken, and how; the weight's name is that of the first."""
    nodes: tuple[str, ...]
    weights: tuple[str, ...]
    columns: slice
    weight: Array
    """The weights below each other, (k n_hidden, n_hidden); by element, next to each other, (k n_hidden,)."""
    turned: Array
    """Its transpose, laid out row by row: a product with it is a third faster than with a transposed view."""

    def forward(self, rows: Array) -> Array:
        """W h for rows of h."""
        return rows * self.weight if self.term.diagonal else rows @ self.turned

    def split(self, gradient: Array) -> Iterable[tuple[str, Array]]:
        """The name and the gradient of each weight from that of all below each other."""
        return zip(self.weights, np.split(gradient, len(self.weights)), strict=True)

    def back(self, grad_a: Array) -> Array:
        """What it hands back to what it was taken of: Wᵀ ∇a, summed over its maps."""
        return affine.product_input_gradient(self.weight, grad_a, diagonal=self.term.diagonal)


class Maps:
    """The maps of a cell side by side; nothing in it changes."""

    def __init__(self, cell: Cell, params: Mapping[str, Array]) -> None:
        # Those of the input alone, of both, of the network alone: what is taken of either lies next to each other.
        side_by_side = sorted(cell.maps, key=lambda m: 2 if m.U is None else 1 if m.W else 0)
        n = len(params[next(m.U for m in cell.maps if m.U)])
        self.columns = {m.node: slice(k * n, (k + 1) * n) for k, m in enumerate(side_by_side)}
        """By map, where it lies."""
        self.width = len(side_by_side) * n
        self.first = tuple(m.node for m in cell.maps if m.waits_for is None)
        """The maps that are complete as soon as the states of the step before are there."""
        self.waiting = {m.waits_for: [w.node for w in cell.maps if w.waits_for == m.waits_for] for m in cell.maps}
        """The others, by the node that they wait for."""
        self.products = list(_products(side_by_side, params, self.columns))
        self.before = [p for p in self.products if not p.term.now]
        """The products with states of the step before."""
        self.within = [p for p in self.products if p.term.now]
        """Those with nodes of the same step, a map each."""
        self.U = {m.node: m.U for m in side_by_side if m.U}
        """By map, the name of the matrix that is taken of the input; these maps come first."""
        self.of_input = slice(0, n * len(self.U))
        self._maps, self._params = side_by_side, params
        self._U = np.concatenate([params[name] for name in self.U.values()])

    def table(self, dtype: npt.DTypeLike) -> Array:
        """U x + b of all maps for each token x, (n_in, width)."""
        table = np.tile(self._b(dtype), (self._U.shape[1], 1))
        table[:, self.of_input] += self._U.T
        return table

    def from_outside(self, x: Array, a: Array) -> None:
        """Writes U x(t) + b of all maps and all steps to a, (T, B, width), for x (T, B, n_in) or token ids (T, B)."""
        if affine.is_tokens(x):
            np.take(self.table(a.dtype), x, axis=0, out=a, mode="clip")  # any other mode makes an array in between
        else:
            a[:] = self._b(a.dtype)
            a[..., self.of_input] += x @ self._U.T

    def _b(self, dtype: npt.DTypeLike) -> Array:
        b = np.zeros(self.width, dtype)
        for m in self._maps:
            if m.b:
                b[self.columns[m.node]] = self._params[m.b]
        return b

    def side_by_side(self, by_map: Mapping[str, Array]) -> Array:
        """Arrays (…, n_hidden) of all maps, next to each other."""
        return np.concatenate([by_map[m.node] for m in self._maps], axis=-1)


def _products(
    maps: Iterable[Affine], params: Mapping[str, Array], columns: Mapping[str, slice]
) -> Iterable[Product]:
    """The products of all maps; those of neighbours that are taken of the same thing are one."""
    runs: list[list[tuple[Affine, Term]]] = []
    for m in maps:
        for term in m.terms:
            for run in runs:
                last, other = run[-1]
                matrices = not any(t.now or t.diagonal for t in (term, other))
                if matrices and term.of == other.of and columns[last.node].stop == columns[m.node].start:
                    run.append((m, term))
                    break
            else:
                runs.append([(m, term)])
    for run in runs:
        weight = np.concatenate([params[term.weight] for _, term in run])
        yield Product(
            term=run[0][1],
            nodes=tuple(m.node for m, _ in run),
            weights=tuple(term.weight for _, term in run),
            columns=slice(columns[run[0][0].node].start, columns[run[-1][0].node].stop),
            weight=weight,
            turned=np.ascontiguousarray(weight.T),
        )
