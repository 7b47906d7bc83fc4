"""Whether a cell's forward step is analytic, found by watching which functions it calls."""

from __future__ import annotations

from typing import Any

import numpy as np

from manual_rnn.cell import Cell, Nodes

ANALYTIC = frozenset(
    [np.add, np.subtract, np.multiply, np.divide, np.matmul, np.negative, np.positive, np.reciprocal,
     np.square, np.sqrt, np.power, np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p,
     np.sin, np.cos, np.tan, np.arctan, np.sinh, np.cosh, np.tanh, np.arcsinh]
)  # fmt: skip
"""NumPy's functions with a derivative in the complex plane: no comparison, no ``abs``, no ``maximum``."""


def not_analytic(cell: Cell) -> list[str]:
    """The names of what a cell's forward step calls that is not analytic; none for an analytic cell.

    The code is watched, not the mathematics: a logistic function that is coded with a comparison is listed.
    What it cannot see: a function that is no ufunc and takes an array apart, such as ``.real``.
    """
    found: list[str] = []

    class Watched(np.ndarray[Any, Any]):
        def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
            if ufunc not in ANALYTIC and ufunc.__name__ not in found:
                found.append(ufunc.__name__)
            plain = [i.view(np.ndarray) if isinstance(i, Watched) else i for i in inputs]
            result = getattr(ufunc, method)(*plain, **options)
            return result.view(Watched) if isinstance(result, np.ndarray) else result

    some = np.linspace(0.25, 0.75, 3)[None].view(Watched)
    node = Nodes(**{m.node: some for m in cell.maps})
    prev = Nodes(**dict.fromkeys(cell.states, some))
    cell.forward(node, prev, lambda name, value: value)
    return found
