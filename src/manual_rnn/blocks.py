"""Products of few rows with a matrix, in blocks of its columns.

OpenBLAS copies the operands of a product to places of its own before it multiplies, which pays where there are many
rows. Products of at most SMALL multiplications it does without, where the processor has AVX-512. A step has few rows,
so its product is cut to such sizes: blocks of columns, each contiguous, all in one call of ``np.matmul``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from manual_rnn.cell import Array

SMALL = 100**3
"""Of rows times columns times the terms of a sum: OpenBLAS' own bound, in its ``*_small_matrix_permit``."""
WIDTHS = (64, 32)
"""Columns of a block, the best first; with fewer the matrix's rows are read in too small pieces."""
CACHE = 2**15
"""Bytes of a block that stays in the first cache while all rows go by; wider ones are up to a quarter slower."""
FEW = 8
"""Rows of a step from which on its product by itself is quicker than one of all steps."""


def in_blocks(matrices: Array, B: int) -> Array:
    """Matrices (k, m, n) for products with B rows, each in p blocks: (k, p, m, n / p)."""
    k, m, n = matrices.shape
    width = _width(B, m, n, matrices.dtype)
    return np.ascontiguousarray(matrices.reshape(k, m, n // width, width).swapaxes(1, 2))


def of_each_step(rows: Array, matrix: Array) -> Array:
    """Rows (..., B, m) times a matrix (m, n): a step at a time where such products are quick, else all in one."""
    B, (m, n) = rows.shape[-2] if rows.ndim > 2 else 1, matrix.shape
    if B < FEW or not _small(B, m, _width(B, m, n, matrix.dtype), matrix.dtype):
        at_once: Array = rows.reshape(-1, m) @ np.ascontiguousarray(matrix)
        return at_once.reshape(*rows.shape[:-1], n)
    blocks = in_blocks(matrix[None], B)[0]
    product = np.empty((*rows.shape[:-1], n), np.result_type(rows, matrix))
    np.matmul(rows[..., None, :, :], blocks, out=columns(product, blocks))
    return product


def columns(out: Array, blocks: Array) -> Array:
    """Rows (..., B, n) seen as the columns of blocks, (..., p, B, n / p), for the result of a product."""
    p, width = blocks.shape[-3], blocks.shape[-1]
    return out.reshape(*out.shape[:-1], p, width).swapaxes(-3, -2)


def end_to_end(maps: Array) -> Array:
    """What maps (..., k, B, n) have, (..., 1, 1, k n) where they have one row: one product is made with all of it."""
    *lead, k, B, n = maps.shape
    return maps.reshape(*lead, 1, 1, k * n) if B == 1 else maps


def _width(B: int, m: int, n: int, dtype: np.dtype[Any]) -> int:
    """Columns of a block of matrices (m, n); all n where blocks are no quicker."""
    fit = [w for w in WIDTHS if n % w == 0 and _small(B, m, w, dtype)]
    return next((w for w in fit if m * w * dtype.itemsize <= CACHE), min(fit, default=n))


def _small(B: int, m: int, n: int, dtype: np.dtype[Any]) -> bool:
    return B > 1 and B * m * n <= SMALL and dtype.char in "fd" and _small_products_are_quick()


@cache
def _small_products_are_quick() -> bool:
    """Elsewhere each block is copied for on its own, which costs a tenth and more."""
    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {}).get("name", "")
    processor = built.get("SIMD Extensions", {})
    has = {*processor.get("baseline", ()), *processor.get("found", ())}
    return "openblas" in blas and bool(has & {"AVX512_SKX", "X86_V4"})
