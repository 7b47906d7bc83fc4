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
    S = len(y)
    _check(cell, params, x, y, initial, loss)
    T, B = y.shape[1:3]
    params = {**params, **{w.name: np.stack([w.forward(one) for one in params[w.of]]) for w in cell.weights}}  # (F0)
    dtype = np.result_type(*params.values())
    n = params[of_input(cell)].shape[1]
    start = initial or {name: np.zeros((S, B, n), dtype) for name in cell.states}
    walk = _Walk(cell, params, np.moveaxis(x, 0, 1), start)
    steps = [walk.forward(t) for t in range(T)]
    h = np.stack([step[cell.states[0]] for step in steps])  # (T, S, B, n)
    o = h @ _turned(params["V"]) + params["c"][:, None]  # (F3)
    weights = np.repeat(weights_of_steps(None, reduction, T, B, dtype, None)[:, None], S, axis=1)
    of_loss, targets = losses.get(loss), np.moveaxis(y, 0, 1)
    values, kept = of_loss.forward(o, targets, weights)  # (F4)
    grad_o = of_loss.backward(kept, targets, weights)  # (B1)
    from_readout = grad_o @ params["V"]  # (B4)
    for t in reversed(range(T)):
        walk.backward(t, from_readout[t])
    gradients = {"c": _bias_gradient(grad_o), "V": _weight_gradient(grad_o, h)}  # (B2), (B3)
    gradients |= walk.parameter_gradients()
    return Results(
        loss=np.array([of_one.sum() for of_one in _by_network(values)]),
        gradients=gradients,
        nodes={name: _by_network(np.stack([step[name] for step in steps])) for name in steps[0]},
        node_gradients={name: _by_network(np.stack([one[name] for one in walk.grads])) for name in walk.grads[0]},
    )


class _Walk:
    """The steps of all networks, forward and then back; arrays of a step are (S, B, n_hidden)."""

    def __init__(self, cell: Cell, params: Parameters, x: Array, start: Parameters) -> None:
        self.cell, self.params, self.x, self.start = cell, params, x, start
        self.outside = {m.node: self._from_outside(m) for m in cell.maps}
        self.steps: list[dict[str, Array]] = []
        self.grads: list[dict[str, Array]] = [{} for _ in x]
        self.carried = {name: np.zeros_like(start[name]) for name in cell.states}

    def _from_outside(self, m: Affine) -> Array | float:
        """U x(t) + b of all steps, (T, S, B, n)."""
        b = self.params[m.b][:, None] if m.b else 0.0
        if not m.U:
            return b
        U = self.params[m.U]
        if affine.is_tokens(self.x):
            networks = np.arange(len(U))[:, None]
            of_tokens: Array = _turned(U)[networks, self.x] + b
            return of_tokens
        product: Array = self.x @ _turned(U) + b
        return product

    def forward(self, t: int) -> dict[str, Array]:
        """Step t; every node by its name."""
        cell, prev, node = self.cell, Nodes(**self._before(t)), Nodes()
        found: dict[str, Array] = {}

        def evaluate(m: Affine) -> None:
            outside = self.outside[m.node]
            a = outside[t] if isinstance(outside, np.ndarray) and outside.ndim == 4 else outside
            for term in m.terms:
                a = a + self._product(term, getattr(node if term.now else prev, term.of))
            setattr(node, m.node, tap(m.node, np.asarray(a)))  # (F1)

        def tap(name: str, value: Array) -> Array:
            found[name] = value
            setattr(node, name, value)
            for m in (m for m in cell.maps if m.waits_for == name):
                evaluate(m)
            return value

        for m in (m for m in cell.maps if m.waits_for is None):
            evaluate(m)
        cell.forward(node, prev, tap)  # (F2)
        self.steps.append(found)
        return found

    def backward(self, t: int, from_readout: Array) -> None:
        """Back through step t."""
        cell, found = self.cell, self.grads[t]
        node, prev = Nodes(**self.steps[t]), Nodes(**self._before(t))
        first, *others = cell.states
        found[first] = from_readout + self.carried[first]  # (B4)
        grad = Nodes(**{first: found[first], **{name: self.carried[name] for name in others}})

        def tap(name: str, value: Array) -> Array:
            found[name] = value
            for term in (term for m in cell.maps if m.node == name for term in m.terms if term.now):
                arrived = self._product_back(term, value)
                setattr(grad, term.of, getattr(grad, term.of) + arrived if hasattr(grad, term.of) else arrived)
            return value

        local = cell.backward(node, prev, grad, tap)  # (B5)
        carried = {name: local.get(f"{name}_prev", np.zeros_like(self.start[name])) for name in cell.states}
        for m in cell.maps:
            for term in (term for term in m.terms if not term.now):
                carried[term.of] = carried[term.of] + self._product_back(term, local[m.node])
        self.carried = carried

    def parameter_gradients(self) -> dict[str, Array]:
        """The sums over time and batch, (S, …) each, and the gradients of the initial states."""
        gradients = {}
        for m in self.cell.maps:
            grad_a = np.stack([grads[m.node] for grads in self.grads])
            if m.b:
                gradients[m.b] = _bias_gradient(grad_a)  # (B6)
            for term in m.terms:
                rows = np.stack([(step if term.now else self._before(t))[term.of] for t, step in enumerate(self.steps)])
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
        networks = range(grad_a.shape[1])
        return np.stack([affine.weight_gradient(grad_a[:, s], self.x[:, s], n_in) for s in networks])

    def _before(self, t: int) -> dict[str, Array]:
        """The states that step t starts from."""
        return {name: self.steps[t - 1][name] if t else self.start[name] for name in self.cell.states}

    def _product(self, term: Term, rows: Array) -> Array:
        weight = self.params[term.weight]
        return rows * weight[:, None] if term.diagonal else rows @ _turned(weight)

    def _product_back(self, term: Term, grad_a: Array) -> Array:
        weight = self.params[term.weight]
        return grad_a * weight[:, None] if term.diagonal else grad_a @ weight


def _turned(weight: Array) -> Array:
    return weight.swapaxes(-1, -2)


def _by_network(rows: Array) -> Array:
    """(S, T, B, n) of (T, S, B, n), each network's numbers next to each other."""
    return np.ascontiguousarray(np.moveaxis(rows, 0, 1))


def _end_to_end(rows: Array) -> Array:
    """(S, T B, n) of (T, S, B, n)."""
    by_network = _by_network(rows)
    return by_network.reshape(len(by_network), -1, rows.shape[-1])


def _weight_gradient(grad_a: Array, rows: Array) -> Array:
    """Σ ∇a vᵀ of each network over all its rows, (S, m, n)."""
    return _turned(_end_to_end(grad_a)) @ _end_to_end(rows)


def _bias_gradient(grad_a: Array) -> Array:
    """Σ ∇a of each network over all its rows, (S, m)."""
    rows = _end_to_end(grad_a)
    total: Array = (np.ones((1, rows.shape[1]), rows.dtype) @ rows)[:, 0]
    return total


def _check(cell: Cell, params: Parameters, x: Array, y: Array, initial: Parameters | None, loss: str) -> None:
    S = len(y)
    for name, array in {**params, "x": x, **(initial or {})}.items():
        if array.ndim == 0 or len(array) != S:
            raise ValueError(f"{name} has the shape {array.shape}, but y is of {S} networks; expected ({S}, …).")
    for s in range(S):
        of_one = None if initial is None else {name: rows[s] for name, rows in initial.items()}
        check_problem(cell, {name: array[s] for name, array in params.items()}, x[s], y[s], of_one, None, loss)
