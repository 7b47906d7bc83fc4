r"""A penalty on gradients that change their length on the way back through time, and its gradient by hand.

.. math::
    \Omega = \frac1B \sum_{b} \sum_{t=1}^{\tau-1} (r_{t,b} - 1)^2, \qquad
    r_t = \frac{\lVert v(t) \rVert}{\lVert \nabla a(t+1) \rVert}, \qquad
    v(t) = \varphi'(a(t)) \circ W^\top \nabla a(t+1)

Equation 9 of Pascanu, Mikolov, Bengio, *On the difficulty of training recurrent neural networks* (ICML 2013), where
the state is our a: v(t) is the part of ∇a(t) that comes through time, and r(t) what becomes of its length in one step.
As there (equation 10), ∇a(t+1) and a(t) are taken for constants, so that only the W that is written here is moved:

.. math::
    \frac{\partial^+ \Omega}{\partial W} = \frac1B \sum_{b,t} \frac{2\,(r_t - 1)}{\lVert \nabla a(t+1) \rVert\,
    \lVert v(t) \rVert}\; \nabla a(t+1)\, \bigl(\varphi'(a(t)) \circ v(t)\bigr)^\top
    \qquad\text{(Ω1)}

It is no gradient of Ω as a whole, which would go through a and ∇a too. A step whose ∇a(t+1) is zero, behind the last
loss of a sequence, is left out, and so is one whose v(t) is zero: W cannot lengthen what φ' has taken away. So is a
step t+1 that begins a sequence: nothing goes back from it to a(t).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.check import check_parameters, of_one_cell
from manual_rnn.gradients import Result


@of_one_cell
def vanishing_penalty(cell: Cell, params: Mapping[str, Array], result: Result) -> tuple[float, Array]:
    """Ω and ∂⁺Ω/∂W (n_hidden, n_hidden), from the tapes of a pass with these parameters.

    Raises ValueError for a cell that is not one of the vanilla networks, h = φ(W h + U x + b), for parameters of
    another shape, and for a pass that did not keep every node.
    """
    check_parameters(cell, params)
    grad_a, slope = _of_map(cell, result)
    W = params["W"]
    if W.shape[1] != grad_a.shape[2]:
        raise ValueError(
            f"params has a W {W.shape}, and the result is of n_hidden = {grad_a.shape[2]}; hand in those of its pass."
        )
    later, slope = grad_a[1:], slope[:-1]
    v = slope * (later @ W)
    of_v, of_later = _lengths(v), _lengths(later)
    tape = result.tape
    gone_on_from = (tape.previous("h")[1:] == tape["h"][:-1]).all(axis=-1, keepdims=True)
    counted = (of_v > 0) & (of_later > 0) & gone_on_from
    of_v, of_later = np.where(counted, of_v, 1), np.where(counted, of_later, 1)
    off = np.where(counted, of_v / of_later - 1, 0)
    B = grad_a.shape[1]
    # Directions, and not lengths, are multiplied: the product of two vanished lengths is below the format.
    unit, moved = later / of_later, 2 / B * off * slope * (v / of_v)
    penalty = float(np.square(off).sum() / B)
    return penalty, unit.reshape(-1, len(W)).T @ moved.reshape(-1, len(W))  # (Ω1)


def _of_map(cell: Cell, result: Result) -> tuple[Array, Array]:
    """∇a and φ'(a) of all steps, (T, B, n_hidden)."""
    if [m.node for m in cell.maps] != ["a"] or cell.states != ("h",) or cell.weights:
        raise ValueError(
            f"The penalty is of the vanilla networks, h = φ(W h + U x + b); {cell.name!r} is another cell."
        )
    if not isinstance(result, Result):
        raise ValueError(f"result is of the type {type(result).__name__}; expected the Result of loss_and_gradients.")
    tape, grads = result.tape, result.node_gradients
    if "a" not in tape or "a" not in grads:
        raise ValueError("The pass did not keep its nodes; hand in a result of loss_and_gradients(every_node=True).")
    node = Nodes(a=tape["a"], h=tape["h"])
    ones = Nodes(h=np.ones_like(tape["h"]))
    slopes = cell.backward(node, Nodes(h=tape.previous("h")), ones, lambda _, value: value)
    if "h_prev" in slopes:
        raise ValueError(f"In {cell.name!r} a state is handed on beside W, which the penalty does not know.")
    return grads["a"], slopes["a"]


def _lengths(rows: Array) -> Array:
    """Of each row, (T, B, 1), whatever its scale: the squares of 1e-30 do not exist in float32."""
    largest = np.abs(rows).max(axis=-1, keepdims=True)
    safe = np.where(largest > 0, largest, 1)
    lengths: Array = largest * np.sqrt(np.square(rows / safe).sum(axis=-1, keepdims=True))
    return lengths
