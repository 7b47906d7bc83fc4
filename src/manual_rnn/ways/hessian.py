r"""The product of the Hessian with a vector, by hand: the derivative of every line of BPTT along a direction.

B. A. Pearlmutter, *Fast exact multiplication by the Hessian*, Neural Computation 6, 147–160 (1994). For a direction v
and anything q that is made of the parameters, $R\{q\} = \frac{d}{d\varepsilon}\, q(\theta + \varepsilon v)$ at
ε = 0. So R{θ} = v, and R{∇θ} = H v: nothing is approximated, and no Hessian is ever there.

.. math::
    R\{a(t)\}         &= R\{b\} + R\{W\}\, h(t-1) + W R\{h(t-1)\} + R\{U\}\, x(t) + U R\{x(t)\}      && \text{RF1} \\
    R\{h(t)\}         &= \text{R of the cell's own equations}                                         && \text{RF2} \\
    R\{o(t)\}         &= R\{c\} + R\{V\}\, h(t) + V R\{h(t)\}                                         && \text{RF3} \\
    R\{\ell(t)\}      &= \nabla o(t) \cdot R\{o(t)\}                                                  && \text{RF4}

.. math::
    R\{\nabla o(t)\}  &= \text{of the loss: } \nabla o(t) \text{ along } R\{o(t)\}                     && \text{RB1} \\
    R\{\nabla c\}     &= \textstyle\sum_t R\{\nabla o(t)\}                                            && \text{RB2} \\
    R\{\nabla V\}     &= \textstyle\sum_t R\{\nabla o(t)\}\, h(t)^\top + \nabla o(t)\, R\{h(t)\}^\top && \text{RB3} \\
    R\{\nabla h(t)\}  &= R\{V\}^\top \nabla o(t) + V^\top R\{\nabla o(t)\}
                         + R\{W\}^\top \nabla a(t+1) + W^\top R\{\nabla a(t+1)\}                      && \text{RB4} \\
    R\{\nabla a(t)\}  &= \text{R of the cell's own equations}                                         && \text{RB5} \\
    R\{\nabla b\}     &= \textstyle\sum_t R\{\nabla a(t)\}                                            && \text{RB6} \\
    R\{\nabla W\}     &= \textstyle\sum_t R\{\nabla a(t)\}\, h(t-1)^\top + \nabla a(t)\, R\{h(t-1)\}^\top
                                                                                                      && \text{RB7} \\
    R\{\nabla U\}     &= \textstyle\sum_t R\{\nabla a(t)\}\, x(t)^\top + \nabla a(t)\, R\{x(t)\}^\top && \text{RB8} \\
    R\{\nabla x(t)\}  &= R\{U\}^\top \nabla a(t) + U^\top R\{\nabla a(t)\}                            && \text{RB9} \\
    R\{\nabla h(0)\}  &= R\{W\}^\top \nabla a(1) + W^\top R\{\nabla a(1)\}                            && \text{RB10}

RB1 stands with each loss (:mod:`manual_rnn.losses`); for the softmax it is (diag ŷ − ŷ ŷᵀ) R{o(t)}. Each other is the
line of BPTT of the same number under the sum and the product rule, which stand in one place
(:mod:`manual_rnn.ways.tangent`). So each line of code, here and of one step in :mod:`manual_rnn.ways.pairs`, is that
line, on pairs of a number and its R; the cell's own code, and that of a weight that is made of a parameter, is run on
such pairs too. Costs about four passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_rnn import affine
from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.check import check_array, check_mapping, check_numbers, of_one_cell
from manual_rnn.finite import check_loss
from manual_rnn.ways.given import Given
from manual_rnn.ways.pairs import Pairs, step_back, step_forward, weight_gradients
from manual_rnn.ways.tangent import Dual, stack


@dataclass(frozen=True)
class Curvature:
    """The loss, its gradient, and how both change along a direction v."""

    loss: float
    slope: float
    """R{L} = ⟨∇L, v⟩."""
    gradients: dict[str, Array]
    """∇L, by the names that ``loss_and_gradients`` has."""
    product: dict[str, Array]
    """H v, by the same names."""


@of_one_cell
def hessian_vector(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    direction: Mapping[str, Array],
    *,
    loss: str = "softmax",
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    inputs: bool = False,
) -> Curvature:
    """The Hessian of the loss, in everything that the gradient is taken of, times a direction.

    ``direction``: an array for each variable that moves, in its shape, by the name of its gradient: parameters, initial
    states ("h0") and, where they are dense, inputs ("x"). What is not named stands still. All else is as for
    :func:`manual_rnn.loss_and_gradients`. Where a cell has a kink (ReLU), the derivative of its slope is zero.

    Raises:
        ValueError: the direction has a name that is no variable's, another shape or no numbers; an array does not fit.
        FloatingPointError: the loss is not finite.
    """
    given = Given.of(cell, params, x, y, loss=loss, initial=initial, reduction=reduction, weights=weights)
    variables = {**params, **{f"{name}0": h for name, h in given.initial.items()}}
    variables |= {} if affine.is_tokens(x) else {"x": x}
    _check(direction, variables)
    pairs = {n: Dual(v, direction.get(n, np.zeros_like(v)).astype(given.dtype)) for n, v in variables.items()}
    P: dict[str, Any] = {name: pairs[name] for name in params}
    P |= {w.name: w.forward(P[w.of]) for w in cell.weights}  # (RF0)

    nodes, before = _unroll(cell, P, pairs.get("x", x), {name: pairs[f"{name}0"] for name in cell.states})
    h = nodes[cell.states[0]]
    o = h @ P["V"].T + P["c"]  # (RF3)
    values, kept = given.loss.forward(o.value, y, given.weights)
    total = float(values.sum())
    check_loss(total, cell, {"o": o.value, "loss": values, **{cell.full(n): nodes[n].value for n in cell.states}})
    R_grad_o = given.loss.tangent(kept, o.tangent, given.weights)  # (RB1)
    grad_o: Any = Dual(given.loss.backward(kept, y, given.weights), R_grad_o)
    found: dict[str, Any] = {"c": affine.bias_gradient(grad_o)}  # (RB2)
    found["V"] = affine.weight_gradient(grad_o, h, h.shape[-1])  # (RB3)
    found |= _go_back(cell, P, pairs.get("x", x), nodes, before, affine.input_gradient(P["V"], grad_o), inputs=inputs)

    names = [*params, *(f"{name}0" for name in cell.states), *(["x"] if inputs else [])]
    return Curvature(
        loss=total,
        slope=float((grad_o.value * o.tangent).sum()),  # (RF4)
        gradients={name: found[name].value for name in names},
        product={name: found[name].tangent for name in names},
    )


def _unroll(cell: Cell, P: Pairs, x: Any, state: Pairs) -> tuple[dict[str, Any], dict[str, Any]]:
    """Every node at every step, and every state that a step started from, (T, B, n_hidden) each."""
    steps, before = [], []
    for t in range(len(x)):
        before.append(state)
        step: dict[str, Any] = {}
        state = step_forward(cell, P, x[t], state, step)
        steps.append(step)
    return _stacked(steps), _stacked(before)


def _go_back(
    cell: Cell, P: Pairs, x: Any, nodes: Pairs, before: Pairs, from_readout: Any, *, inputs: bool
) -> dict[str, Any]:
    """The gradients of the parameters of the cell, of the initial states and of x, with their tangents."""
    first, *others = cell.states
    carried = {name: 0 * before[name][0] for name in cell.states}
    steps = []
    for t in reversed(range(len(x))):
        grad = Nodes(**{first: from_readout[t] + carried[first], **{name: carried[name] for name in others}})  # (RB4)
        node, prev = (Nodes(**{name: rows[t] for name, rows in of.items()}) for of in (nodes, before))
        carried, local = step_back(cell, P, node, prev, grad)
        steps.append({m.node: local[m.node] for m in cell.maps})
    grads = _stacked(steps[::-1])

    found = {f"{name}0": carried[name] for name in cell.states}  # (RB10)
    found |= weight_gradients(cell, P, x, nodes, before, grads)
    for w in cell.weights:
        found[w.of] = w.backward(P[w.of], P[w.name], found[w.name])  # (RB7), through the function
    if inputs:
        parts = [affine.input_gradient(P[m.U], grads[m.node]) for m in cell.maps if m.U]
        found["x"] = sum(parts[1:], start=parts[0])  # (RB9)
    return found


def _stacked(steps: list[Any]) -> dict[str, Any]:
    return {name: stack([step[name] for step in steps]) for name in steps[0]}


def _check(direction: Mapping[str, Array], variables: Mapping[str, Array]) -> None:
    check_mapping("direction", direction, "an array for each variable that moves by the name of its gradient")
    if unknown := [str(name) for name in direction if name not in variables]:
        raise ValueError(
            f"direction has {', '.join(unknown)}; the variables that may move are {', '.join(variables)}"
            f"{'' if 'x' in variables else ' (token ids do not)'}."
        )
    for name, array in direction.items():
        check_array(f"direction[{name!r}]", array)
        if array.shape != variables[name].shape:
            raise ValueError(
                f"direction[{name!r}] has the shape {array.shape}; expected that of the variable, "
                f"{variables[name].shape}."
            )
        check_numbers(f"direction[{name!r}]", array)
        if np.iscomplexobj(array) and not np.iscomplexobj(variables[name]):
            raise ValueError(f"direction[{name!r}] has the dtype {array.dtype}; expected real numbers, as {name} has.")
