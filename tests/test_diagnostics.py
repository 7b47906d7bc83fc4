"""The diagnostics against closed forms of the linear network, plain definitions, and the gradient itself."""

import numpy as np
import pytest

from manual_rnn import cells, diagnostics, initialise, loss_and_gradients
from manual_rnn.ways import truncated_bptt

T, B = 9, 2


def problem(name, *, gain=1.0, n=6, T=T, B=B, dtype=np.float64, tokens=False):
    cell, rng = cells.get(name), np.random.default_rng(1)
    params = initialise(cell, n_in=3, n_hidden=n, n_out=4, gain=gain, seed=rng, dtype=dtype)
    x = rng.integers(0, 3, (T, B)) if tokens else rng.standard_normal((T, B, 3)).astype(dtype)
    return cell, params, x, rng.integers(0, 4, (T, B))


every_cell = pytest.mark.parametrize("name", cells.names())


@every_cell
def test_the_matrix_of_losses_and_states_is_a_backward_pass_a_loss(name):
    cell, params, x, y = problem(name)
    for state in cell.states:
        M = diagnostics.loss_by_state(cell, params, x, y, state=state, block=4)
        assert M.dims == ("loss", "step", "sequence")
        for s in range(T):
            weights = np.zeros((T, B))
            weights[s] = 1
            norms = diagnostics.gradient_norms(cell, params, x, y, weights=weights, state=state)
            np.testing.assert_allclose(M.sel(loss=s + 1), norms.log_norm, rtol=1e-10, atol=1e-12)


def test_the_matrix_does_not_underflow_where_the_format_does():
    """In the linear network ‖∂L_s/∂h(t)‖ = ‖(Wᵀ)ˢ⁻ᵗ Vᵀ ∇o(s)‖; with W = g Q each step is a factor of g exactly."""
    for dtype in (np.float64, np.float32):
        cell, params, x, y = problem("rnn_identity", T=400, B=1, dtype=dtype)
        Q = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
        params["W"] = (1e-3 * Q).astype(dtype)
        M = diagnostics.loss_by_state(cell, params, x, y)
        last = M.sel(loss=400).values[:, 0]
        lag = 400 - np.arange(401)
        # 400 roundings of a factor, and of the logarithm of the sum
        np.testing.assert_allclose(last, last[-1] + lag * np.log(1e-3), rtol=800 * np.finfo(dtype).eps)
        assert last[0] < -2700


@every_cell
def test_the_parts_of_a_gradient_add_up_to_it(name):
    cell, params, x, y = problem(name)
    for parameter in [n for m in cell.maps for n in (m.W, m.U, m.b) if n in params]:
        parts = diagnostics.contributions(cell, params, x, y, parameter)
        assert parts.share.sum() == pytest.approx(1, abs=1e-12)
        assert parts.share_of_step.sum() == pytest.approx(1, abs=1e-12)
        assert parts.left_out[0] == 1


def test_what_is_left_out_is_what_truncation_leaves_out():
    """Truncated BPTT that goes back over k steps from the last loss keeps the first k lags of that loss."""
    cell, params, x, y = problem("gru")
    weights = np.zeros((T, B))
    weights[-1] = 1
    whole = loss_and_gradients(cell, params, x, y, weights=weights).gradients["W_n"]
    parts = diagnostics.contributions(cell, params, x, y, "W_n", weights=weights)
    for k in (1, 3):
        short = truncated_bptt(cell, params, x, y, k1=k, k2=k, weights=weights).gradients["W_n"]
        left_out = np.linalg.norm(whole - short) / np.linalg.norm(whole)
        assert float(parts.left_out.sel(lag=k)) == pytest.approx(left_out, rel=1e-12)


def test_tokens_and_dense_rows_have_the_same_parts():
    cell, params, x, y = problem("rnn", tokens=True)
    by_token = diagnostics.contributions(cell, params, x, y, "U")
    dense = diagnostics.contributions(cell, params, np.eye(3)[x], y, "U")
    np.testing.assert_allclose(by_token.share, dense.share, rtol=1e-12)


def test_horizon_and_truncation_of_known_parts():
    """A scalar linear network with white input: ‖C_k‖ falls by λ a lag on average; here the parts are given."""
    import xarray as xr

    lag = np.arange(60)
    sizes = 0.8**lag
    left = 1 - np.append(0, sizes.cumsum() / sizes.sum())[:-1]
    parts = xr.Dataset({"log_norm": ("lag", np.log(sizes)), "left_out": ("lag", left)})
    assert diagnostics.memory_horizon(parts, 0.95) == np.argmax(sizes.cumsum() >= 0.95 * sizes.sum()) + 1
    k = diagnostics.suggested_truncation(parts, 0.05)
    assert left[k] <= 0.05 < left[k - 1]
    assert diagnostics.suggested_truncation(parts, 2.0) == 0
    assert diagnostics.memory_horizon(parts, 1.0) == 60


