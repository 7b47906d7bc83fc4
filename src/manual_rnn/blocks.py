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


def in_blocks(matrices: Array, B: int) -> Array:
    """Matrices (k, m, n) for products with B rows, each in p blocks: (k, p, m, n / p)."""
    k, m, n = matrices.shape
    width = n
    if B > 1 and _small_products_are_quick() and matrices.dtype.char in "fd":
        width = next((w for w in WIDTHS if n % w == 0 and B * m * w <= SMALL), n)
    return np.ascontiguousarray(matrices.reshape(k, m, n // width, width).swapaxes(1, 2))


def columns(out: Array, blocks: Array) -> Array:
    """Rows (..., B, n) seen as the columns of blocks, (..., p, B, n / p), for the result of a product."""
    p, width = blocks.shape[-3], blocks.shape[-1]
    return out.reshape(*out.shape[:-1], p, width).swapaxes(-3, -2)


def end_to_end(maps: Array) -> Array:
    """What maps (..., k, B, n) have, (..., 1, 1, k n) where they have one row: one product is made with all of it."""
    *lead, k, B, n = maps.shape
    return maps.reshape(*lead, 1, 1, k * n) if B == 1 else maps


@cache
def _small_products_are_quick() -> bool:
    """Elsewhere each block is copied for on its own, which costs a tenth and more."""
    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {}).get("name", "")
    processor = built.get("SIMD Extensions", {})
    has = {*processor.get("baseline", ()), *processor.get("found", ())}
    return "openblas" in blas and bool(has & {"AVX512_SKX", "X86_V4"})
