"""The exact laws: each against a simulation within three standard errors, a sum by brute force, or the library."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma, polygamma

from manual_rnn import cells, initialise, theory
from manual_rnn.diagnostics import gradient_norms, jacobian_singular_values
from manual_rnn.initialisation import chrono_biases
from manual_rnn.theory import floors
from manual_rnn.ways import truncated_bptt


def standard_errors(samples, expected):
    """How many standard errors the mean of independent samples (N, …) is off."""
    return (samples.mean(axis=0) - expected) / (samples.std(axis=0, ddof=1) / np.sqrt(len(samples)))


@pytest.mark.parametrize("n", [1, 2, 3, 8, 101])
def test_newmans_spectrum_is_that_of_the_digamma_function(n):
    freedom = np.arange(n, 0, -1)
    spectrum = (np.log(2 * 0.7**2) + digamma(freedom / 2)) / 2
    np.testing.assert_allclose(theory.lyapunov_spectrum(n, 0.7), spectrum, rtol=0, atol=1e-13)
    np.testing.assert_allclose(theory.variance_per_factor(n), polygamma(1, freedom / 2) / 4, rtol=1e-12)


def test_newmans_spectrum_is_that_of_drawn_products():
    n, products, factors, rng = 8, 16, 4000, np.random.default_rng(0)
    Q, logs = np.tile(np.eye(n), (products, 1, 1)), np.empty((factors, products, n))
    for row in logs:
        Q, R = np.linalg.qr(rng.standard_normal((products, n, n)) / np.sqrt(n) @ Q)
        row[:] = np.log(np.abs(np.einsum("pii->pi", R)))
    off = logs.mean(axis=0) - theory.lyapunov_spectrum(n, 1 / np.sqrt(n))  # (products, n)
    scores = off / np.sqrt(theory.variance_per_factor(n) / factors)
    assert np.abs(scores.sum(axis=0) / np.sqrt(products)).max() < 3  # every exponent, over all products
    assert 128 - 3 * 16 < (scores**2).sum() < 128 + 3 * 16  # of 128 standard normals: mean 128, variance 256
    np.testing.assert_allclose(logs.var(axis=(0, 1)), theory.variance_per_factor(n), rtol=0.04)


def linear_unit(decay, steps, sequences, seed):
    """h(0 … T) and ∂h(T)/∂λ by the forward recursion, of many sequences."""
    x = np.random.default_rng(seed).standard_normal((steps, sequences))
    h, sensitivity = [np.zeros(sequences)], np.zeros(sequences)
    for row in x:
        sensitivity = h[-1] + decay * sensitivity
        h.append(decay * h[-1] + row)
    return np.array(h), sensitivity


@pytest.mark.parametrize(("decay", "steps"), [(0.8, 60), (-0.9, 7), (1.0, 12)])
def test_the_curse_of_memory_is_that_of_drawn_sequences(decay, steps):
    h, sensitivity = linear_unit(decay, steps, 40_000, seed=1)
    assert abs(standard_errors(sensitivity**2, theory.sensitivity_squared(decay, steps=steps))) < 3
    assert abs(standard_errors(h[-1] ** 2, theory.state_squared(decay, steps=steps))) < 3


def test_the_curse_of_memory_is_the_sum_of_its_series():
    assert theory.sensitivity_squared(0.99) == pytest.approx(251_263, abs=1)
    assert theory.sensitivity_squared(0.99, steps=5000) == pytest.approx(theory.sensitivity_squared(0.99), rel=1e-10)
    assert theory.state_squared(0.99, steps=5000) == pytest.approx(theory.state_squared(0.99), rel=1e-10)
    assert theory.sensitivity_squared(0.5, steps=4, input_std=2.0) == 4 * (1 + 4 * 0.25 + 9 * 0.0625)
    assert theory.sensitivity_squared(0.3, steps=1) == 0  # h(1) = x(1) knows no λ
    assert theory.sensitivity_squared(2.0, steps=5000) == theory.state_squared(2.0, steps=5000) == np.inf
    with pytest.raises(ValueError, match="a stationary state needs one between −1 and 1"):
        theory.sensitivity_squared(1.0)


@pytest.mark.parametrize(("kept", "bias"), [(5, 0.3487), (10, 0.1216), (20, 0.0148)])
def test_stationary_truncation_bias(kept, bias):
    assert theory.truncation_bias(0.9, kept) == pytest.approx(bias, abs=5e-5)
    assert theory.truncation_bias(0.9, kept, steps=500) == pytest.approx(theory.truncation_bias(0.9, kept), rel=1e-10)
    assert theory.truncation_for(0.9, bias + 5e-5) == kept


def test_truncation_bias_is_the_share_of_the_missing_terms():
    def S(K, T, decay):
        return sum(decay ** (2 * j - 1) * (1 - decay ** (2 * (T - j))) for j in range(1, K + 1))

    for decay, T, K in [(0.9, 25, 10), (-0.7, 12, 3), (1.2, 9, 4)]:
        assert theory.truncation_bias(decay, K, steps=T) == pytest.approx(1 - S(K, T, decay) / S(T, T, decay), rel=1e-9)
    assert theory.truncation_bias(0.9, 10, steps=25) == pytest.approx(0.102, abs=5e-4)
    assert theory.truncation_bias(1.0, 2, steps=5) == pytest.approx(1 - (4 + 3) / (4 + 3 + 2 + 1))  # λ → 1
    assert theory.truncation_bias(0.0, 1, steps=5) == 0  # and no 0/0
    assert theory.truncation_bias(2.0, 1, steps=5000) == pytest.approx(1 - 1 / 4999, rel=1e-3)  # and no overflow
    assert theory.truncation_bias(0.9, 24, steps=25) == 0  # T − 1 terms are all
    assert theory.truncation_for(0.99, 0.01) == 230  # .99^{2 · 229.1} = .01


def test_truncation_bias_is_that_of_truncated_bptt():
    decay, T, K, one = 0.9, 25, 5, np.ones((1, 1))
    params = {"W": decay * one, "U": one, "b": np.zeros(1), "V": one, "c": np.zeros(1)}
    rng, rest = np.random.default_rng(2), 1 - theory.truncation_bias(decay, K, steps=T)
    off = []
    for _ in range(40):
        x, y = rng.standard_normal((T, 200, 1)), np.zeros((T, 200, 1))
        problem = (cells.get("rnn_identity"), params, x, y)
        short, full = (
            truncated_bptt(*problem, k1=1, k2=k2, loss="squared", reduction="last").gradients["W"].item()
            for k2 in (K, T)
        )
        off.append([short - rest * full, short - full])
    of_theory, of_none = standard_errors(np.array(off), 0)
    assert abs(of_theory) < 3
    assert of_none < -10  # and the test would see it: without the bias it is far off


@pytest.mark.parametrize(("lag", "longest"), [(1, 10), (100, 200), (3000, 50), (7, 3)])
def test_the_memory_of_chrono_is_its_integral(lag, longest):
    edges = np.linspace(1, longest - 1, 2_000_001)
    u = (edges[1:] + edges[:-1]) / 2
    assert theory.memory_of_chrono(lag, longest) == pytest.approx(((u / (1 + u)) ** lag).mean(), rel=1e-8)


def test_the_memory_of_chrono_is_that_of_drawn_biases():
    kept = (1 / (1 + np.exp(-chrono_biases(np.random.default_rng(3), 20_000, 200)))) ** 100
    assert abs(standard_errors(kept, theory.memory_of_chrono(100, 200))) < 3
    assert theory.memory_of_chrono(100, 200) == pytest.approx(0.328, abs=5e-4)
    assert theory.memory_of_chrono(1, 10) == pytest.approx(1 - math.log(5) / 8, rel=1e-12)  # in closed form
    assert theory.memory_of_chrono(0, 10) == pytest.approx(1, rel=1e-14)


def test_the_memory_of_one_bias():
    assert theory.memory_of_one_bias(100, 1.0) == pytest.approx(2.5e-14, rel=0.02)
    assert theory.memory_of_one_bias(100, 0.0) == pytest.approx(2.0**-100, rel=1e-13)  # 7.9e-31
    assert theory.memory_of_one_bias(1, -800.0) == 0
    assert theory.memory_of_one_bias(10**6, 800.0) == 1


def jacobian(W, slopes):
    """∂h(T)/∂h(0) of a simple recurrence, from φ' at each step (T, n)."""
    J = np.eye(len(W))
    for slope in slopes:
        J = slope[:, None] * W @ J
    return J


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6), lag=st.integers(0, 12), n=st.integers(1, 6), gain=st.sampled_from([0.1, 1.0, 3.0]),
    activation=st.sampled_from(["tanh", "relu", "linear", "logistic"]),
)  # fmt: skip
def test_no_jacobian_exceeds_pascanus_bound(seed, lag, n, gain, activation):
    rng = np.random.default_rng(seed)
    phi, slope = {
        "tanh": (np.tanh, lambda a: np.cosh(a) ** -2.0),
        "relu": (lambda a: np.maximum(a, 0), lambda a: (a > 0) * 1.0),
        "linear": (lambda a: a, np.ones_like),
        "logistic": (lambda a: 1 / (1 + np.exp(-a)), lambda a: np.exp(-a) / (1 + np.exp(-a)) ** 2),
    }[activation]
    W, h, slopes = gain * rng.standard_normal((n, n)), rng.standard_normal(n), []
    for _ in range(lag):
        a = W @ h + 0.1 * rng.standard_normal(n)
        h, slopes = phi(a), [*slopes, slope(a)]
    norm = np.linalg.norm(jacobian(W, slopes), 2)
    bound = theory.log_jacobian_bound(W, lag, activation=activation)
    assert norm <= math.exp(bound) * (1 + 1e-12)
    if activation == "linear" and n == 1:
        assert norm == pytest.approx(math.exp(bound), rel=1e-12)  # it is attained


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6), T=st.integers(1, 20), n=st.integers(1, 8), gain=st.floats(0.01, 4),
    name=st.sampled_from(["rnn", "rnn_relu", "rnn_identity"]),
)  # fmt: skip
def test_no_jacobian_of_a_drawn_cell_exceeds_pascanus_bound(seed, T, n, gain, name):
    rng = np.random.default_rng(seed)
    params = initialise(cells.get(name), n_in=2, n_hidden=n, n_out=3, seed=rng)
    params["W"] = gain * rng.standard_normal((n, n)) / n**0.5
    logs = jacobian_singular_values(cells.get(name), params, rng.standard_normal((T, 2, 2)))
    activation = {"rnn": "tanh", "rnn_relu": "relu", "rnn_identity": "linear"}[name]
    bounds = np.array([theory.log_jacobian_bound(params["W"], int(lag), activation=activation) for lag in logs.lag])
    largest = logs.sel(index=0).values  # (step, sequence); nan where every unit of a ReLU is off
    assert not (largest > bounds[:, None] + 1e-11).any()
    if name == "rnn_identity":  # Wᵏ, exactly
        powers = [np.linalg.norm(np.linalg.matrix_power(params["W"], int(lag)), 2) for lag in logs.lag]
        np.testing.assert_allclose(largest, np.tile(np.log(powers), (2, 1)).T, rtol=0, atol=1e-9)


