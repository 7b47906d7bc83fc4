r"""The affine maps of a cell, with the parameters of one pass: what F1 is made of, and what goes back through it.

.. math::
    a(t) = b + W h(t-1) + U x(t) + \dots \qquad \nabla h(t-1) \mathrel{+}= W^\top \nabla a(t)

A map of a node of its own step (the reset gate times the state, of a GRU) waits for that node.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn import affine
from manual_rnn.cell import Affine, Array, Cell, Nodes, Term


class Maps:
    """The maps of a cell over the inputs x, (T, B, n_in) or token ids (T, B); nothing in it changes."""

    def __init__(self, cell: Cell, params: Mapping[str, Array], x: Array) -> None:
        self._params = params
        # Products with a row-major Wᵀ are a third faster than with a transposed view of W.
        matrices = {t.weight for m in cell.maps for t in m.terms if not t.diagonal}
        self._turned = {name: np.ascontiguousarray(params[name].T) for name in matrices}
        self._known = {m.node: _from_outside(params, m, x) for m in cell.maps}
        self.first = [m for m in cell.maps if m.waits_for is None]
        """The maps that can be computed as soon as the states of the step before are there."""
        self.waiting = {m.waits_for: [n for n in cell.maps if n.waits_for == m.waits_for] for m in cell.maps}
        """The others, by the node that they wait for."""
        self.within = {m.node: [term for term in m.terms if term.now] for m in cell.maps}
        """By map, its products with nodes of its own step."""
        self.before = [(m.node, term) for m in cell.maps for term in m.terms if not term.now]
        """The products with states of the step before, each with its map's name."""

    def value(self, m: Affine, t: int, node: Nodes, prev: Nodes) -> Array:
        """The map at row t, (B, n_hidden), from the nodes of this step and the states of the step before."""
        products = [self._product(term, getattr(node if term.now else prev, term.of)) for term in m.terms]
        known = self._known[m.node]
        a = sum(products[1:], start=products[0]) if products else np.zeros((), known.dtype)
        return np.asarray(a + known[t] if known.ndim == 3 else a + known)

    def back(self, term: Term, grad_a: Array) -> Array:
        """What a product hands back to what it was taken of: Wᵀ ∇a."""
        weight = self._params[term.weight]
        return grad_a * weight if term.diagonal else grad_a @ weight

    def _product(self, term: Term, rows: Array) -> Array:
        return rows * self._params[term.weight] if term.diagonal else rows @ self._turned[term.weight]


def _from_outside(params: Mapping[str, Array], m: Affine, x: Array) -> Array:
    """U x(t) + b for all steps, (T, B, n_hidden); b, or zero, where there is no U."""
    b = params[m.b] if m.b else np.zeros((), next(iter(params.values())).dtype)
    return affine.forward(params[m.U], b, x) if m.U else b