def test_the_singular_values_of_the_linear_network():
    cell, params, x, _ = problem("rnn_identity", T=12)
    found = diagnostics.jacobian_singular_values(cell, params, x, every=3)
    assert list(found.step) == [12, 9, 6, 3, 0]
    for lag in (0, 3, 6, 9):
        expected = np.linalg.svd(np.linalg.matrix_power(params["W"], lag), compute_uv=False)
        for b in range(B):
            kept = np.exp(found.sel(step=12 - lag, sequence=b).values)
            seen = ~np.isnan(kept)
            np.testing.assert_allclose(kept[seen], expected[seen], rtol=1e-3)
            np.testing.assert_allclose(kept[0], expected[0], rtol=1e-12)


@pytest.mark.parametrize("name", ["lstm", "gru", "minimal_rnn"])
def test_the_jacobian_of_several_states_is_that_of_differences(name):
    from manual_rnn.bptt import unroll
    from manual_rnn.tape import Tape

    cell, params, x, _ = problem(name, n=3, T=4, B=1)
    D = 3 * len(cell.states)

    def last(flat):
        states = {n: part[None] for n, part in zip(cell.states, np.split(flat, len(cell.states)), strict=True)}
        ended = unroll(cell, params, x, states, Tape(4))
        return np.concatenate([ended[n][0] for n in cell.states])

    step = 1e-6
    J = np.stack([(last(step * e) - last(-step * e)) / (2 * step) for e in np.eye(D)], axis=1)
    found = diagnostics.jacobian_singular_values(cell, params, x)
    np.testing.assert_allclose(np.exp(found.sel(step=0).values[0]), np.linalg.svd(J, compute_uv=False), atol=1e-9)


def test_values_that_are_hundreds_of_decades_apart_are_all_there():
    cell, params, x, _ = problem("rnn_identity", T=500, B=1)
    params["W"] = np.diag([3.0, 1.0, 0.3, 1.0, 1.0, 1.0])
    found = diagnostics.jacobian_singular_values(cell, params, x, every=250).sel(step=0).values[0]
    np.testing.assert_allclose(found, 500 * np.log([3, 1, 1, 1, 1, 0.3]), rtol=1e-13, atol=1e-10)


def test_values_that_one_step_has_lost_are_nan():
    """Two units of which W makes nothing, and a third that it makes of another: rank three of six."""
    cell, params, x, _ = problem("rnn_identity", T=4, B=1)
    params["W"][:, :2] = 0
    params["W"][:, 2] = 3 * params["W"][:, 3]
    found = diagnostics.jacobian_singular_values(cell, params, x)
    for lag in range(1, 5):
        plain = np.linalg.svd(np.linalg.matrix_power(params["W"], lag), compute_uv=False)
        np.testing.assert_allclose(np.exp(found.sel(step=4 - lag).values[0, :3]), plain[:3], rtol=1e-11)
        assert np.isnan(found.sel(step=4 - lag).values[0, 3:]).all()


def test_the_exponents_of_a_diagonal_network_are_the_logs_of_its_eigenvalues():
    cell, params, x, _ = problem("rnn_identity", T=200)
    factors = np.array([1.5, 1.1, 0.9, 0.5, 0.2, 0.01])
    params["W"] = np.diag(factors)
    found = diagnostics.lyapunov_exponents(cell, params, x, warm_up=120, settle=0)
    np.testing.assert_allclose(found.exponent, np.log(factors), rtol=1e-10)
    assert (found.standard_error < 1e-10).all()
    np.testing.assert_allclose(found.trace[-1], found.exponent, rtol=1e-12)


def test_products_of_gaussian_matrices_have_the_exponents_of_theory():
    """Exact at finite n: λ_i = ½ (log 2σ² + ψ((n − i + 1) / 2)) (Newman 1986)."""
    from scipy.special import digamma

    n, std = 5, 0.7
    matrices = std * np.random.default_rng(2).standard_normal((4000, n, n))
    found = diagnostics.exponents_of_product(matrices)
    theory = (np.log(2 * std**2) + digamma((n - np.arange(n)) / 2)) / 2
    # Five exponents, each with 19 degrees of freedom: one in some hundred runs is beyond four.
    assert (np.abs(found.exponent - theory) < 4 * found.standard_error).all()