def random_network(n, rng):
    W, V = rng.standard_normal((n, n)) / n**0.5, rng.standard_normal((3, n))
    return {"W": W, "U": np.eye(n), "b": np.ones(n), "V": V, "c": np.zeros(3)}


@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "rnn_identity"])
def test_no_gradient_of_a_cell_exceeds_pascanus_bound(cell):
    rng, n, T = np.random.default_rng(4), 12, 30
    params = random_network(n, rng)
    x, y = 0.1 * rng.standard_normal((T, 5, n)), rng.integers(0, 3, (T, 5))
    log_norm = gradient_norms(cells.get(cell), params, x, y, reduction="last").by_lag
    activation = {"rnn": "tanh", "rnn_relu": "relu", "rnn_identity": "linear"}[cell]
    bounds = [theory.log_jacobian_bound(params["W"], k, activation=activation) for k in range(T + 1)]
    assert (log_norm - log_norm[0] <= np.array(bounds)[:, None] + 1e-12).all()


def test_the_linear_network_is_a_power_of_its_matrix():
    rng, n, T = np.random.default_rng(5), 6, 40
    params = random_network(n, rng)
    x, y = rng.standard_normal((T, 1, n)), rng.standard_normal((T, 1, 3))
    h = np.zeros(n)
    for row in x[:, 0]:
        h = params["W"] @ h + row + 1
    last = params["V"].T @ (params["V"] @ h - y[-1, 0])
    measured = gradient_norms(cells.get("rnn_identity"), params, x, y, loss="squared", reduction="last")
    np.testing.assert_allclose(measured.by_lag[:, 0], theory.log_norms_by_lag(params["W"], last, T), atol=1e-11)
    by_power = np.log(np.linalg.norm(np.linalg.matrix_power(params["W"].T, 17) @ last))
    assert theory.log_norms_by_lag(params["W"], last, 17)[-1] == pytest.approx(by_power, abs=1e-11)


