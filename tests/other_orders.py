"""The whole pass with taps as another person may write it: W and U in one matrix, and the sums in any order."""

import numpy as np

from manual_rnn import bptt


def from_the_right(A, B):
    """A @ B with the terms of each sum in the opposite order."""
    return np.ascontiguousarray(A[..., ::-1]) @ np.ascontiguousarray(B[::-1])


def in_two_halves(A, B):
    middle = len(B) // 2
    return A[..., middle:] @ B[middle:] + A[..., :middle] @ B[:middle]


def term_by_term(A, B):
    total = np.zeros((*A.shape[:-1], B.shape[1]), A.dtype)
    for k in range(len(B)):
        total = total + A[..., k, None] * B[k]
    return total


def in_a_wider_format(A, B):
    return (A.astype(np.longdouble) @ B.astype(np.longdouble)).astype(A.dtype)


def fused(product):
    """A pass for ``manual=``; ``product`` is A @ B in another form."""

    def manual(cell, params, x, y, weights, initial, *, inputs, tape, grads):
        p, T = params, len(x)
        x = np.eye(p["U"].shape[1], dtype=p["U"].dtype)[x] if x.ndim == 2 else x
        WU = np.concatenate([p["W"], p["U"]], axis=1)
        tape.reserve_state("h", initial["h"], p["W"].dtype)
        for t in range(T):
            tape.t = t
            prev = bptt.Nodes(h=tape.previous("h")[t])
            a = tape.tap("a", product(np.concatenate([prev.h, x[t]], axis=1), WU.T) + p["b"])
            cell.forward(bptt.Nodes(a=a), prev, tape.tap)
        o = tape.tap_all("o", p["c"] + product(tape["h"], p["V"].T))
        top = o.max(axis=-1, keepdims=True)
        total = np.exp(o - top).sum(axis=-1, keepdims=True)
        one_hot = np.eye(o.shape[-1], dtype=o.dtype)[y]
        tape.tap_all("loss", -weights * ((o - top - np.log(total)) * one_hot).sum(axis=-1))
        grad_o = grads.tap_all("o", weights[..., None] * (np.exp(o - top) / total - one_hot))
        from_above = np.zeros_like(initial["h"])
        for t in reversed(range(T)):
            grads.t = t
            grad = bptt.Nodes(h=grads.tap("h", product(grad_o[t], p["V"]) + from_above))
            node, prev = bptt.Nodes(a=tape["a"][t], h=tape["h"][t]), bptt.Nodes(h=tape.previous("h")[t])
            from_above = product(cell.backward(node, prev, grad, grads.tap)["a"], p["W"])
        ahead, before = grads["a"], tape.previous("h")
        for name, left, right in (("V", grad_o, tape["h"]), ("W", ahead, before), ("U", ahead, x)):
            grads.tap_all(name, sum(product(left[t].T, right[t]) for t in range(T)))
        for name, each in (("c", grad_o), ("b", ahead)):
            grads.tap_all(name, sum(each[t].sum(axis=0) for t in reversed(range(T))))
        grads.tap_all("x", product(ahead, p["U"]))
        grads.tap_all("h0", from_above)

    return manual


FUSED = {
    "from the right": fused(from_the_right),
    "in two halves": fused(in_two_halves),
    "term by term": fused(term_by_term),
    "einsum": fused(lambda A, B: np.einsum("...i,ij->...j", A, B)),
    "in a wider format": fused(in_a_wider_format),
}
