r"""The singular values of a long product of matrices, all of them, in logarithms.

Multiplied out, a product A_K ⋯ A_1 keeps the singular values down to the format's digits below the largest, and the
others are rounding. (Of the hundredth power of a Gaussian matrix of 200 rows that is more than half of them: their
median is 1e-15 where the numbers of the product say 1e-13.) Taken apart after each factor, nothing is lost:

.. math::
    A_k \cdots A_1 = Q_k D_k T_k: \qquad A_{k+1} Q_k D_k P = Q_{k+1} R, \qquad D_{k+1} = |\operatorname{diag} R|, \qquad
    T_{k+1} = D_{k+1}^{-1} R P^\top T_k

with Q orthonormal, D diagonal and graded over any number of decades, kept as logarithms, P the pivoting of the QR
decomposition and T well-conditioned. The singular values of D T are then found by Jacobi rotations, which find those
of a well-conditioned matrix with scaled rows each to its own digits (LAPACK's gejsv).

Sources: Loh et al., Phys. Rev. B 41 (1990) 9301, for the decomposition; Demmel, Gu, Eisenstat, Slapničar, Veselić,
Drmač, Linear Algebra Appl. 299 (1999) 21; Drmač, Veselić, SIAM J. Matrix Anal. Appl. 29 (2008) 1322.

What it does not see: a direction that one factor shrinks by more than the format's digits. From there on it is noise,
and so is whatever is smaller: these are nan.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.theory.extras import scipy_or_sentence

WINDOW, OVERLAP = 500.0, 50.0
"""Nats: singular values are found within a window of them, by numbers that a float64 has, and taken where they are so
far from its ends that what lies beyond changes them by e^(−2 · 50) only."""
BLUR = 1e-3
"""A relative error above this is none to tell a singular value by."""


class Product:
    """A product of matrices (n, n) that grows by a factor at a time, from the identity."""

    def __init__(self, n: int, eps: float) -> None:
        """``eps`` is that of the numbers that the factors come in."""
        self.directions = np.eye(n)
        """Q (n, n): the next factor is to be applied to its columns."""
        self._sizes, self._rest, self._error, self._eps = np.zeros(n), np.eye(n), np.zeros(n), eps * n

    def grow(self, applied: Array) -> None:
        """Takes the next factor on: ``applied`` is that factor times ``directions``."""
        largest = float(np.abs(applied).max(initial=0.0)) or 1.0
        applied = np.asarray(applied, np.float64) / largest  # so that no square of 1e200 is needed
        length = np.linalg.norm(applied, axis=0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            order = np.argsort(-(self._sizes + np.log(length)), kind="stable")
            while True:  # until what depends on columns before it stands behind all others
                Q, R = np.linalg.qr(applied[:, order])
                own = np.diagonal(R)
                error = np.where(own == 0, np.inf, self._eps * length[order] / np.abs(own))
                lost = ~(error < BLUR)
                if (lost[1:] >= lost[:-1]).all():
                    break
                order = np.concatenate([order[~lost], order[lost]])
            before = self._sizes[order]
            unit = np.triu(R / own[:, None] * np.exp(before - before[:, None]))
            self._sizes, self._error = before + np.log(np.abs(own)) + np.log(largest), self._error[order] + error
        gone = ~(self._error < BLUR)
        unit[gone] = np.eye(len(own))[gone]
        self._rest = unit @ self._rest[order]
        self.directions = Q * np.where(own < 0, -1.0, 1.0)

    def log_singular_values(self) -> Array:
        """Natural, the largest first, (n,); nan where a factor has lost them, all -inf of a product that is zero."""
        n = len(self._sizes)
        if not self._sizes.max() > -np.inf:
            return np.full(n, -np.inf)
        order = np.argsort(-self._sizes, kind="stable")
        sizes, lost = self._sizes[order], ~(self._error[order] < BLUR)
        kept = int(np.argmax(lost)) if lost.any() else n
        triangle: Array = np.linalg.qr(self._rest[order[:kept]].T)[1]
        logs, first, done = np.full(n, np.nan), 0, 0
        while done < kept:
            last = int((sizes[:kept] >= sizes[first] - WINDOW).sum())
            far = kept if last == kept else int((sizes[:last] >= sizes[first] - WINDOW + OVERLAP).sum())
            block = triangle[first:last, first:last] * np.exp(sizes[first:last] - sizes[first])
            logs[done:far] = sizes[first] + _logs(block)[done - first : far - first]
            done = far
            if done < kept:
                first = int((sizes[:done] > sizes[done] + OVERLAP).sum())
        return logs


def _logs(graded: Array) -> Array:
    """log of the singular values of a matrix whose columns are scaled, each to its own digits."""
    values, _, _, work, _, info = scipy_or_sentence("linalg").lapack.dgejsv(
        graded, joba=0, jobu=3, jobv=3, jobr=0, jobt=0, jobp=0
    )
    if info:
        raise np.linalg.LinAlgError(f"LAPACK's gejsv has found no singular values: info is {info}.")
    logs: Array = np.sort(np.log(values))[::-1] + np.log(work[0] / work[1])
    return logs
