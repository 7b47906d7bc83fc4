"""A program of steps as one compiled function, in place of a call of NumPy's for each of its calls: the extra "fast".

The program (:mod:`manual_rnn.program`) is written out as Python source (:mod:`manual_rnn.source`), and numba compiles
that. The source holds no size, so a cell is compiled once for each dtype, and kept in the user's cache folder.

Sums, products and quotients by element are NumPy's to the last bit. exp, tanh and matrix products are not
(:mod:`manual_rnn.kernels`), so a pass agrees with NumPy's within rounding; tests/test_compiled.py holds them together.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.expression import Unreadable
from manual_rnn.program import Between, Program, Rows
from manual_rnn.source import NUMBERS, Writer
from manual_rnn.walk import Walk


def needed() -> None:
    """Loads numba and the BLAS that it calls. Raises ModuleNotFoundError, with what to install, if one is missing."""
    try:
        import numba  # noqa: F401
        import scipy.linalg.cython_blas  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'A compiled pass needs {error.name}, which is not installed; it comes with: '
            'pip install "manual-rnn[fast]".',
            name=error.name,
        ) from None


def run(walk: Walk, T: int, *, backwards: bool) -> bool:
    """All calls of all steps; False, and nothing is done, where the program has no compiled form."""
    from numba.core.errors import NumbaError

    if walk.compiled is False:
        return False
    try:
        if walk.compiled is None:
            walk.compiled = Compiled(walk.program)
        walk.compiled.run(T, backwards=backwards)
    except (Unreadable, NumbaError):
        walk.compiled = False
        return False
    return True


def sum_by_token(grad_a: Array, x: Array, n: int) -> Array:
    """∇U of several maps, (k, n_hidden, n): :func:`manual_rnn.affine.weight_gradients` of token ids x (T, B)."""
    from manual_rnn import kernels

    k, T, B, n_hidden = grad_a.shape
    rows = grad_a.reshape(k, T * B, n_hidden)
    flat, (offset, *_, of_map, of_row, _) = _located(rows, _root(rows), rows=False)
    total = np.zeros((k, n, n_hidden), grad_a.dtype)
    tokens = x.ravel().astype(np.intp, copy=False)  # else it is compiled once for each dtype of ids
    kernels.sum_by_token(flat, np.array([offset, of_map, of_row], np.uint64), tokens, total)
    return total.swapaxes(-1, -2)


class Compiled:
    """The compiled form of a program. Raises Unreadable where it has none: NumPy's calls are to be taken."""

    def __init__(self, program: Program) -> None:
        if program.dtype.char not in "fd":
            raise Unreadable(f"{program.dtype} has no compiled form")
        writer = Writer(program)
        self._places = writer.places
        self._operands, self._written = list(writer.index), writer.written
        self._function = _function(writer.source(), program.dtype.char)
        sizes = [*program.shape, *writer.sizes]
        self._at = np.zeros(len(sizes) + len(NUMBERS) * len(self._operands), np.int64)
        self._at[: len(sizes)] = sizes
        self._rows = self._at[len(sizes) :].reshape(-1, len(NUMBERS))
        self._arrays: list[Array | None] = [None] * len(self._operands)
        self._flat: list[Array] = [self._at] * len(self._operands)

    def run(self, T: int, *, backwards: bool) -> None:
        """All calls of all steps, from the last to the first where ``backwards``."""
        for i, operand in enumerate(self._operands):
            array = self._places[operand] if isinstance(operand, Between) else operand.array
            if array is not self._arrays[i]:
                root = _root(array)
                if root.flags.c_contiguous and root.dtype == array.dtype:
                    self._arrays[i] = array
                elif operand in self._written:
                    raise Unreadable("a result in memory of another kind")
                else:
                    root = array = np.ascontiguousarray(array)
                    self._arrays[i] = None  # the copy is of this pass only
                self._flat[i], self._rows[i] = _located(array, root, isinstance(operand, Rows))
        self._function(np.uint64(T), backwards, self._at.view(np.uint64), *self._flat)


def _root(array: Array) -> Array:
    """The array that has the memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _located(array: Array, root: Array, rows: bool) -> tuple[Array, tuple[int, ...]]:
    """The memory that an array is part of, end to end, and where in it the array is."""
    size = array.itemsize
    at, start = (0, 0) if array is root else (a.__array_interface__["data"][0] for a in (array, root))
    offset = (at - start) // size
    strides = [0 if n == 1 else stride // size for n, stride in zip(array.shape, array.strides, strict=True)]
    length, step, of_step = (array.shape[0], strides[0], strides[1:]) if rows else (1, 0, strides)
    padded = [0] * (4 - len(of_step)) + of_step
    return root.reshape(-1), (offset, length, step, *padded)


@cache
def _function(source: str, dtype: str) -> Callable[..., None]:
    """The compiled function of a source, kept on the disk where that is possible."""
    import numba

    from manual_rnn import kernels

    real = np.dtype(dtype).type
    exp, tanh = kernels.functions(real)
    names = {
        "__name__": __name__, "np": np, "real": real, "exp": exp, "tanh": tanh, "ONE": np.uint64(1),
        "row_product": kernels.row_product, "block_product": kernels.block_product,
    }  # fmt: skip
    file = _kept(source, dtype)
    exec(compile(source, str(file or "<a compiled pass>"), "exec"), names)
    compiled: Callable[..., None] = numba.njit(error_model="numpy", cache=file is not None)(names["steps"])
    return compiled


def _kept(source: str, dtype: str) -> Path | None:
    """A file with the source, beside which numba keeps what it has made of it; None where nothing can be written."""
    from manual_rnn import kernels
    from manual_rnn.cache_folder import cache_folder
    from manual_rnn.files import write_whole

    told = source + dtype + Path(kernels.__file__).read_text(encoding="utf-8")
    file = cache_folder().parent / "compiled" / f"{sha256(told.encode()).hexdigest()[:16]}.py"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_file() or file.read_text(encoding="utf-8") != source:
            write_whole(file, source.encode())
    except OSError:
        return None
    return file
