"""Other ways through time: fused, sequence by sequence, forward in time, as one linear system, checkpointed, in JAX."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_rnn.cell import Array

Gradients = dict[str, Any]
Walk = Callable[..., Gradients]


def states(x: Array, h0: Array, U: Array, W: Array, b: Array, tanh: Callable[..., Array] = np.tanh) -> list[Array]:
    """h(0) … h(T)."""
    h = [h0]
    for row in x:
        h.append(tanh(row @ U.T + h[-1] @ W.T + b))
    return h


def step_by_step(slope: Callable[[Array, Array], Array], tanh: Callable[..., Array] = np.tanh) -> Walk:
    """The textbook's loop; ``slope(h, a)`` is a form of the derivative of tanh."""

    def walk(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
        h = states(x, h0, U, W, b, tanh)
        dx, dU, dW, db, carry = (np.zeros_like(v) for v in (x, U, W, b, h0))
        for t in reversed(range(len(x))):
            da = slope(h[t + 1], x[t] @ U.T + h[t] @ W.T + b) * (dh[t] + carry)
            dx[t], carry = da @ U, da @ W
            dU, dW, db = dU + da.T @ x[t], dW + da.T @ h[t], db + da.sum(axis=0)
        return {"x": dx, "h0": carry, "U": dU, "W": dW, "b": db}

    return walk


def fused(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
    """One matrix [W U b] for everything, one product a step, one product for all parameters at the end."""
    n = len(W)
    one = np.ones((len(h0), 1), x.dtype)
    all_at_once = np.hstack([W, U, b[:, None]])
    h, z = h0, []
    for row in x:
        z.append(np.hstack([h, row, one]))
        h = np.tanh(z[-1] @ all_at_once.T)
    after = [*(part[:, :n] for part in z[1:]), h]
    da, back = [], np.zeros_like(z[0])
    for above, now in zip(dh[::-1], after[::-1], strict=True):
        da.insert(0, (1 - now * now) * (above + back[:, :n]))
        back = da[0] @ all_at_once
    rows = np.concatenate(da)
    dW, dU, db = np.split(rows.T @ np.concatenate(z), [n, n + x.shape[2]], axis=1)
    return {"x": rows.reshape(*dh.shape) @ U, "h0": back[:, :n], "U": dU, "W": dW, "b": db[:, 0]}


def with_einsum(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
    h = np.stack(states(x, h0, U, W, b))
    da, carry = np.empty_like(dh), np.zeros_like(h0)
    for t in range(len(x) - 1, -1, -1):
        da[t] = np.einsum("bi,bi->bi", 1 - h[t + 1] ** 2, dh[t] + carry)
        carry = np.einsum("bi,ij->bj", da[t], W)
    dU, dW = np.einsum("tbi,tbj->ij", da, x), np.einsum("tbi,tbj->ij", da, h[:-1])
    return {"x": np.einsum("tbi,ij->tbj", da, U), "h0": carry, "U": dU, "W": dW, "b": np.einsum("tbi->i", da)}


def sequence_by_sequence(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
    """Vectors and outer products, each sequence by itself, and their sum at the end."""
    total = {"x": np.empty_like(x), "h0": np.empty_like(h0), "U": 0 * U, "W": 0 * W, "b": 0 * b}
    for k in reversed(range(len(h0))):
        h = [h0[k]]
        for row in x[:, k]:
            h.append(np.tanh(W @ h[-1] + U @ row + b))
        carry = np.zeros_like(b)
        for t in reversed(range(len(x))):
            da = np.diag(1 - h[t + 1] ** 2) @ (carry + dh[t, k])
            total["U"] += np.outer(da, x[t, k])
            total["W"] += np.outer(da, h[t])
            total["b"] += da
            total["x"][t, k], carry = U.T @ da, W.T @ da
        total["h0"][k] = carry
    return total


def forward_in_time(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
    """Real-time recurrent learning (Williams, Zipser 1989): no way back, ∂h(t)/∂everything is carried along."""
    (T, B, n_in), n = x.shape, len(W)
    widths = [n * n, n * n_in, n, n, T * n_in]  # W, U, b, h0, x
    found = np.zeros((B, sum(widths)), x.dtype)
    ends = np.cumsum(widths)
    for k in range(B):
        h, S = h0[k], np.zeros((n, ends[-1]), x.dtype)
        S[:, ends[2] : ends[3]] = np.eye(n)
        for t in range(T):
            direct = np.zeros_like(S)
            direct[:, : ends[0]] = np.kron(np.eye(n), h)
            direct[:, ends[0] : ends[1]] = np.kron(np.eye(n), x[t, k])
            direct[:, ends[1] : ends[2]] = np.eye(n)
            direct[:, ends[3] + t * n_in : ends[3] + (t + 1) * n_in] = U
            h = np.tanh(W @ h + U @ x[t, k] + b)
            S = (1 - h * h)[:, None] * (W @ S + direct)
            found[k] += dh[t, k] @ S
    dW, dU, db, dh0, dx = np.split(found, ends[:-1], axis=1)
    by_step = dx.reshape(B, T, n_in).swapaxes(0, 1)
    return {"x": by_step, "h0": dh0, "U": dU.sum(0).reshape(n, n_in), "W": dW.sum(0).reshape(n, n), "b": db.sum(0)}


def from_every_a(da: Array, h: Array, x: Array, U: Array, W: Array) -> Gradients:
    """What follows once ∇a(t) is known at every step."""
    dW, dU = (np.tensordot(da, v, axes=([0, 1], [0, 1])) for v in (h[:-1], x))
    return {"x": da @ U, "h0": da[0] @ W, "U": dU, "W": dW, "b": da.sum(axis=(0, 1))}


def by_jacobians(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
    """The chain rule as it is written: a product of Jacobians from every step's loss to every step before it."""
    h = np.stack(states(x, h0, U, W, b))
    J = (1 - h[1:] ** 2)[..., None] * W  # ∂h(t)/∂h(t−1), (T, B, n, n)
    dh_total = np.zeros_like(dh)
    for t in range(len(x)):
        reaching = dh[t]
        for s in range(t, -1, -1):
            dh_total[s] += reaching
            reaching = np.einsum("bi,bij->bj", reaching, J[s])
    return from_every_a((1 - h[1:] ** 2) * dh_total, h, x, U, W)


def one_linear_system(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
    """∇h(t) − Jᵀ ∇h(t+1) = dh(t) for all t at once, solved by elimination."""
    h = np.stack(states(x, h0, U, W, b))
    (T, B, n), slopes = dh.shape, 1 - h[1:] ** 2
    dh_total = np.empty_like(dh)
    for k in range(B):
        system = np.eye(T * n, dtype=x.dtype)
        for t in range(T - 1):
            system[t * n : (t + 1) * n, (t + 1) * n : (t + 2) * n] = -W.T * slopes[t + 1, k]
        dh_total[:, k] = np.linalg.solve(system, dh[:, k].ravel()).reshape(T, n)
    return from_every_a(slopes * dh_total, h, x, U, W)


def checkpointed(x: Array, h0: Array, U: Array, W: Array, b: Array, dh: Array) -> Gradients:
    """Only every fourth state is kept; the others are computed anew on the way back."""
    kept = {0: h0}
    for t, h in enumerate(states(x, h0, U, W, b)):
        if t % 4 == 0:
            kept[t] = h
    grads: Gradients = {"U": 0 * U, "W": 0 * W, "b": 0 * b, "h0": 0 * h0}
    pieces = []
    for start in sorted(kept, reverse=True):
        if start == len(x):
            continue
        rows, above = x[start : start + 4], dh[start : start + 4].copy()
        above[-1] += grads["h0"]
        part = step_by_step(lambda h, a: 1 - h * h)(rows, kept[start], U, W, b, above)
        pieces.insert(0, part.pop("x"))
        grads = {name: g + (grads[name] if name != "h0" else 0) for name, g in part.items()}
    return {"x": np.concatenate(pieces), **grads}


def in_jax(**arrays: Array) -> Gradients:
    """By ``jax.vjp`` of a scan: arrays of another library come back."""
    with jax.enable_x64(True):
        return dict(_compiled()(arrays))


@cache
def _compiled() -> Callable[..., Any]:
    def loss(free: Any, dh: Any) -> Any:
        def step(h: Any, row: Any) -> Any:
            h = jnp.tanh(jnp.concatenate([row, h], 1) @ jnp.concatenate([free["U"], free["W"]], 1).T + free["b"])
            return h, h

        return jnp.vdot(dh, jax.lax.scan(step, free["h0"], free["x"])[1])

    return jax.jit(lambda arrays: jax.grad(loss)({n: a for n, a in arrays.items() if n != "dh"}, arrays["dh"]))


WALKS: dict[str, Walk] = {
    "step by step": step_by_step(lambda h, a: 1 - h**2),
    "(1 − h)(1 + h)": step_by_step(lambda h, a: (1 - h) * (1 + h)),
    "1 / cosh² a": step_by_step(lambda h, a: 1 / np.cosh(a) ** 2),
    "tanh as sinh / cosh": step_by_step(lambda h, a: 1 - h**2, lambda a: np.sinh(a) / np.cosh(a)),
    "tanh by expm1": step_by_step(lambda h, a: 1 - h**2, lambda a: np.expm1(2 * a) / (np.expm1(2 * a) + 2)),
    "tanh as 2 σ(2a) − 1": step_by_step(lambda h, a: 1 - h**2, lambda a: 2 / (1 + np.exp(-2 * a)) - 1),
    "fused": fused,
    "einsum": with_einsum,
    "sequence by sequence": sequence_by_sequence,
    "forward in time": forward_in_time,
    "a product of Jacobians": by_jacobians,
    "one linear system": one_linear_system,
    "checkpointed": checkpointed,
    "in JAX": in_jax,
}
