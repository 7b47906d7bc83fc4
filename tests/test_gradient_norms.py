"""Norms by step and lag: exact for the linear network, in log space, with zeros and underflow said plainly."""

import numpy as np
import pytest

from manual_rnn import cells, diagnostics, initialise, loss_and_gradients, losses
from manual_rnn.diagnostics import gradient_norms
from manual_rnn.diagnostics.states import log_norm


def problem(cell, *, T=12, B=3, n=5, gain=1.0, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    params = initialise(cell, n_in=2, n_hidden=n, n_out=4, gain=gain, seed=rng, dtype=dtype)
    return params, rng.standard_normal((T, B, 2)).astype(dtype), rng.integers(0, 4, (T, B))


def test_the_linear_network_is_exact():
    """∇h(T − k) = (Wᵀ)ᵏ ∇h(T), for the loss of the last step."""
    cell = cells.get("rnn_identity")
    params, x, y = problem(cell)
    norms = gradient_norms(cell, params, x, y, reduction="last")
    last = loss_and_gradients(cell, params, x, y, reduction="last").node_gradients["h"][-1]
    for lag in range(13):
        power = np.linalg.matrix_power(params["W"].T, lag)
        expected = np.linalg.norm(power @ last.T, axis=0)
        np.testing.assert_allclose(np.exp(norms.by_lag[lag]), expected, rtol=1e-13)


@pytest.mark.parametrize("name", cells.names())
@pytest.mark.parametrize("reduction", ["sum", "mean", "last"])
def test_every_cell_and_reduction(name, reduction):
    cell = cells.get(name)
    params, x, y = problem(cell)
    result = loss_and_gradients(cell, params, x, y, reduction=reduction)
    for state in cell.states:
        norms = gradient_norms(cell, params, x, y, reduction=reduction, state=state)
        assert norms.attrs["state"] == state
        assert dict(norms.sizes) == {"step": 13, "sequence": 3, "lag": 13}
        plain = np.linalg.norm(result.node_gradients[cell.full(state)], axis=-1)
        np.testing.assert_allclose(np.exp(norms.log_norm[1:]), plain, rtol=1e-13)
        np.testing.assert_allclose(np.exp(norms.log_norm[0]), np.linalg.norm(result.gradients[f"{state}0"], axis=-1))
        np.testing.assert_array_equal(norms.by_lag, norms.log_norm[::-1])
        np.testing.assert_array_equal(norms.by_lag.sel(lag=12), norms.log_norm.sel(step=0))
        direct = np.full((13, 3), -np.inf)
        if state == cell.states[0]:
            direct[1:] = np.log(np.linalg.norm(result.node_gradients["o"] @ params["V"], axis=-1) + 5e-324)
        seen = np.isfinite(direct) & (direct > -700)
        np.testing.assert_allclose(norms.log_direct.values[seen], direct[seen], rtol=1e-12, atol=1e-12)
        assert (norms.log_direct.values[~seen] == -np.inf).all()


@pytest.mark.parametrize("loss", losses.names())
def test_every_loss(loss):
    cell = cells.get("rnn")
    params, x, ids = problem(cell)
    rows = np.random.default_rng(1).uniform(0, 1, (12, 3, 4))
    y, of_another = (ids, rows) if loss == "softmax" else (rows, ids)
    norms = gradient_norms(cell, params, x, y, loss=loss)
    plain = loss_and_gradients(cell, params, x, y, loss=loss).node_gradients["h"]
    np.testing.assert_allclose(np.exp(norms.log_norm[1:]), np.linalg.norm(plain, axis=-1), rtol=1e-13)
    with pytest.raises(ValueError, match="y has the shape"):
        gradient_norms(cell, params, x, of_another, loss=loss)


def test_norms_whose_squares_underflow_or_overflow():
    vectors = np.array([[3e-200, 4e-200], [3e200, 4e200], [3e-320, 4e-320], [0, 0], [3, 4]])
    expected = np.log(5) + np.array([-200, 200, -320, -np.inf, 0]) * np.log(10)
    np.testing.assert_allclose(log_norm(vectors), expected, rtol=1e-5)
    assert np.isnan(log_norm(np.array([[np.inf, 1.0], [np.nan, 1.0]]))).all()
    assert log_norm(np.array([[3j, 4]])) == pytest.approx(np.log(5))


def test_underflow_is_said_and_larger_weights_look_below_it():
    cell = cells.get("rnn_identity")
    params, x, y = problem(cell, T=200, B=1)
    params["W"] *= 0.01
    norms = gradient_norms(cell, params, x, y, reduction="last")
    lost = norms.underflowed.values[:, 0]
    assert lost[0]
    assert not lost[-1]
    assert norms.log_norm[0, 0] == -np.inf
    in_log_space = diagnostics.loss_by_state(cell, params, x, y).sel(loss=200).values
    assert np.isfinite(in_log_space).all()
    np.testing.assert_allclose(in_log_space[~lost], norms.log_norm.values[~lost], rtol=1e-12)

    weights = np.zeros((200, 1))
    weights[-1] = 2.0**900
    deeper = gradient_norms(cell, params, x, y, weights=weights)
    assert deeper.underflowed.sum() < lost.sum()
    np.testing.assert_allclose(deeper.log_norm[~lost] - 900 * np.log(2), norms.log_norm[~lost], rtol=1e-12)


def test_a_step_that_nothing_reaches_is_minus_infinity():
    cell = cells.get("rnn")
    params, x, y = problem(cell)
    weights = np.ones((12, 3))
    weights[6:] = 0  # no loss after step 6
    norms = gradient_norms(cell, params, x, y, weights=weights)
    assert (norms.log_norm[7:] == -np.inf).all()
    assert np.isfinite(norms.log_norm[:7]).all()


def test_single_precision_knows_its_own_limit():
    cell = cells.get("rnn")
    norms = gradient_norms(cell, *problem(cell, dtype=np.float32))
    assert norms.attrs["smallest"] == pytest.approx(np.log(1.1754944e-38), rel=1e-6)


def test_an_unknown_state_gets_a_sentence():
    cell = cells.get("rnn")
    with pytest.raises(ValueError, match=r"The cell 'rnn' has no state 'c'; it has h\."):
        gradient_norms(cell, *problem(cell), state="c")
