r"""The affine maps of a cell, with the parameters of one pass: what F1 is made of, and what goes back through it.

.. math::
    a(t) = b + U x(t) + W h(t-1) + \dots \qquad \nabla h(t-1) \mathrel{+}= W^\top \nabla a(t)

The maps of all steps are one array (k, T, B, n_hidden), in which each lies for itself: a function by element is two to
four times as quick on what is contiguous as on some of the columns of wider rows. What several maps take of the same
thing is one call all the same. A map of a node of its own step (the reset gate times the state, of a GRU) waits for
that node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import numpy.typing as npt

from manual_rnn import affine
from manual_rnn.blocks import columns, end_to_end, in_blocks
from manual_rnn.cell import Affine, Array, Cell, Term
from manual_rnn.gates import gates
from manual_rnn.tape import Tape


@dataclass(frozen=True, eq=False)
class Product:
    """What maps that lie next to each other take of one thing: W of(t−1), or p ∘ of(t)."""

    term: Term
    """What is taken, and how; the weight's name is that of the first."""
    nodes: tuple[str, ...]
    weights: tuple[str, ...]
    maps: slice
    """Where the maps lie."""
    weight: Array
    """The weights one after the other, (k, n_hidden, n_hidden); by element, (k, 1, n_hidden)."""
    _blocks: dict[tuple[bool, int], Array] = field(default_factory=dict)

    def blocks(self, B: int, *, turned: bool) -> Array:
        """The weights, or their transposes, laid out for products with B rows: a third faster than with views."""
        if (turned, B) not in self._blocks:
            weight = self.weight
            if B == 1:  # Of one row, the maps lie end to end.
                weight = weight.reshape(1, -1, weight.shape[-1])
            self._blocks[turned, B] = in_blocks(weight.swapaxes(-1, -2) if turned else weight, B)
        return self._blocks[turned, B]

    def forward(self, rows: Array) -> Array:
        """W h of each map, (k, B, n_hidden), for rows of h."""
        if self.term.diagonal:
            return rows * self.weight
        B, n = rows.shape
        product = np.empty((len(self.weights), B, n), np.result_type(rows, self.weight))
        blocks = self.blocks(B, turned=True)
        np.matmul(rows, blocks, out=columns(end_to_end(product), blocks))
        return product

    def back(self, grad_a: Array) -> Array:
        """What maps with the gradients (k, B, n_hidden) hand back to what they were taken of: Σ Wᵀ ∇a."""
        if self.term.diagonal:
            of_diagonal: Array = grad_a[0] * self.weight[0]
            return of_diagonal
        B, n = grad_a.shape[-2:]
        blocks, rows = self.blocks(B, turned=False), end_to_end(grad_a)
        each = np.empty((len(rows), B, n), np.result_type(rows, self.weight))
        np.matmul(rows[:, None], blocks, out=columns(each, blocks))
        return reduce(np.add, each)


class Maps:
    """The maps of a cell one after the other; nothing in it changes."""

    def __init__(self, cell: Cell, params: Mapping[str, Array]) -> None:
        # Those of the input alone, of both, of the network alone: what is taken of either lies next to each other.
        # Among them, those of gates that are computed together.
        together = [of_map for alike in gates(cell) for _, of_map in alike]
        rank = {of_map: k - len(together) for k, of_map in enumerate(together)}
        in_order = sorted(cell.maps, key=lambda m: (2 if m.U is None else 1 if m.W else 0, rank.get(m.node, 0)))
        self.n = len(params[next(m.U for m in cell.maps if m.U)])
        self.places = {m.node: k for k, m in enumerate(in_order)}
        """By map, where it lies."""
        self.first = tuple(m.node for m in cell.maps if m.waits_for is None)
        """The maps that are complete as soon as the states of the step before are there."""
        self.waiting = {m.waits_for: [w.node for w in cell.maps if w.waits_for == m.waits_for] for m in cell.maps}
        """The others, by the node that they wait for."""
        self.products = list(_products(in_order, params, self.places))
        self.before = [p for p in self.products if not p.term.now]
        """The products with states of the step before."""
        self.within = [p for p in self.products if p.term.now]
        """Those with nodes of the same step, a map each."""
        self.U = {m.node: m.U for m in in_order if m.U}
        """By map, the name of the matrix that is taken of the input; these maps come first."""
        self.of_input = slice(0, len(self.U))
        self._maps, self._params = in_order, params
        self._tables: dict[npt.DTypeLike, Array] = {}

    def table(self, dtype: npt.DTypeLike) -> Array:
        """U x + b of all maps for each token x, (k, n_in, n_hidden)."""
        if dtype not in self._tables:
            self._tables[dtype] = self._table(dtype)
        return self._tables[dtype]

    def _table(self, dtype: npt.DTypeLike) -> Array:
        n_in = self._params[next(iter(self.U.values()))].shape[1]
        table = np.zeros((len(self.places), n_in, self.n), dtype)
        for k, m in enumerate(self._maps):
            table[k] += self._params[m.b] if m.b else 0
            table[k] += self._params[m.U].T if m.U else 0
        return table

    def from_outside(self, x: Array, a: Array) -> None:
        """Writes U x(t) + b of all maps and all steps to a, (k, T, B, n), for x (T, B, n_in) or token ids (T, B)."""
        if affine.is_tokens(x):
            np.take(self.table(a.dtype), x, axis=1, out=a, mode="clip")  # any other mode makes an array in between
            return
        for k, m in enumerate(self._maps):
            a[k] = self._params[m.b] if m.b else 0
            if m.U:
                a[k] += x @ self._params[m.U].T

    def room(self, tape: Tape, name: str, T: int, B: int, dtype: npt.DTypeLike) -> Array:
        """An array (k, T, B, n_hidden) for all maps of all steps, to write to."""
        k = len(self.places)
        if B > 1:
            return tape.room(name, (k, T, B, self.n), dtype)
        # Of one row, what a step has of all maps lies end to end, for one product with all of it.
        return tape.room(name, (T, k, B, self.n), dtype).swapaxes(0, 1)

    def in_order(self, by_map: Mapping[str, Array]) -> Array:
        """Arrays (…, n_hidden) of all maps, one after the other, (k, …, n_hidden)."""
        return np.stack([by_map[m.node] for m in self._maps])


def _products(maps: Iterable[Affine], params: Mapping[str, Array], places: Mapping[str, int]) -> Iterable[Product]:
    """The products of all maps; those of neighbours that are taken of the same thing are one."""
    runs: list[list[tuple[Affine, Term]]] = []
    for m in maps:
        for term in m.terms:
            for run in runs:
                last, other = run[-1]
                matrices = not any(t.now or t.diagonal for t in (term, other))
                if matrices and term.of == other.of and places[last.node] + 1 == places[m.node]:
                    run.append((m, term))
                    break
            else:
                runs.append([(m, term)])
    for run in runs:
        first, last = run[0][0], run[-1][0]
        yield Product(
            term=run[0][1],
            nodes=tuple(m.node for m, _ in run),
            weights=tuple(term.weight for _, term in run),
            maps=slice(places[first.node], places[last.node] + 1),
            weight=np.stack([np.atleast_2d(params[term.weight]) for _, term in run]),
        )
