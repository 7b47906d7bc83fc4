"""Strangers' code as it is: other layouts, names, conventions, cells, oracles, and a truncation that is declared."""

from __future__ import annotations

import types
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

import strangers
from manual_rnn.cell import Array
from manual_rnn.testing import Layout, complex_step
from reference import autodiff, autodiff_of
from right_passes.walks import Gradients, states, step_by_step

CS231N = Layout(axes="BT", transposed=True, names={"Wx": "U", "Wh": "W"})
MIN_CHAR_RNN = Layout(
    axes="columns", tokens=True,
    names={"inputs": "x", "targets": "y", "hprev": "h0", "Wxh": "U", "Whh": "W", "Why": "V", "bh": "b", "by": "c"},
)  # fmt: skip
OF_NN_RNN = Layout(names={"w_ih": "U", "w_hh": "W", "b_ih": "b", "b_hh": "b"})
LSTM = Layout(
    axes="BT",
    shapes={"Wx": ("n_in", "4 n_hidden"), "Wh": ("n_hidden", "4 n_hidden"), "b": ("4 n_hidden",),
            "c0": ("B", "n_hidden")},
)  # fmt: skip


def cs231n(*, dh: Array, **arrays: Array) -> Gradients:
    _, caches = strangers.rnn_forward(**arrays)
    return dict(zip(("x", "h0", "Wx", "Wh", "b"), strangers.rnn_backward(dh, caches), strict=True))


def cs231n_transposed(**arrays: Array) -> Gradients:
    """The gradients of the matrices as (n_hidden, n): another convention than that of the weights."""
    return {name: g.T if name in ("Wx", "Wh") else g for name, g in cs231n(**arrays).items()}


def cs231n_averaged(**arrays: Array) -> Gradients:
    """Every gradient averaged over the batch."""
    return {name: g / len(arrays["x"]) for name, g in cs231n(**arrays).items()}


def min_char_rnn(*, inputs: Array, targets: Array, hprev: Array, **weights: Array) -> Gradients:
    """Karpathy's globals, without the clipping."""
    module = types.ModuleType("min_char_rnn")
    exec(strangers.MIN_CHAR_RNN.replace("np.clip(dparam, -5, 5, out=dparam)", "pass"), vars(module))
    vars(module).update(weights, vocab_size=weights["Wxh"].shape[1])
    _, *grads, _ = module.lossFun(inputs, targets, hprev)
    return dict(zip(("Wxh", "Whh", "Why", "bh", "by"), grads, strict=True))


def of_nn_rnn(*, x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, dh: Array) -> Gradients:
    """PyTorch's names, and its two biases."""
    found = step_by_step(lambda h, a: 1 - h * h)(x, h0, w_ih, w_hh, b_ih + b_hh, dh)
    names = {"x": "x", "h0": "h0", "w_ih": "U", "w_hh": "W", "b_ih": "b", "b_hh": "b"}
    return {name: found[ours] for name, ours in names.items()}