@pytest.mark.parametrize(("name", "gain"), [("rnn", 2.0), ("lstm", 3.0), ("gru", 4.0)])
def test_the_largest_exponent_is_that_of_two_runs_without_any_derivative(name, gain):
    cell, params, x, _ = problem(name, gain=gain, n=20, T=1500, B=1)
    found = diagnostics.lyapunov_exponents(cell, params, x, count=2)
    apart = diagnostics.perturbation_exponent(cell, params, x)
    # The parts of the run that are left out differ: at either end here, at its beginning there.
    assert apart == pytest.approx(float(found.exponent[0]), abs=4 * float(found.standard_error[0]) + 2e-3)
    assert found.exponent[0] > found.exponent[1]


def test_two_runs_in_float32_are_told_apart_as_in_float64():
    """From 1e-7, where float32's digits end, the exponent came out as −.13 instead of −.48."""
    cell, params, x, _ = problem("rnn", gain=0.5, n=8, T=200, B=1)
    single = {name: array.astype(np.float32) for name, array in params.items()}
    exponents = [
        diagnostics.perturbation_exponent(cell, *run) for run in ((params, x), (single, x.astype(np.float32)))
    ]
    assert exponents[1] == pytest.approx(exponents[0], abs=2e-3)


@every_cell
def test_saturation_is_the_slope_of_what_the_cell_computes(name):
    cell, params, x, _ = problem(name, gain=2.0)
    if name == "rnn_identity":
        with pytest.raises(ValueError, match="has no tanh, logistic function or ReLU in its equations"):
            diagnostics.saturation(cell, params, x)
        return
    found = diagnostics.saturation(cell, params, x)
    assert (found.mean_squared_slope >= 0).all()
    assert (found.mean_squared_slope <= 1).all()
    if name == "antisymmetric_rnn":
        assert list(found.node) == ["tanh a"]
    if name == "rnn":
        h = loss_and_gradients(cell, params, x, np.zeros((T, B), int)).tape["h"]
        np.testing.assert_allclose(found.mean_squared_slope.sel(node="h"), ((1 - h**2) ** 2).mean(axis=(1, 2)))
    if name == "lstm":
        assert list(found.node) == ["i", "f", "g", "s", "o"]
        f = loss_and_gradients(cell, params, x, np.zeros((T, B), int)).tape["f"]
        np.testing.assert_allclose(found.mean_squared_slope.sel(node="f"), ((f * (1 - f)) ** 2).mean(axis=(1, 2)))
        np.testing.assert_allclose(found.fraction.sel(node="f"), (4 * f * (1 - f) < 0.05).mean(axis=(1, 2)))


def test_gates_keep_what_they_say():
    cell, params, x, y = problem("lstm")
    f = loss_and_gradients(cell, params, x, y).tape["f"]
    found = diagnostics.gate_memory(cell, params, x)
    assert found.attrs["gate"] == "f"
    np.testing.assert_allclose(found["mean"], f.mean(axis=(1, 2)))
    products = np.cumprod(np.concatenate([np.ones_like(f[:1]), f[::-1]]), axis=0)
    np.testing.assert_allclose(found.log_of_mean_kept, np.log(products.mean(axis=(1, 2))), atol=1e-14)
    np.testing.assert_allclose(found.log_kept, np.log(products).mean(axis=(1, 2)), atol=1e-14)
    assert diagnostics.gate_memory(*problem("gru")[:3]).attrs["gate"] == "z"
    with pytest.raises(ValueError, match=r"'rnn' declares no gate that keeps its state"):
        diagnostics.gate_memory(*problem("rnn")[:3])


def test_the_ways_of_a_gradient_to_the_memory_of_an_lstm():
    cell, params, x, y = problem("lstm")
    result = loss_and_gradients(cell, params, x, y)
    found = diagnostics.gradient_ways(cell, params, x, y)
    total, f = result.node_gradients["cell.c"], result.tape["f"]
    along = np.concatenate([total[1:] * f[1:], np.zeros_like(total[:1])])
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(found.log_along, np.log(np.linalg.norm(along, axis=-1)))
    np.testing.assert_allclose(found.log_other, np.log(np.linalg.norm(total - along, axis=-1)))
    np.testing.assert_allclose(found.log_total, np.log(np.linalg.norm(total, axis=-1)))


