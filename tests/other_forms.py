"""The same equations of the vanilla RNN in other right forms, and cells that break the rules of a cell."""

import dataclasses

import numpy as np

from manual_rnn import cells
from manual_rnn.cell import Cell

RNN = cells.get("rnn")
RELU = cells.get("rnn_relu")
IDENTITY = cells.get("rnn_identity")


def with_forward(formula, cell=RNN) -> Cell:
    """A cell with h = formula(a)."""
    return dataclasses.replace(cell, forward=lambda node, prev, tap: {"h": tap("h", formula(node.a))})


def with_backward(formula, cell=RNN) -> Cell:
    """A cell with ∇a = formula(node, grad)."""
    return dataclasses.replace(cell, backward=lambda node, prev, grad, tap: {"a": tap("a", formula(node, grad))})


def by_index(node, grad):
    result = np.zeros(grad.h.shape, grad.h.dtype)
    for i in range(result.shape[-1]):
        result[..., i] = grad.h[..., i] / np.cosh(node.a[..., i]) ** 2
    return result


def in_a_new_array(node, grad):
    derivative = 1 - node.h * node.h
    derivative *= grad.h
    return derivative


def by_exp_of_minus(a):
    e = np.exp(-2 * np.abs(a))
    return np.sign(a) * (1 - e) / (1 + e)


RIGHT_FORMS = {
    "1 − h²": with_backward(lambda node, grad: (1 - node.h**2) * grad.h),
    "(1 − h)(1 + h)": with_backward(lambda node, grad: (1 - node.h) * (1 + node.h) * grad.h),
    "(1 + h)(g − h g)": with_backward(lambda node, grad: (1 + node.h) * (grad.h - node.h * grad.h)),
    "−(h − 1)(h + 1) g": with_backward(lambda node, grad: -(node.h - 1) * (node.h + 1) * grad.h),
    "1 − h h": with_backward(lambda node, grad: (1 - node.h * node.h) * grad.h),
    "1 − square(h)": with_backward(lambda node, grad: (1 - np.square(node.h)) * grad.h),
    "g − h h g": with_backward(lambda node, grad: grad.h - node.h * node.h * grad.h),
    "g − h (h g)": with_backward(lambda node, grad: grad.h - node.h * (node.h * grad.h)),
    "1 − tanh² a": with_backward(lambda node, grad: (1 - np.tanh(node.a) ** 2) * grad.h),
    "g / cosh² a": with_backward(lambda node, grad: grad.h / np.cosh(node.a) ** 2),
    "1 / cosh² a · g": with_backward(lambda node, grad: 1 / np.cosh(node.a) ** 2 * grad.h),
    "4 / (e^a + e^−a)²": with_backward(lambda node, grad: 4 / (np.exp(node.a) + np.exp(-node.a)) ** 2 * grad.h),
    "by index": with_backward(by_index),
    "in a new array": with_backward(in_a_new_array),
    "clipped to [0, 1]": with_backward(lambda node, grad: np.clip(1 - node.h**2, 0, 1) * grad.h),
    "einsum": with_backward(lambda node, grad: np.einsum("...i,...i->...i", 1 - node.h**2, grad.h)),
    "a choice": with_backward(lambda node, grad: np.where(np.abs(node.h) < 1, (1 - node.h**2) * grad.h, 0)),
    "1 − 2 / (e^2a + 1)": with_forward(lambda a: 1 - 2 / (np.exp(2 * a) + 1)),
    "2 / (1 + e^−2a) − 1": with_forward(lambda a: 2 / (1 + np.exp(-2 * a)) - 1),
    "2 σ(2a) − 1 by expm1": with_forward(lambda a: -np.expm1(-2 * a) / (1 + np.exp(-2 * a))),
    "by e^−2|a|": with_forward(by_exp_of_minus),
    "sinh / cosh": with_forward(lambda a: np.sinh(a) / np.cosh(a)),
}

RIGHT_FORMS_OF_OTHERS = {
    "ReLU, maximum": with_forward(lambda a: np.maximum(a, 0), RELU),
    "ReLU, a (a > 0)": with_forward(lambda a: a * (a > 0), RELU),
    "ReLU, (a + |a|) / 2": with_forward(lambda a: (a + np.abs(a)) / 2, RELU),
    "ReLU, clip": with_forward(lambda a: np.clip(a, 0, None), RELU),
    "ReLU, g (h > 0)": with_backward(lambda node, grad: grad.h * (node.h > 0), RELU),
    "ReLU, heaviside": with_backward(lambda node, grad: np.heaviside(node.a, 0) * grad.h, RELU),
    "linear, 1 a": with_forward(lambda a: 1 * a, IDENTITY),
    "linear, 2 g / 2": with_backward(lambda node, grad: 2 * grad.h / 2, IDENTITY),
}
"""The same for the other cells."""


def writes_node_h(node, prev, grad, tap):
    node.h *= node.h
    return {"a": tap("a", (1 - node.h) * grad.h)}


def writes_grad_h(node, prev, grad, tap):
    grad.h *= 1 - node.h**2
    return {"a": tap("a", grad.h)}


def writes_prev_h(node, prev, grad, tap):
    prev.h[...] = 0
    return RNN.backward(node, prev, grad, tap)


def writes_a(node, prev, tap):
    np.tanh(node.a, out=node.a)
    return {"h": tap("h", node.a)}


WRITE_IN_PLACE = {
    "node.h": dataclasses.replace(RNN, backward=writes_node_h),
    "grad.h": dataclasses.replace(RNN, backward=writes_grad_h),
    "prev.h": dataclasses.replace(RNN, backward=writes_prev_h),
    "node.a": dataclasses.replace(RNN, forward=writes_a),
}
