r"""The affine map, derived once for all cells and for the readout.

.. math::
    a = W h + U x + b

    \nabla h = W^\top \nabla a \qquad \nabla x = U^\top \nabla a

    \nabla W = \sum_t \nabla a(t)\, h(t-1)^\top \qquad \nabla U = \sum_t \nabla a(t)\, x(t)^\top \qquad
    \nabla b = \sum_t \nabla a(t)

Arrays are rows: ``h @ W.T`` is W h for every row at once. Where the sum runs over time and batch, both are laid
end to end and the sum is one matrix product. A token is the index of the one that a one-hot x would hold: U x is
then a column of U, and x's row of ∇U receives ∇a.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array


def is_tokens(x: Array) -> bool:
    """Whether x holds integer ids of shape (T, B) rather than dense rows of shape (T, B, n_in)."""
    return x.dtype.kind in "iu"


def forward(W: Array, b: Array, x: Array) -> Array:
    """W x + b for each row of x (..., n), or for each token id in x (...,); returns (..., m)."""
    if is_tokens(x):
        return np.ascontiguousarray(W.T)[x] + b
    a = x.reshape(-1, x.shape[-1]) @ W.T
    a += b
    return a.reshape(*x.shape[:-1], len(W))


def input_gradient(W: Array, grad_a: Array) -> Array:
    """∇x = Wᵀ ∇a for each row of grad_a (..., m); returns (..., n)."""
    grad_x = grad_a.reshape(-1, grad_a.shape[-1]) @ W
    return grad_x.reshape(*grad_a.shape[:-1], W.shape[1])


def weight_gradient(grad_a: Array, x: Array, n: int) -> Array:
    """∇W = Σ ∇a xᵀ over all rows, grad_a (..., m) and x (..., n) or token ids (...,); returns (m, n)."""
    if is_tokens(x):
        of_one: Array = weight_gradients(grad_a[None], x, n)[0]
        return of_one
    rows = grad_a.reshape(-1, grad_a.shape[-1])
    return rows.T @ x.reshape(-1, n)


def weight_gradients(grad_a: Array, x: Array, n: int) -> Array:
    """Those of several maps, grad_a (k, ..., m); returns (k, m, n)."""
    if is_tokens(x):
        by_token = _sum_by_token(grad_a.reshape(len(grad_a), -1, grad_a.shape[-1]), x.ravel(), n)
        return by_token.swapaxes(-1, -2)
    return np.stack([weight_gradient(of_map, x, n) for of_map in grad_a])


def bias_gradient(grad_a: Array) -> Array:
    """∇b = Σ ∇a over all rows of grad_a (..., m); returns (m,)."""
    rows = grad_a.reshape(-1, grad_a.shape[-1])
    total: Array = np.ones(len(rows), rows.dtype) @ rows  # twice as quick as the method sum
    return total


def product(weight: Array, rows: Array, *, diagonal: bool = False) -> Array:
    """W v for each row v of rows (..., n); with a diagonal, by element with the vector of it."""
    return rows * weight if diagonal else rows @ weight.T


def product_input_gradient(weight: Array, grad_a: Array, *, diagonal: bool = False) -> Array:
    """Wᵀ ∇a for each row of grad_a (..., n)."""
    return grad_a * weight if diagonal else grad_a @ weight


def product_weight_gradient(grad_a: Array, rows: Array, *, diagonal: bool = False) -> Array:
    """Σ ∇a vᵀ over all rows v; with a diagonal, of the elements that stand on it: Σ ∇a ∘ v."""
    return bias_gradient(grad_a * rows) if diagonal else weight_gradient(grad_a, rows, rows.shape[-1])


def _sum_by_token(rows: Array, tokens: Array, n: int) -> Array:
    """Of rows (k, T B, m): row j of the result (k, n, m) is the sum of the rows whose token is j; costs no one-hot."""
    short = tokens.astype(np.uint16) if n < 2**16 else tokens  # which NumPy sorts by radix, ten times as quick
    order, counts = np.argsort(short, kind="stable"), np.bincount(tokens, minlength=n)
    total, ones = np.zeros((len(rows), n, rows.shape[-1]), rows.dtype), np.ones(counts.max(), rows.dtype)
    there = np.flatnonzero(counts)
    spans = [(token, order[stop - count : stop], ones[:count])
             for token, stop, count in zip(there, counts.cumsum()[there], counts[there], strict=True)]  # fmt: skip
    # A token of a map at a time: its rows fit in the cache, where np.add.reduceat over all of them takes ten times
    # as long; a product with ones is three times as quick as the sum.
    for of_map, total_of_map in zip(rows, total, strict=True):
        for token, mine, weights in spans:
            np.dot(weights, of_map.take(mine, axis=0), out=total_of_map[token])
    return total