def without_batch(*, x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
    """One sequence: vectors and outer products."""
    h, da, carry = [h0], np.empty_like(dh), np.zeros_like(h0)
    for row in x:
        h.append(np.tanh(np.dot(U, row) + np.dot(W, h[-1]) + b))
    for t in range(len(x) - 1, -1, -1):
        da[t] = (carry + dh[t]) * (1 - h[t + 1] ** 2)
        carry = np.dot(da[t], W)
    dU, dW = (np.sum([np.outer(d, v) for d, v in zip(da, vs, strict=True)], axis=0) for vs in (x, h[:-1]))
    return {"x": np.dot(da, U), "h0": carry, "U": dU, "W": dW, "b": np.sum(da, axis=0)}


def from_zeros(*, x: Array, U: Array, W: Array, dh: Array) -> Gradients:
    """Neither an initial state nor a bias."""
    n = len(W)
    found = step_by_step(lambda h, a: 1 - h * h)(x, np.zeros((x.shape[1], n)), U, W, np.zeros(n), dh)
    return {name: found[name] for name in ("x", "U", "W")}


def by_tokens(*, x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
    """Token ids: columns of U are taken, and rows of ∇Uᵀ added to."""
    found = step_by_step(lambda h, a: 1 - h * h)(np.eye(U.shape[1])[x], h0, U, W, b, dh)
    dU_T = np.zeros_like(U.T)
    h = np.stack(states(np.eye(U.shape[1])[x], h0, U, W, b))
    carry = np.zeros_like(h0)
    for t in reversed(range(len(x))):
        da = (1 - h[t + 1] ** 2) * (dh[t] + carry)
        np.add.at(dU_T, x[t], da)
        carry = da @ W
    return {"h0": carry, "U": dU_T.T, "W": found["W"], "b": found["b"]}


def relu(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
    return step_by_step(lambda h, a: np.heaviside(a, 0.0), lambda a: a * (a > 0))(x, h0, U, W, b, dh)


def identity(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
    """∇h by powers of W, each from scratch."""
    h = np.stack(states(x, h0, U, W, b, lambda a: a))
    powers = [np.linalg.matrix_power(W, k) for k in range(len(x) + 1)]
    da = np.stack([sum(dh[s] @ powers[s - t] for s in reversed(range(t, len(x)))) for t in range(len(x))])
    dU, dW = (np.tensordot(da, v, axes=([0, 1], [0, 1])) for v in (x, h[:-1]))
    return {"x": da @ U, "h0": da[0] @ W, "U": dU, "W": dW, "b": da.sum((0, 1))}


def truncated(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array, *, k: int) -> Gradients:
    """BPTT(k) by its definition: each step's loss is carried back over k steps, by itself."""
    h = states(x, h0, U, W, b)
    da, dh0 = np.zeros_like(dh), np.zeros_like(h0)
    for t in range(len(x)):
        reaching = dh[t]
        for s in range(t, max(t - k, -1), -1):
            part = (1 - h[s + 1] ** 2) * reaching
            da[s] += part
            reaching = part @ W
            if s == 0:
                dh0 += reaching
    dU, dW = (np.tensordot(da, v, axes=([0, 1], [0, 1])) for v in (x, np.stack(h[:-1])))
    return {"x": da @ U, "h0": dh0, "U": dU, "W": dW, "b": da.sum((0, 1))}


def lstm(*, dh: Array, **arrays: Array) -> Gradients:
    return dict(zip(("x", "h0", "c0", "Wx", "Wh", "b"), strangers.lstm_backward(dh, **arrays), strict=True))


def in_jax(x: Any, h0: Any, Wx: Any, Wh: Any, b: Any) -> Any:
    """A forward pass in JAX, for an oracle."""
    h = [h0]
    for t in range(x.shape[1]):
        h.append(jnp.tanh(x[:, t] @ Wx + h[-1] @ Wh + b))
    return jnp.stack(h[1:], axis=1)


OURS = {"against": autodiff("rnn"), "loss": "random"}
PASSES: dict[str, dict[str, Any]] = {
    "CS231n": {**OURS, "backward": cs231n, "layout": CS231N},
    "CS231n, float32": {**OURS, "backward": cs231n, "layout": CS231N, "dtype": "float32"},
    "CS231n, some outputs": {**OURS, "backward": cs231n, "layout": CS231N, "loss": "some"},
    "CS231n against a forward in JAX": {**OURS, "backward": cs231n, "layout": CS231N, "against": autodiff_of(in_jax)},
    "CS231n against its own forward": {
        **OURS, "backward": cs231n, "layout": CS231N, "against": complex_step(strangers.rnn_forward)
    },
    "matrices transposed, not declared": {**OURS, "backward": cs231n_transposed, "layout": CS231N},
    "averaged over the batch, not declared": {**OURS, "backward": cs231n_averaged, "layout": CS231N},
    "min-char-rnn": {"against": autodiff("rnn"), "backward": min_char_rnn, "layout": MIN_CHAR_RNN},
    "two biases": {**OURS, "backward": of_nn_rnn, "layout": OF_NN_RNN},
    "no batch axis": {**OURS, "backward": without_batch, "layout": Layout(axes="T")},
    "from zeros, no bias": {**OURS, "backward": from_zeros, "layout": Layout(without=("h0", "b"))},
    "tokens": {**OURS, "backward": by_tokens, "layout": Layout(tokens=True)},
    "ReLU": {**OURS, "backward": relu, "against": autodiff("rnn_relu")},
    "linear": {**OURS, "backward": identity, "against": autodiff("rnn_identity")},
    "truncated to 3 steps": {**OURS, "backward": partial(truncated, k=3), "truncation": 3},
    "LSTM against its own forward": {
        **OURS, "backward": lstm, "layout": LSTM, "against": complex_step(strangers.lstm_forward)
    },
}  # fmt: skip
