r"""What the compiled walk calls in its loops: functions that the compiler can run on many elements at once.

NumPy's own exp and tanh are such loops too, which a compiled loop cannot call, and the mathematical library's go one
element at a time. So here is their arithmetic (Cody, Waite, *Software Manual for the Elementary Functions*, 1980):

.. math::
    x = n \ln 2 + r, \quad |r| \le \tfrac12 \ln 2 \qquad e^x - 1 = 2^n (e^r - 1) + (2^n - 1) \qquad
    |\tanh x| = \frac{-q}{q + 2}, \quad q = e^{-2|x|} - 1

with :math:`e^r - 1` by its Taylor series, to r⁷ in float32 and r¹³ in float64. Both are within 3 units in the last
place of the truth (tests/test_compiled.py); NumPy's differ from the truth by as much, and elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import Any

import numpy as np
from numba import njit


def functions(dtype: type[np.floating[Any]]) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """exp and tanh of one format, float32 or float64, compiled."""
    short = dtype is np.float32
    whole: type[Any] = np.int32 if short else np.int64
    bits, excess, order = (23, 127, 7) if short else (52, 1023, 13)
    # ln 2 in two parts: the first has so few bits that n times it is exact.
    parts = (0.693359375, -2.12194440e-4) if short else (6.93147180369123816490e-01, 1.90821492927058770002e-10)
    # Beyond these, the exponential is 0 or infinite, and tanh one, in this format.
    ends = (-104, 89, 10) if short else (-746, 710, 20)
    numbers = (*parts, *ends, 1 / np.log(2), 1.5 * 2**bits, 1, 2)
    upper, lower, least, most, flat, log2_e, magic, one, two = map(dtype, numbers)
    of_magic, bias, digits = magic.view(whole), whole(excess), whole(bits)
    series = tuple(dtype(1 / factorial(k)) for k in range(order, 1, -1))

    @njit(fastmath={"contract"})
    def split(x):
        """n and e^r − 1."""
        shifted = x * log2_e + magic  # its last bits are the nearest whole number
        n = shifted - magic
        r = (x - n * upper) - n * lower
        q = series[0]
        for c in series[1:]:
            q = q * r + c
        return whole(dtype(shifted).view(whole) - of_magic), r + r * (r * q)

    @njit
    def power_of_two(n):
        return whole((n + bias) << digits).view(dtype)

    @njit(fastmath={"contract"})
    def exp(x):
        x = most if x > most else (least if x < least else x)
        n, p = split(x)
        half = whole(n >> whole(1))
        return (one + p) * power_of_two(half) * power_of_two(whole(n - half))

    @njit(fastmath={"contract"}, error_model="numpy")
    def tanh(x):
        size = abs(x)
        n, p = split(-two * (flat if size > flat else size))
        scale = power_of_two(n)
        q = scale * p + (scale - one)
        return np.copysign(q / (q + two), x)

    return exp, tanh


@njit
def sum_by_token(rows, at, tokens, total):
    """Adds row (k, i) of rows to row tokens[i] of total[k]; ``at`` has where rows begin and their strides."""
    for k in range(total.shape[0]):
        for i in range(len(tokens)):
            out, first = total[k, tokens[i]], at[0] + np.uint64(k) * at[1] + np.uint64(i) * at[2]
            for j in range(len(out)):
                out[j] += rows[first + np.uint64(j)]


@njit
def block_product(rows, r, matrix, w, out, o, stride, B, m, n):
    """The product of B rows of m with a matrix (m, n), by BLAS; the rows of the result are ``stride`` apart."""
    i, k = np.intp(r), np.intp(w)
    B, m, n = np.intp(B), np.intp(m), np.intp(n)
    found = np.dot(rows[i : i + B * m].reshape(B, m), matrix[k : k + m * n].reshape(m, n))
    for b in range(B):
        start = o + np.uint64(b) * stride
        for j in range(n):
            out[start + np.uint64(j)] = found[b, j]


@njit(fastmath={"contract"})
def row_product(rows, r, matrix, w, out, o, m, n):
    """out[o + j] = Σᵢ rows[r + i] matrix[w + i n + j], for one row of m; eight of the matrix's rows at a time."""
    one, eight = np.uint64(1), np.uint64(8)
    for j in range(n):
        out[o + j] = 0
    whole = m - m % eight
    for block in range(m // eight):
        i = block * eight
        a = r + i
        h0, h1, h2, h3 = rows[a], rows[a + one], rows[a + np.uint64(2)], rows[a + np.uint64(3)]
        h4, h5, h6, h7 = (
            rows[a + np.uint64(4)], rows[a + np.uint64(5)], rows[a + np.uint64(6)], rows[a + np.uint64(7)],
        )  # fmt: skip
        w0 = w + i * n
        w1, w2, w3 = w0 + n, w0 + np.uint64(2) * n, w0 + np.uint64(3) * n
        w4, w5, w6, w7 = w3 + n, w3 + np.uint64(2) * n, w3 + np.uint64(3) * n, w3 + np.uint64(4) * n
        for j in range(n):
            out[o + j] += (
                ((h0 * matrix[w0 + j] + h1 * matrix[w1 + j]) + (h2 * matrix[w2 + j] + h3 * matrix[w3 + j]))
                + ((h4 * matrix[w4 + j] + h5 * matrix[w5 + j]) + (h6 * matrix[w6 + j] + h7 * matrix[w7 + j]))
            )  # fmt: skip
    for i in range(whole, m):
        h, w0 = rows[r + i], w + i * n
        for j in range(n):
            out[o + j] += h * matrix[w0 + j]
