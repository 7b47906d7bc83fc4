r"""What a recurrent matrix alone says: its spectral radius, its norm, and how far from normal it is.

The spectral radius decides in the end, the largest singular value ‖W‖₂ at each step; they are equal for a normal
matrix. How far apart they can pull is the departure from normality (Henrici 1962),

.. math:: \frac{\sqrt{\lVert W \rVert_F^2 - \sum_i |\lambda_i|^2}}{\lVert W \rVert_F} \in [0, 1]

zero for a normal matrix (orthogonal, symmetric), one for a nilpotent one, through which a signal may grow for n steps
before it is gone (Ganguli, Huh, Sompolinsky 2008). What it does not see: the slopes φ′ that stand between two W.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.check import check_parameters, of_one_cell
from manual_rnn.diagnostics.labelled import xr


@of_one_cell
def recurrent_matrices(cell: Cell, params: Mapping[str, Array]) -> xr.Dataset:
    """``spectral_radius``, ``largest_singular_value``, ``smallest_singular_value`` and ``non_normality`` by ``matrix``.

    The matrices are those that a map takes of a state or of a node, the made ones among them. Raises ValueError where
    the parameters do not fit the cell.
    """
    check_parameters(cell, params)
    weights = {**params, **{w.name: w.forward(params[w.of]) for w in cell.weights}}
    names = [term.weight for m in cell.maps for term in m.terms if not term.diagonal]
    found = [_of(np.asarray(weights[name], np.float64)) for name in dict.fromkeys(names)]
    return xr.Dataset(
        {key: ("matrix", [of[key] for of in found]) for key in found[0]} if found else {},
        coords={"matrix": list(dict.fromkeys(names))},
        attrs={"diagnostic": "recurrent_matrices"},
    )


def _of(W: Array) -> dict[str, float]:
    eigenvalues, singular = np.abs(np.linalg.eigvals(W)), np.linalg.svd(W, compute_uv=False)
    scale = float(singular[0]) or 1.0  # a ratio of squares: of numbers at most about 1, they stay in the format
    frobenius = float(((singular / scale) ** 2).sum())
    beyond = max(frobenius - float(((eigenvalues / scale) ** 2).sum()), 0.0)
    return {
        "spectral_radius": float(eigenvalues.max()),
        "largest_singular_value": float(singular[0]),
        "smallest_singular_value": float(singular[-1]),
        "non_normality": float(np.sqrt(beyond / frobenius)) if frobenius else 0.0,
    }
