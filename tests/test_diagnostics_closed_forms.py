"""Diagnostics against laws that are exact: the linear network, one linear unit (A5, A6), Pascanu's bounds (A8)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_rnn import cells, diagnostics, initialise, loss_and_gradients, theory

LINEAR = cells.get("rnn_identity")


def linear_network(n=5, T=60, gain=0.7):
    rng = np.random.default_rng(0)
    params = initialise(LINEAR, n_in=2, n_hidden=n, n_out=3, gain=gain, seed=rng)
    return params, rng.standard_normal((T, 1, 2)), rng.standard_normal((T, 1, 3))


def test_every_loss_of_the_linear_network_goes_back_by_powers_of_its_matrix():
    params, x, y = linear_network()
    M = diagnostics.loss_by_state(LINEAR, params, x, y, loss="squared").sel(sequence=0)
    h = loss_and_gradients(LINEAR, params, x, y, loss="squared").tape["h"][:, 0]
    for s in (1, 17, 60):
        direct = params["V"].T @ (params["V"] @ h[s - 1] + params["c"] - y[s - 1, 0])
        expected = theory.log_norms_by_lag(params["W"], direct, s)
        np.testing.assert_allclose(M.sel(loss=s).values[: s + 1][::-1], expected, rtol=1e-10)


def test_the_parts_of_the_linear_network_are_powers_times_states():
    """C_k = (Wᵀ)ᵏ ∇h(T) h(T − k − 1)ᵀ for the loss of the last step, to lags where float64 has ended long ago."""
    params, x, y = linear_network(T=400, gain=0.01)
    parts = diagnostics.contributions(LINEAR, params, x, y, loss="squared", reduction="last")
    result = loss_and_gradients(LINEAR, params, x, y, loss="squared", reduction="last")
    h = np.concatenate([np.zeros((1, 5)), result.tape["h"][:, 0]])
    powers = theory.log_norms_by_lag(params["W"], result.node_gradients["h"][-1, 0], 399)
    expected = powers[:399] + np.log(np.linalg.norm(h[399:0:-1], axis=1))
    np.testing.assert_allclose(parts.log_norm[:399], expected, rtol=1e-10)
    assert parts.log_norm[399] == -np.inf  # it meets h(0) = 0
    assert parts.log_norm[398] < -1500


def one_unit(decay, T, rng, sequences=1):
    """h(t) = λ h(t − 1) + x(t) with white x: parameters and inputs."""
    one = np.ones((1, 1))
    params = {"W": decay * one, "U": one, "b": np.zeros(1), "V": one, "c": np.zeros(1)}
    return params, rng.standard_normal((T, sequences, 1))


def test_the_curse_of_memory_lag_by_lag():
    """A5: with ∇h(T) = 1 the part of lag k is λᵏ h(T − k − 1), so E C_k² = λ²ᵏ E h², and E (Σ C_k)² is the law."""
    decay, T, rng = 0.8, 12, np.random.default_rng(1)
    squares, totals = [], []
    for _ in range(600):
        params, x = one_unit(decay, T, rng)
        h = loss_and_gradients(LINEAR, params, x, np.zeros((T, 1, 1)), loss="squared").tape["h"]
        problem = {"y": h - 1, "loss": "squared", "reduction": "last"}
        parts = diagnostics.contributions(LINEAR, params, x, **problem)
        squares.append(np.exp(2 * parts.log_norm.values))
        totals.append(loss_and_gradients(LINEAR, params, x, **problem).gradients["W"].item() ** 2)
    for k in range(T - 1):
        expected = decay ** (2 * k) * theory.state_squared(decay, steps=T - k - 1)
        of_lag = np.array(squares)[:, k]
        assert abs(of_lag.mean() - expected) < 3.5 * of_lag.std() / np.sqrt(600)  # eleven numbers
    totals = np.array(totals)
    expected = theory.sensitivity_squared(decay, steps=T)
    assert abs(totals.mean() - expected) < 3 * totals.std() / np.sqrt(600)


@pytest.mark.parametrize("kept", [2, 5, 10])
def test_the_bias_of_truncation_is_what_the_later_lags_hold(kept):
    """A6: L = ½ h(T)², and what the first lags leave out of the expected gradient is 1 − S(K)/S(T)."""
    decay, T, rng = 0.9, 25, np.random.default_rng(2)
    rest, off = 1 - theory.truncation_bias(decay, kept, steps=T), []
    for _ in range(40):
        params, x = one_unit(decay, T, rng, sequences=200)
        problem = {"y": np.zeros((T, 200, 1)), "loss": "squared", "reduction": "last"}
        full = loss_and_gradients(LINEAR, params, x, **problem).gradients["W"].item()
        parts = diagnostics.contributions(LINEAR, params, x, **problem)
        off.append(full * (float(parts.share[:kept].sum()) - rest))
        assert float(parts.left_out[kept]) == pytest.approx(abs(1 - float(parts.share[:kept].sum())), abs=1e-12)
    assert abs(np.mean(off)) < 3 * np.std(off, ddof=1) / np.sqrt(40)


@given(
    name=st.sampled_from(["rnn", "rnn_relu", "rnn_identity"]), seed=st.integers(0, 10**6), n=st.integers(1, 6),
    T=st.integers(1, 12), gain=st.sampled_from([0.05, 1.0, 3.0]),
)  # fmt: skip
def test_nothing_that_a_diagnostic_returns_exceeds_pascanus_bound(name, seed, n, T, gain):
    """A8, of drawn cells: ‖∂h(t)/∂h(t − k)‖₂ ≤ (γ ‖W‖₂)ᵏ, and so for each loss's gradient and for λ₁."""
    cell, rng = cells.get(name), np.random.default_rng(seed)
    params = initialise(cell, n_in=2, n_hidden=n, n_out=3, gain=gain, seed=rng)
    x, y = rng.standard_normal((T, 2, 2)), rng.integers(0, 3, (T, 2))
    activation = {"rnn": "tanh", "rnn_relu": "relu", "rnn_identity": "linear"}[name]
    bounds = np.array([theory.log_jacobian_bound(params["W"], k, activation=activation) for k in range(T + 1)])
    largest = diagnostics.jacobian_singular_values(cell, params, x).isel(index=0)
    assert (largest <= bounds[largest.lag.values][:, None] + 1e-12).all()
    M = diagnostics.loss_by_state(cell, params, x, y).values
    for s in range(1, T + 1):
        for k in range(1, s + 1):
            assert (M[s - 1, s - k] <= M[s - 1, s] + bounds[k] + 1e-12).all()
    if n == 1 and name == "rnn_identity":
        np.testing.assert_allclose(largest.values[:, 0], bounds[: T + 1], atol=1e-12)  # it is attained


