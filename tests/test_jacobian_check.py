"""The cross-check of Jacobians agrees with autodiff for every cell, and sees a wrong one."""

import numpy as np
import pytest

from manual_rnn import cells, initialise
from manual_rnn.diagnostics import jacobian_cross_check
from reference import autodiff


def problem(name, T=7, B=2):
    rng = np.random.default_rng(0)
    cell = cells.get(name)
    params = initialise(cell, n_in=3, n_hidden=5, n_out=2, seed=rng)
    initial = {state: 0.5 * rng.standard_normal((B, 5)) for state in cell.states}
    return cell, params, rng.standard_normal((T, B, 3)), initial


@pytest.mark.parametrize("name", ["rnn", "rnn_orthogonal", "lstm", "gru"])
def test_agrees_where_both_are_right(name):
    cell, params, x, initial = problem(name)
    oracle = autodiff(name)
    assert jacobian_cross_check(cell, params, x, initial=initial, against=oracle) < 1e-7
    tokens = np.random.default_rng(1).integers(0, 3, (4, 2))
    assert jacobian_cross_check(cell, params, tokens, against=oracle) < 1e-7


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_sees_another_jacobian(name):
    cell, params, x, initial = problem(name)

    def wrong(problems):  # of W a little larger
        return autodiff(name)([p | {"params": {k: v * (1 + 1e-3 * (k[0] == "W")) for k, v in p["params"].items()}}
                               for p in problems])  # fmt: skip

    assert jacobian_cross_check(cell, params, x, initial=initial, against=wrong) > 1e-4
    kept = initial | {cell.states[-1]: initial[cell.states[-1]] + 0.01}
    elsewhere = jacobian_cross_check(
        cell, params, x, initial=initial, against=lambda problems: autodiff(name)([
            p | {"initial": {s: np.tile(kept[s][0], (len(rows), 1)) for s, rows in p["initial"].items()}}
            for p in problems
        ]),
    )  # fmt: skip
    assert elsewhere > 1e-4
