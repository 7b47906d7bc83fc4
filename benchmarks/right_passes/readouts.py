"""Passes with a readout and a loss of their own: forms of softmax, of its gradient, and of the loss of some steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from manual_rnn.cell import Array
from right_passes.walks import WALKS, Gradients, Walk, states

Probabilities = Callable[[Array], Array]
"""Softmax over the last axis."""


def unshifted(o: Array) -> Array:
    return np.asarray(np.exp(o) / np.exp(o).sum(axis=-1, keepdims=True))


def shifted(o: Array) -> Array:
    return unshifted(o - o.max(axis=-1, keepdims=True))


def by_logarithms(o: Array) -> Array:
    return np.asarray(np.exp(o - np.logaddexp.reduce(o, axis=-1, keepdims=True)))


def one_by_one(o: Array) -> Array:
    """ŷ_k = 1 / Σ_j exp(o_j − o_k)."""
    return np.asarray(1 / np.exp(o[..., None, :] - o[..., :, None]).sum(axis=-1))


def with_readout(probabilities: Probabilities, loss: str, walk: Walk = WALKS["step by step"]) -> Walk:
    """∇o = w (ŷ − 1_y), handed on through V to the walk."""

    def backward(
        x: Array, y: Array, h0: Array, U: Array, W: Array, b: Array, V: Array, c: Array
    ) -> Gradients:
        h = np.stack(states(x, h0, U, W, b)[1:])
        do = probabilities(h @ V.T + c) - np.eye(len(c))[y]
        do[:-1] *= loss != "last"
        do /= y.size if loss == "mean" else 1
        grads = walk(x, h0, U, W, b, do @ V)
        return {**grads, "V": np.einsum("tbi,tbj->ij", do, h), "c": do.sum(axis=(1, 0))}

    return backward


def last_step_only(x: Array, y: Array, h0: Array, U: Array, W: Array, b: Array, V: Array, c: Array) -> Gradients:
    """The readout stands at the last step and nowhere else."""
    h = states(x, h0, U, W, b)
    do = shifted(h[-1] @ V.T + c)
    do[np.arange(len(do)), y[-1]] -= 1
    carry, da = do @ V, []
    for now in h[:0:-1]:
        da.insert(0, carry * (1 - now) * (1 + now))
        carry = da[0] @ W
    rows = np.stack(da)
    dU, dW = (np.tensordot(rows, v, axes=([0, 1], [0, 1])) for v in (x, np.stack(h[:-1])))
    return {"x": rows @ U, "h0": carry, "U": dU, "W": dW, "b": rows.sum((0, 1)), "V": do.T @ h[-1], "c": do.sum(0)}


FORMS = {"shifted": shifted, "unshifted": unshifted, "by logarithms": by_logarithms, "one by one": one_by_one}
PASSES: dict[str, tuple[Walk, str]] = {
    f"softmax {form}, {loss}": (with_readout(probabilities, loss), loss)
    for form, probabilities in FORMS.items()
    for loss in ("every", "last", "mean")
} | {
    "a readout at the last step only": (last_step_only, "last"),
    "softmax, then fused": (with_readout(shifted, "every", WALKS["fused"]), "every"),
    "softmax, then forward in time": (with_readout(shifted, "every", WALKS["forward in time"]), "every"),
}