def test_no_exponent_exceeds_pascanus_bound_and_an_orthogonal_linear_network_attains_it():
    rng = np.random.default_rng(4)
    params = initialise(cells.get("rnn"), n_in=2, n_hidden=6, n_out=3, gain=2.0, seed=rng)
    x = rng.standard_normal((200, 1, 2))
    bound = theory.log_jacobian_bound(params["W"], 1)
    assert (diagnostics.lyapunov_exponents(cells.get("rnn"), params, x).exponent <= bound).all()
    params["W"] = diagnostics.orthogonal(6, 1.3, rng)
    found = diagnostics.lyapunov_exponents(LINEAR, params, x)
    np.testing.assert_allclose(found.exponent, np.log(1.3), rtol=1e-12)
    values = diagnostics.jacobian_singular_values(LINEAR, params, x, every=20)
    expected = np.log(1.3) * values.lag.values[:, None] * np.ones(6)
    np.testing.assert_allclose(values.sel(sequence=0), expected, atol=1e-10)


def test_the_slopes_of_a_driven_network_are_the_chi_of_theory():
    """χ = g² E φ′²: finite-N bias, so the deviation halves as n doubles, and what is extrapolated is theory's."""
    gain, std, means = 1.5, 0.5, {}
    for n in (100, 200):
        draws = []
        for seed in range(24):
            net = diagnostics.driven_network(n, gain=gain, input_std=std, steps=40, seed=(seed, n))
            found = diagnostics.saturation(cells.get("rnn"), net.params, net.x, initial=net.initial)
            draws.append(gain**2 * float(found.mean_squared_slope.sel(node="h").mean()))
        means[n] = diagnostics.Slope(value=np.mean(draws), standard_error=np.std(draws, ddof=1) / np.sqrt(24))
    chi = theory.mean_field(gain, std).chi
    limit = diagnostics.extrapolated(means)
    assert abs(limit.value - chi) < 3 * limit.standard_error
    assert limit.standard_error < 0.02 * chi