def test_the_linear_network_does_not_underflow():
    logs = theory.log_norms_by_lag(0.1 * np.eye(3)[[1, 2, 0]], np.array([3.0, 0, 4]), 2000)
    np.testing.assert_allclose(logs, np.log(5) - np.arange(2001) * np.log(10), rtol=1e-12)
    nilpotent = np.array([[0.0, 1], [0, 0]])
    assert list(theory.log_norms_by_lag(nilpotent, np.array([1.0, 0]), 3)) == [0, 0, -np.inf, -np.inf]


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_the_linear_network_beyond_what_can_be_squared(size):
    logs = theory.log_norms_by_lag(size * np.eye(2), np.array([3.0, 4.0]) * size, 5)
    np.testing.assert_allclose(logs, np.log(5) + np.arange(1, 7) * np.log(size), rtol=1e-12)


def test_floors_of_adding_are_variances_of_what_is_generated():
    rng = np.random.default_rng(6)
    unit, signed = rng.random((200_000, 2)), rng.uniform(-1, 1, (200_000, 2))
    for floor, targets in [
        (floors.adding_sum(), unit.sum(axis=1)),
        (floors.adding_mean(), unit.mean(axis=1)),
        (floors.adding_scaled(), 0.5 + signed.sum(axis=1) / 4),
    ]:
        squares = (targets - (targets.max() + targets.min()) / 2) ** 2  # the ranges are symmetric about the means
        assert abs(standard_errors(squares, floor)) < 3


