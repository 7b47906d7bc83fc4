r"""One step of a cell on pairs of a number and its R{·}, forward and back: the lines of BPTT, and their derivatives.

The equations are RF1, RF2, RB4 and RB5 to RB8 of :mod:`.hessian`. The parameters may be pairs as well, or plain arrays
where they stand still. Rows lie in any shape: (B, n_hidden) of a step, (T, B, n_hidden) of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manual_rnn import affine
from manual_rnn.cell import Affine, Cell, Nodes
from manual_rnn.ways.tangent import Dual

Pairs = Mapping[str, Any]
"""By name, numbers with their tangents; token ids are as they are."""


def step_forward(cell: Cell, P: Pairs, x: Any, prev: Pairs, step: dict[str, Any]) -> Pairs:
    """One step, its nodes put into ``step``; returns its states."""
    node = Nodes()

    def evaluate(m: Affine) -> None:
        value = sum(
            (affine.product(P[t.weight], step[t.of] if t.now else prev[t.of], diagonal=t.diagonal) for t in m.terms),
            start=_from_outside(P, m, x),
        )
        setattr(node, m.node, tap(m.node, value))  # (RF1)

    def tap(name: str, value: Any) -> Any:
        step[name] = value
        setattr(node, name, value)
        for m in cell.maps:
            if m.waits_for == name:
                evaluate(m)
        return value

    for m in cell.maps:
        if m.waits_for is None:
            evaluate(m)
    return cell.forward(node, Nodes(**prev), tap)  # (RF2)


def _from_outside(P: Pairs, m: Affine, x: Any) -> Any:
    b = P[m.b] if m.b else 0
    if m.U is None:
        return b
    return (P[m.U].T[x] if affine.is_tokens(x) else x @ P[m.U].T) + b


def step_back(cell: Cell, P: Pairs, node: Nodes, prev: Nodes, grad: Nodes) -> tuple[dict[str, Any], Pairs]:
    """What one step hands to each state of the step before, and the gradients of its maps."""
    within = {m.node: [term for term in m.terms if term.now] for m in cell.maps}

    def tap(name: str, value: Any) -> Any:
        for term in within.get(name, ()):
            arrived = affine.product_input_gradient(P[term.weight], value, diagonal=term.diagonal)
            setattr(grad, term.of, getattr(grad, term.of) + arrived if hasattr(grad, term.of) else arrived)
        return value

    local = cell.backward(node, prev, grad, tap)  # (RB5)
    carried = {name: local.get(f"{name}_prev", 0 * getattr(prev, name)) for name in cell.states}
    for m in cell.maps:
        for term in m.terms:
            if not term.now:
                arrived = affine.product_input_gradient(P[term.weight], local[m.node], diagonal=term.diagonal)
                carried[term.of] = carried[term.of] + arrived
    return carried, local


def weight_gradients(cell: Cell, P: Pairs, x: Any, nodes: Pairs, before: Pairs, grads: Pairs) -> dict[str, Any]:
    """Those of the maps' biases and weights, summed over all rows, from the gradients of the maps."""
    found: dict[str, Any] = {}
    for m in cell.maps:
        grad_a = grads[m.node]
        if m.b:
            found[m.b] = affine.bias_gradient(grad_a)  # (RB6)
        for term in m.terms:
            rows = nodes[term.of] if term.now else before[term.of]
            found[term.weight] = affine.product_weight_gradient(grad_a, rows, diagonal=term.diagonal)  # (RB7)
        if m.U:
            found[m.U] = _of_inputs(grad_a, x, P[m.U].shape[1])  # (RB8)
    return found


def _of_inputs(grad_a: Any, x: Any, n_in: int) -> Any:
    if affine.is_tokens(x):  # constants, in which it is linear
        return Dual(affine.weight_gradient(grad_a.value, x, n_in), affine.weight_gradient(grad_a.tangent, x, n_in))
    return affine.weight_gradient(grad_a, x, n_in)
