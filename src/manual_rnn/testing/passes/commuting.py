r"""Whether the Jacobians of the steps commute, so that a product of them in the wrong order of time is the same.

Going back from step t to step s multiplies $J(t) J(t-1) \cdots J(s+1)$, where $J(t) = \partial h(t) / \partial h(t-1)$
is diag(1 − h(t)²) W in the vanilla RNN. Code that multiplies them in the order in which they were made is right
wherever they commute: for one unit, for a diagonal W, for a multiple of the identity.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.bptt import go_back, unroll
from manual_rnn.cell import Array, Cell
from manual_rnn.tape import Tape
from manual_rnn.testing.families import build
from manual_rnn.testing.problem import Case, Sizes, Spec

ROUNDING = 1e-10
"""What two products may differ by, relative to the product of the factors' norms, and be the same."""


def jacobians(cell: Cell, case: Case, b: int) -> Array:
    """∂h(t)/∂h(t−1) of every step of one sequence, (T, n, n), for a cell with one state: each step gone back alone."""
    (state,) = cell.states
    x, n = case.for_oracle()["x"], case.spec.sizes.n_hidden
    tape, one, grads = Tape(len(x)), Tape(1), Tape(1)
    unroll(cell, case.params, x, case.initial, tape)
    # Every step n times, as so many sequences of one step, each with the gradient of another unit.
    alike = np.repeat(x[:, b], n, axis=0)[None]
    unroll(cell, case.params, alike, {state: np.repeat(tape.previous(state)[:, b], n, axis=0)}, one)
    each = np.tile(np.eye(n, dtype=x.dtype), (len(x), 1))[None]
    go_back(cell, case.params, alike, one, each, grads, inputs=False)
    return grads[f"{state}0"].reshape(len(x), n, n)


def order_shows(cell: Cell, case: Case) -> bool:
    """Whether some two steps of a sequence have Jacobians that do not commute."""
    with np.errstate(all="ignore"):
        return any(not _all_commute(jacobians(cell, case, b)) for b in range(case.spec.sizes.B))


def is_linear(cell: Cell) -> bool:
    """Whether every Jacobian is the same, in any case: then there is no order to get wrong."""
    case = build(cell, Spec("ordinary", Sizes(4, 2, 3, 5, 2), "float64", 0, 50))
    matrices = jacobians(cell, case, 0)
    return bool((matrices == matrices[0]).all())


def _all_commute(matrices: Array) -> bool:
    """Whether each commutes with a random sum of all: with probability one only where each does with each."""
    total = np.tensordot(np.random.default_rng(0).standard_normal(len(matrices)), matrices, axes=1)
    size = np.linalg.norm(matrices) * np.linalg.norm(total)
    return bool(np.abs(matrices @ total - total @ matrices).max() <= ROUNDING * size)