def entropy(targets):
    """Of a list of equally likely outcomes, in nats."""
    counts = np.unique(targets, return_counts=True)[1]
    shares = counts / counts.sum()
    return -(shares * np.log(shares)).sum()


def test_floors_of_classes_are_entropies_of_what_is_generated():
    for relevant, floor in [(2, np.log(4)), (3, np.log(8))]:
        classes = [sum(bit << i for i, bit in enumerate(order)) for order in itertools.product((0, 1), repeat=relevant)]
        assert floors.temporal_order(relevant) == pytest.approx(entropy(classes), rel=1e-14) == pytest.approx(floor)
    assert floors.exclusive_or() == pytest.approx(entropy([a ^ b for a in (0, 1) for b in (0, 1)]), rel=1e-14)
    assert entropy([0 ^ b for b in (0, 1)]) == floors.exclusive_or()  # one of the bits says nothing


@pytest.mark.parametrize("delay", [1, 3, 40])
def test_the_floor_of_copying_is_that_of_the_generator(delay):
    blank, symbols, length, rng = 8, 8, 10, np.random.default_rng(7)
    targets = np.full((2000, delay + 2 * length), blank)
    targets[:, -length:] = rng.integers(0, symbols, (2000, length))
    guess = np.full((delay + 2 * length, symbols + 1), 1e-300)  # per step: the blank, then uniform over the symbols
    guess[:-length, blank], guess[-length:, :symbols] = 1, 1 / symbols
    losses = -np.log(guess[np.arange(delay + 2 * length), targets]).mean(axis=1)
    np.testing.assert_allclose(losses, floors.copy(delay), rtol=1e-12)
    assert floors.copy(delay) == pytest.approx(10 * math.log(8) / (delay + 20), rel=1e-14)
    shares = np.array([entropy(column) for column in targets.T])  # no guess per step does better
    assert shares.mean() == pytest.approx(floors.copy(delay), rel=0.01)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: theory.lyapunov_spectrum(0, 1.0), "size of the matrices is 0; it must be a whole number, 1 or more"),
        (lambda: theory.lyapunov_spectrum(3, -1.0), "must be a finite number above zero"),
        (lambda: theory.truncation_bias(0.9, -1), "number of terms kept is -1"),
        (lambda: theory.truncation_bias(1.0, 3), "say how many"),
        (lambda: theory.truncation_bias(0.9, 3, steps=1), "number of steps is 1; .* 2 or more"),
        (lambda: theory.memory_of_chrono(5, 2), "longest memory is 2; .* 3 or more"),
        (lambda: theory.memory_of_one_bias(5, np.nan), "bias is nan"),
        (lambda: theory.log_jacobian_bound(np.ones((2, 3)), 1), r"shape \(2, 3\); expected \(n, n\)"),
        (lambda: theory.log_jacobian_bound(np.eye(2), 1, activation="gelu"), "'gelu'; for tanh, relu, linear, "),
        (lambda: theory.log_jacobian_bound(np.full((1, 1), np.inf), 1), "not finite"),
        (lambda: theory.log_norms_by_lag(np.eye(2), np.ones(3), 1), r"expected \(n, n\) and \(n,\)"),
        (lambda: theory.log_norms_by_lag(np.nan * np.eye(2), np.ones(2), 1), "entries that are not finite"),
        (lambda: theory.log_norms_by_lag(np.eye(2), np.array([1, np.inf]), 1), "entries that are not finite"),
        (lambda: floors.copy(0), "delay is 0"),
    ],
)
def test_impossible_arguments_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