def test_what_a_matrix_alone_says():
    cell, params, *_ = problem("rnn", n=4)
    params["W"] = np.diag(np.ones(3), k=1)  # nilpotent: no eigenvalue, and yet three steps without a loss
    found = diagnostics.recurrent_matrices(cell, params).sel(matrix="W")
    assert float(found.spectral_radius) == 0
    assert float(found.non_normality) == 1
    assert float(found.largest_singular_value) == 1
    params["W"] = 0.7 * np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
    found = diagnostics.recurrent_matrices(cell, params).sel(matrix="W")
    assert float(found.spectral_radius) == pytest.approx(0.7)
    assert float(found.non_normality) == pytest.approx(0, abs=1e-7)
    made = diagnostics.recurrent_matrices(*problem("rnn_orthogonal")[:2])
    np.testing.assert_allclose(made.largest_singular_value, 1)


def test_clipping_turns_a_gradient_only_by_element():
    gradients = [{"W": np.array([3.0, 0.0]), "b": np.array([4.0])}, {"W": np.array([0.1, 0.1]), "b": np.zeros(1)}]
    found = diagnostics.clipping_statistics(gradients, [1.0, 10.0])
    np.testing.assert_allclose(found.norm, [5, np.sqrt(0.02)])
    assert found.fired.sel(update=1, limit=1.0).values.tolist() == [True, True]
    assert not found.fired.sel(limit=10.0).any()
    np.testing.assert_allclose(found.norm_after.sel(update=1, limit=1.0), [1, np.sqrt(2)])
    # (1, 0, 1) against (3, 0, 4)
    np.testing.assert_allclose(found.cosine.sel(update=1, limit=1.0), [1, 7 / (5 * np.sqrt(2))])
    assert (found.cosine.sel(kind="norm") == 1).all()


def test_one_step_and_one_sequence():
    cell, params, x, y = problem("lstm", T=1, B=1)
    assert diagnostics.loss_by_state(cell, params, x, y).shape == (1, 2, 1)
    assert diagnostics.contributions(cell, params, x, y, "U_i").share.item() == pytest.approx(1)
    assert diagnostics.jacobian_singular_values(cell, params, x).shape == (2, 1, 12)


REFUSED = {
    "a state that overflows": (
        lambda: diagnostics.loss_by_state(*overflowing()),
        r"The state h is not finite from step \d+ on, in sequence 0: the forward pass itself grows beyond the format"),
    "a gradient of zero": (
        lambda: diagnostics.contributions(*problem("rnn"), "W", weights=np.zeros((T, B))),
        "The loss is empty: its weight is zero at every step of every sequence, so every gradient is zero"),
    "a parameter that is none": (
        lambda: diagnostics.contributions(*problem("rnn"), "V"),
        "The cell 'rnn' has no matrix or bias 'V' in a map; it has W, U, b"),
    "more exponents than there are": (
        lambda: diagnostics.lyapunov_exponents(*problem("rnn")[:3], count=7),
        "count is 7; the cell has 6 exponents, so it is between 1 and that"),
    "too few steps": (
        lambda: diagnostics.lyapunov_exponents(*problem("rnn")[:3]),
        "Of 9 steps, settle = 0 and warm_up = 0 leave 9; at least 20 are needed"),
    "a share that is no number": (lambda: diagnostics.memory_horizon(None, "half"), "share is 'half'"),
    "a bias that is no number": (lambda: diagnostics.suggested_truncation(None, "5 %"), "bias is '5 %'"),
    "parts that are none": (lambda: diagnostics.memory_horizon(3), "not what contributions returns"),
    "a share beyond one": (lambda: diagnostics.memory_horizon(None, 1.5), r"share is 1\.5; it is more than 0"),
    "no bias": (lambda: diagnostics.suggested_truncation(None, 0), "bias is 0; it is a relative error, more than 0"),
    "no limit": (lambda: diagnostics.clipping_statistics([{}], [0.0]), r"limits has 0\.0; a limit is more than 0"),
    "no gradients": (lambda: diagnostics.clipping_statistics([], [1.0]), "There is nothing to clip"),
    "x of another width": (
        lambda: diagnostics.saturation(*problem("rnn")[:2], np.zeros((2, 1, 5))), r"x has the shape \(2, 1, 5\)"),
}  # fmt: skip


def overflowing():
    cell, params, x, y = problem("rnn_identity", T=2000)
    params["W"] = 10 * np.eye(6)
    return cell, params, x, y


@pytest.mark.parametrize(("call", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_measured_is_said_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_non_normality_does_not_depend_on_the_size_of_the_matrix(size):
    rnn = cells.get("rnn")
    params = initialise(rnn, n_in=2, n_hidden=4, n_out=2, seed=0)
    found = [diagnostics.recurrent_matrices(rnn, {**params, "W": by * params["W"]}) for by in (1.0, size)]
    assert found[0].non_normality.item() > 0.1
    np.testing.assert_allclose(found[1].non_normality, found[0].non_normality, rtol=1e-12)
