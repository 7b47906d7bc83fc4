r"""Many small networks of one shape at once: S parameter sets stacked, and every equation for all of them in one call.

The equations are the cell's own, on arrays (S, B, n_hidden); the affine maps are stacks of products,
(S, B, n) @ (S, n, n), and what joins the steps is that of :mod:`manual_rnn.bptt`, with the same numbers. A small
network's pass is mostly NumPy's calls, whose number does not grow with S.

A network's numbers do not hang on which others share the batch, to the last bit: every product is one network's own,
and everything else goes by element or within a network. They differ by rounding from those of
:func:`manual_rnn.loss_and_gradients`, which lays its products out otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from types import SimpleNamespace as Nodes

import numpy as np

from manual_rnn import affine, losses
from manual_rnn.cell import Affine, Array, Cell, Term, of_input
from manual_rnn.check import check_problem
from manual_rnn.loss import weights_of_steps

Parameters = Mapping[str, Array]


@dataclass(frozen=True)
class Results:
    """What :func:`loss_and_gradients` gives, of S networks."""

    loss: Array
    """The loss of each, (S,)."""
    gradients: dict[str, Array]
    """∂L/∂v by the name of v, (S, …): each parameter, and each initial state ("h0")."""
    nodes: dict[str, Array]
    """Every node at every step, (S, T, B, n_hidden)."""
    node_gradients: dict[str, Array]
    """∂L/∂(node at step t), the same shapes: ``node_gradients["h"][s, t]`` is the total ∇h(t) of network s."""


def loss_and_gradients(
    cell: Cell,
    params: Parameters,
    x: Array,
    y: Array,
    *,
    loss: str = "softmax",
    initial: Parameters | None = None,
    reduction: str = "sum",
) -> Results:
    """The losses of S networks of one cell and one shape, and their gradients, by BPTT.

    Args:
        cell: such as ``cells.get("rnn")``.
        params: each parameter of all networks, (S, …), of one dtype: ``np.stack`` of those of each.
        x: inputs (S, T, B, n_in), or token ids (S, T, B).
        y: the targets of each, (S, T, B) or (S, T, B, n_out).
        loss, reduction: as for :func:`manual_rnn.loss_and_gradients`.
        initial: h(0) by name, (S, B, n_hidden) each; zeros by default.

    Raises ValueError as that function does, and where something is not there for all S networks.
    """
    _check(cell, params, x, y, initial, loss)
    # Of arrays laid out otherwise, such as np.stack(…, axis=-1) turned, BLAS takes another way for another S.
    params, initial = _laid_out(params), _laid_out(initial or {})
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    S, T, B = y.shape[:3]
    params = {**params, **{w.name: np.stack([w.forward(one) for one in params[w.of]]) for w in cell.weights}}  # (F0)
    dtype = np.result_type(*params.values())
    n = params[of_input(cell)].shape[1]
    walk = _Walk(cell, params, x, initial or {name: np.zeros((S, B, n), dtype) for name in cell.states})
    for t in range(T):
        walk.forward(t)
    h = walk.nodes[cell.states[0]]
    o = _rows(h, params["V"]) + params["c"][:, None, None]  # (F3)
    weights = np.repeat(weights_of_steps(None, reduction, T, B, dtype, None)[None], S, axis=0)
    of_loss = losses.get(loss)
    values, kept = of_loss.forward(o, y, weights)  # (F4)
    grad_o = of_loss.backward(kept, y, weights)  # (B1)
    from_readout = _rows(grad_o, _turned(params["V"]))  # (B4)
    for t in reversed(range(T)):
        walk.backward(t, from_readout[:, t])
    gradients = {"c": _bias_gradient(grad_o), "V": _weight_gradient(grad_o, h)}  # (B2), (B3)
    gradients |= walk.parameter_gradients()
    total = np.array([of_one.sum() for of_one in values])
    return Results(loss=total, gradients=gradients, nodes=walk.nodes, node_gradients=walk.node_gradients)


class _Walk:
    """The steps of all networks, forward and then back; what a step works on is (S, B, n_hidden)."""

    def __init__(self, cell: Cell, params: Parameters, x: Array, start: Parameters) -> None:
        self.cell, self.params, self.x, self.start = cell, params, x, start
        self.outside = {m.node: self._from_outside(m) for m in cell.maps}
        self.steps: list[dict[str, Array]] = []
        self.nodes: dict[str, Array] = {}
        self.node_gradients: dict[str, Array] = {}
        self.carried = {name: np.zeros_like(start[name]) for name in cell.states}

    def _from_outside(self, m: Affine) -> Array | None:
        """U x(t) + b of all steps, (S, T, B, n), or (S, 1, 1, n) of b alone."""
        b = self.params[m.b][:, None, None] if m.b else None
        if not m.U:
            return b
        U = self.params[m.U]
        if affine.is_tokens(self.x):
            of_x: Array = _turned(U)[np.arange(len(U))[:, None, None], self.x]
        else:
            of_x = _rows(self.x, U)
        return of_x if b is None else of_x + b

    def forward(self, t: int) -> None:
        """Step t; every node is kept."""
        cell, prev, node = self.cell, Nodes(**self._before(t)), Nodes()
        found: dict[str, Array] = {}

        def evaluate(m: Affine) -> None:
            outside = self.outside[m.node]
            parts = [self._product(term, getattr(node if term.now else prev, term.of)) for term in m.terms]
            if outside is not None:
                parts.insert(0, outside[:, t if outside.shape[1] > 1 else 0])
            tap(m.node, np.ascontiguousarray(reduce(np.add, parts)))  # (F1)

        def tap(name: str, value: Array) -> Array:
            found[name] = value
            setattr(node, name, value)
            self._keep(self.nodes, name, t, value)
            for m in (m for m in cell.maps if m.waits_for == name):
                evaluate(m)
            return value

        for m in (m for m in cell.maps if m.waits_for is None):
            evaluate(m)
        cell.forward(node, prev, tap)  # (F2)
        self.steps.append(found)

    def backward(self, t: int, from_readout: Array) -> None:
        """Back through step t."""
        cell = self.cell
        node, prev = Nodes(**self.steps[t]), Nodes(**self._before(t))
        first, *others = cell.states
        total = from_readout + self.carried[first]  # (B4)
        self._keep(self.node_gradients, first, t, total)
        grad = Nodes(**{first: total, **{name: self.carried[name] for name in others}})

        def tap(name: str, value: Array) -> Array:
            self._keep(self.node_gradients, name, t, value)
            for term in (term for m in cell.maps if m.node == name for term in m.terms if term.now):
                arrived = self._product_back(term, value)
                setattr(grad, term.of, getattr(grad, term.of) + arrived if hasattr(grad, term.of) else arrived)
            return value

        local = cell.backward(node, prev, grad, tap)  # (B5)
        carried = {name: local[f"{name}_prev"] for name in cell.states if f"{name}_prev" in local}
        for m in cell.maps:
            for term in (term for term in m.terms if not term.now):
                arrived = self._product_back(term, local[m.node])
                carried[term.of] = carried[term.of] + arrived if term.of in carried else arrived
        self.carried = {name: carried.get(name, np.zeros_like(self.start[name])) for name in cell.states}

    def parameter_gradients(self) -> dict[str, Array]:
        """The sums over time and batch, (S, …) each, and the gradients of the initial states."""
        gradients = {}
        before = {
            name: np.concatenate([self.start[name][:, None], self.nodes[name][:, :-1]], axis=1)
            for name in self.cell.states
        }
        for m in self.cell.maps:
            grad_a = self.node_gradients[m.node]
            if m.b:
                gradients[m.b] = _bias_gradient(grad_a)  # (B6)
            for term in m.terms:
                rows = (self.nodes if term.now else before)[term.of]
                by_element = term.diagonal
                grad_W = _bias_gradient(grad_a * rows) if by_element else _weight_gradient(grad_a, rows)  # (B7)
                gradients[term.weight] = grad_W
            if m.U:
                gradients[m.U] = self._input_weight_gradient(grad_a, self.params[m.U].shape[-1])  # (B8)
        for w in self.cell.weights:
            of = zip(self.params[w.of], self.params[w.name], gradients.pop(w.name), strict=True)
            gradients[w.of] = np.stack([w.backward(*one) for one in of])
        return gradients | {self.cell.initial_name(name): self.carried[name] for name in self.cell.states}  # (B10)

    def _input_weight_gradient(self, grad_a: Array, n_in: int) -> Array:
        if not affine.is_tokens(self.x):
            return _weight_gradient(grad_a, self.x)
        return np.stack([affine.weight_gradient(*one, n_in) for one in zip(grad_a, self.x, strict=True)])

    def _before(self, t: int) -> dict[str, Array]:
        """The states that step t starts from."""
        return {name: self.steps[t - 1][name] if t else self.start[name] for name in self.cell.states}

    def _keep(self, tape: dict[str, Array], name: str, t: int, value: Array) -> None:
        """Puts a step's value where all of its network's lie next to each other, (S, T, B, n_hidden)."""
        if name not in tape:
            S, B, n = value.shape
            tape[name] = np.empty((S, self.x.shape[1], B, n), value.dtype)
        tape[name][:, t] = value

    def _product(self, term: Term, rows: Array) -> Array:
        weight = self.params[term.weight]
        return rows * weight[:, None] if term.diagonal else rows @ _turned(weight)

    def _product_back(self, term: Term, grad_a: Array) -> Array:
        weight = self.params[term.weight]
        return grad_a * weight[:, None] if term.diagonal else grad_a @ weight


def _laid_out(arrays: Parameters) -> Parameters:
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _turned(weight: Array) -> Array:
    return weight.swapaxes(-1, -2)


def _end_to_end(rows: Array) -> Array:
    """(S, T B, n) of (S, T, B, n)."""
    return rows.reshape(len(rows), -1, rows.shape[-1])


def _rows(rows: Array, weight: Array) -> Array:
    """W v for each row v of each network, one product a network: (S, T, B, m) of (S, T, B, n) and (S, m, n)."""
    product = _end_to_end(rows) @ _turned(weight)
    return product.reshape(*rows.shape[:-1], product.shape[-1])


def _weight_gradient(grad_a: Array, rows: Array) -> Array:
    """Σ ∇a vᵀ of each network over all its rows, (S, m, n)."""
    return _turned(_end_to_end(grad_a)) @ _end_to_end(rows)


def _bias_gradient(grad_a: Array) -> Array:
    """Σ ∇a of each network over all its rows, (S, m)."""
    rows = _end_to_end(grad_a)
    total: Array = (np.ones((1, rows.shape[1]), rows.dtype) @ rows)[:, 0]
    return total


def _check(cell: Cell, params: Parameters, x: Array, y: Array, initial: Parameters | None, loss: str) -> None:
    S, stacked = len(y), {**params, **(initial or {})}
    for name, array in {**stacked, "x": x}.items():
        if array.ndim == 0 or len(array) != S:
            raise ValueError(f"{name} has the shape {array.shape}, but y is of {S} networks; expected ({S}, …).")
    every_x, every_y = (rows.reshape(-1, *rows.shape[2:]) if rows.ndim > 2 else rows[0] for rows in (x, y))
    finite = [np.isfinite(array.reshape(S, -1)).all(axis=1) for array in stacked.values()]
    strange = int(np.argmin(np.all(finite, axis=0)))  # the first network with a number that is none, or else the first
    of_one = None if initial is None else {name: rows[strange] for name, rows in initial.items()}
    # The shapes of one network are those of all; x and y of all of them are checked as if they were its own.
    check_problem(cell, {name: rows[strange] for name, rows in params.items()}, every_x, every_y, of_one, None, loss)
