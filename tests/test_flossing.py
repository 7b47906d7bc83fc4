"""The gradient of Lyapunov exponents by hand, for every cell: against autodiff through the QR, against closed forms."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manual_rnn import cells, diagnostics, initialise, lyapunov_gradient, qr, stack
from manual_rnn.flossing import flossing
from manual_rnn.optimisers import Adam
from reference import autodiff, lyapunov_exponents
from way_cases import any_cell, assert_close, off

FREE = {"V", "c"}
"""What the exponents do not depend on."""


def drawn(name, *, T=6, B=2, n=4, seed=0, dtype=np.float64):
    """Arguments of a run whose weights are not small: every second derivative shows."""
    cell, rng = cells.get(name), np.random.default_rng(seed)
    params = initialise(cell, n_in=2, n_hidden=n, n_out=3, seed=rng)
    params = {p: (array + 0.3 * rng.standard_normal(array.shape)).astype(dtype) for p, array in params.items()}
    if name == "rnn_relu":
        params["b"] += 3  # most are on, or no direction at all would be left
    x = rng.standard_normal((T, B, 2)).astype(dtype)
    initial = {s: 0.5 * rng.standard_normal((B, n)).astype(dtype) for s in cell.states}
    return {"cell": cell, "params": params, "x": x, "initial": initial}


def both(name, case, *, count, warm_up=0, seed=5, module=lyapunov_gradient):
    """(λ, gradient) of ⟨upstream, λ⟩, by hand and by autodiff, from the same directions; without V and c."""
    exponents, pullback = module.lyapunov_gradient(**case, count=count, warm_up=warm_up, seed=seed)
    B, width = len(exponents), case["params"]["V"].shape[1] * len(case["initial"])
    begin = lyapunov_gradient.first_directions(B, width, count, seed=seed)
    upstream = np.random.default_rng(1).standard_normal(exponents.shape)
    theirs, truth = lyapunov_exponents(autodiff(name))(
        case["params"], case["initial"], case["x"], begin, warm_up, upstream
    )
    found = pullback(upstream)
    assert not any(found.pop(name).any() or truth.pop(name).any() for name in FREE)
    return (exponents, found), (theirs, truth)


def some(name):
    """How many exponents: of ReLUs, some of which are off, few directions are left."""
    return 1 if name == "rnn_relu" else 3


def assert_agree(found, truth):
    """Where the Jacobian does not depend on the state, nothing depends on U and b: zeros, then, on both sides."""
    zero = {name for name, array in truth.items() if not array.any()}
    assert not any(found[name].any() for name in zero)
    assert zero <= {"U", "b", "h0"}
    assert_close(*({name: array for name, array in of.items() if name not in zero} for of in (found, truth)))


@any_cell
@pytest.mark.parametrize("warm_up", [0, 2])
def test_is_what_autodiff_gives(name, warm_up):
    (ours, found), (theirs, truth) = both(name, drawn(name), count=some(name), warm_up=warm_up)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)
    assert_agree(found, truth)


@settings(max_examples=6)  # each of a shape of its own, which JAX compiles
@given(
    T=st.integers(1, 7), B=st.integers(1, 3), n=st.integers(1, 6), left=st.integers(0, 5), data=st.data(),
    name=st.sampled_from(["rnn", "rnn", "gru", "lstm_peephole"]),
)  # fmt: skip
def test_for_drawn_sizes(T, B, n, left, data, name):
    case = drawn(name, T=T, B=B, n=n, seed=data.draw(st.integers(0, 2**16)))
    width = n * len(case["initial"])
    warm_up = data.draw(st.integers(0, T - 1))
    count = max(1, width - left)
    (ours, found), (theirs, truth) = both(name, case, count=count, warm_up=warm_up)
    _, pullback = lyapunov_gradient.lyapunov_gradient(**case, count=count, seed=5)
    smallest = min(np.abs(np.diagonal(step.R, axis1=1, axis2=2)).min() for step in pullback.__self__.steps)
    lost = max(1, 1 / smallest)  # an error of eps in a Jacobian, of a saturated unit say, is eps/R_ii in log R_ii
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13 * lost)
    largest = max(np.abs(array).max() for array in truth.values())
    for variable, array in truth.items():
        assert np.abs(found[variable] - array).max() <= 1e-12 * lost**2 * largest, variable


def test_tokens_are_one_hot_inputs():
    case, ids = drawn("gru"), np.random.default_rng(0).integers(0, 2, (6, 2))
    one_hot = flossing(**{**case, "x": np.eye(2)[ids]}, count=3)
    tokens = flossing(**{**case, "x": ids}, count=3)
    assert tokens.loss == pytest.approx(one_hot.loss, rel=1e-13)
    assert_close(without(tokens.gradients), without(one_hot.gradients))


def without(gradients):
    return {name: array for name, array in gradients.items() if name not in FREE}


def test_it_is_the_slope_of_the_loss():
    """By the central difference, through no derivation at all."""
    case, rng, h = drawn("lstm"), np.random.default_rng(3), 1e-6
    found = flossing(**case, count=5, target=-0.3, warm_up=1)
    for name, gradient in without(found.gradients).items():
        along = rng.standard_normal(gradient.shape)
        losses = []
        for sign in (1, -1):
            params, initial = dict(case["params"]), dict(case["initial"])
            of = initial if name.endswith("0") else params
            key = name.removesuffix("0") if of is initial else name
            of[key] = of[key] + sign * h * along
            moved = case | {"params": params, "initial": initial}
            losses.append(flossing(**moved, count=5, target=-0.3, warm_up=1).loss)
        assert (gradient * along).sum() == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-6, abs=1e-8)


# Closed forms


@pytest.mark.parametrize("T", [1, 5])
def test_of_the_linear_network_the_sum_is_the_logarithm_of_the_determinant(T):
    """Σ λ_i = log|det W|, whose gradient is W⁻ᵀ; neither U nor b nor the state has a part in it."""
    case = drawn("rnn_identity", T=T, n=5)
    exponents, pullback = lyapunov_gradient.lyapunov_gradient(**case)
    W = case["params"]["W"]
    np.testing.assert_allclose(exponents.sum(axis=1), np.linalg.slogdet(W)[1], rtol=1e-12)
    gradient = pullback(np.full(exponents.shape, 1 / len(exponents)))
    assert off({"W": gradient["W"]}, {"W": np.linalg.inv(W).T})["W"] <= 1e-11
    assert not any(gradient[name].any() for name in ("U", "b", "h0", "V", "c"))


def test_of_one_linear_unit_everything_is_known():
    """λ = log|w|, L = (log|w| − λ*)², dL/dw = 2 (log|w| − λ*)/w."""
    case = drawn("rnn_identity", n=1)
    w = -0.37
    case["params"]["W"][:] = w
    found = flossing(**case, target=0.2)
    assert found.loss == pytest.approx((np.log(0.37) - 0.2) ** 2, rel=1e-14)
    assert found.gradients["W"][0, 0] == pytest.approx(2 * (np.log(0.37) - 0.2) / w, rel=1e-14)


def test_an_orthogonal_linear_network_has_nothing_to_floss():
    case = drawn("rnn_identity", n=5)
    case["params"]["W"] = 1.3 * np.linalg.qr(case["params"]["W"])[0]
    found = flossing(**case, count=3)
    np.testing.assert_allclose(found.exponents, np.log(1.3), rtol=1e-13)
    assert flossing(**case, count=3, target=np.log(1.3)).loss < 1e-28


def test_all_exponents_of_a_tanh_network_add_up_to_its_slopes_and_the_determinant():
    """(1/τ) Σ_t log|det J(t)| with J = diag(1 − h²) W, whatever the directions: so ∇b too has a closed form."""
    case = drawn("rnn", T=1, B=1)
    sums = []
    for seed in (0, 1):
        exponents, pullback = lyapunov_gradient.lyapunov_gradient(**case, seed=seed)
        sums.append((exponents.sum(), pullback(np.ones_like(exponents))))
    params = case["params"]
    h = np.tanh(case["initial"]["h"] @ params["W"].T + case["x"][0] @ params["U"].T + params["b"])
    assert sums[0][0] == pytest.approx(np.log(1 - h**2).sum() + np.linalg.slogdet(params["W"])[1], rel=1e-12)
    for _, gradient in sums:  # d/da log(1 − h²) = −2 h
        np.testing.assert_allclose(gradient["b"], -2 * h[0], rtol=0, atol=1e-12)
        expected = np.linalg.inv(params["W"]).T - 2 * h.T @ case["initial"]["h"]
        np.testing.assert_allclose(gradient["W"], expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_over_a_long_run_they_are_the_exponents_of_the_diagnostics():
    """Which go back with the transposed Jacobians, from other directions: the same in the limit only."""
    rng, cell = np.random.default_rng(0), cells.get("rnn")
    params = initialise(cell, n_in=2, n_hidden=6, n_out=1, seed=0, gain=1.5)
    x = rng.standard_normal((1500, 1, 2))
    known = diagnostics.lyapunov_exponents(cell, params, x, settle=100, warm_up=100)
    exponents, _ = lyapunov_gradient.lyapunov_gradient(cell, params, x, warm_up=200)
    apart = np.abs(exponents[0] - known["exponent"].values)
    assert (apart <= 4 * known["standard_error"].values + 1e-3).all()
    assert np.ptp(exponents) > 0.5


# What it is for


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_some_updates_bring_the_exponents_to_zero(name):
    cell, optimiser = cells.get(name), Adam()
    params = initialise(cell, n_in=1, n_hidden=10, n_out=1, seed=0)
    x = np.random.default_rng(1).integers(0, 2, (40, 2, 1)).astype(float)
    before = flossing(cell, params, x, count=8, warm_up=10)
    for _ in range(60):
        optimiser.update(params, flossing(cell, params, x, count=8, warm_up=10).gradients, 0.02)
    after = flossing(cell, params, x, count=8, warm_up=10)
    assert after.loss < before.loss / 10
    condition = [np.ptp(found.exponents, axis=1).max() for found in (before, after)]  # its logarithm, per step
    assert condition[1] < condition[0] / 3


# The function as such


def test_the_gradient_is_linear_in_what_comes_to_it_and_may_be_asked_for_again():
    exponents, pullback = lyapunov_gradient.lyapunov_gradient(**drawn("gru"), count=3)
    u, v = np.random.default_rng(0).standard_normal((2, *exponents.shape))
    of_u, of_v, of_both = pullback(u), pullback(v), pullback(u + v)
    assert_close(without({name: of_u[name] + of_v[name] for name in of_u}), without(of_both))
    for name, array in pullback(u).items():
        np.testing.assert_array_equal(array, of_u[name])


def test_sequences_do_not_see_each_other():
    case = drawn("rnn", B=3)
    together, pullback = lyapunov_gradient.lyapunov_gradient(**case, count=2)
    upstream = np.zeros_like(together)
    upstream[1] = 1
    found = pullback(upstream)
    changed = case | {"x": case["x"].copy()}
    changed["x"][:, 0] += 1
    other, pullback = lyapunov_gradient.lyapunov_gradient(**changed, count=2)
    np.testing.assert_array_equal(other[1:], together[1:])
    assert_close(without(pullback(upstream)), without(found), eps=1e-14)
    assert not found["h0"][[0, 2]].any()


@pytest.mark.parametrize("name", ["rnn", "lstm_peephole", "rnn_orthogonal"])
def test_float32_stays_float32(name):
    narrow, wide = (flossing(**drawn(name, dtype=dtype), count=3) for dtype in (np.float32, np.float64))
    assert {array.dtype for array in (narrow.exponents, *narrow.gradients.values())} == {np.dtype(np.float32)}
    assert_close(without(narrow.gradients), without(wide.gradients), eps=2e-4)


# Planted mistakes


MISTAKES = {
    "second derivatives of the state dropped": (".tangent for name in self.cell.states}  # (G4)",
                                                ".tangent * 0 for name in self.cell.states}  # (G4)"),
    "the gradient in place of its R": ("sums[name] += found.tangent", "sums[name] += found.value"),
    "warm-up counted": ("counts = t >= self.warm_up", "counts = True"),
    "one step of the window left out": ("counts = t >= self.warm_up", "counts = t > self.warm_up"),
    "divided by all steps": ("- self.warm_up\n        grad_Q", "\n        grad_Q"),
    "R forgotten": ("/ (counted * _diagonal(step.R))", "/ counted"),
    "its sign forgotten": ("/ (counted * _diagonal(step.R))", "/ (counted * np.abs(_diagonal(step.R)))"),
    "directions taken for constants": ("for name in self.cell.states})  # (G3)", "for name in self.cell.states}) * 0"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(mistake, monkeypatch):
    right, wrong = MISTAKES[mistake]
    source = Path(lyapunov_gradient.__file__).read_text(encoding="utf-8")
    assert source.count(right) == 1
    module = types.ModuleType("with_a_mistake")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(source.replace(right, wrong), module.__dict__)
    (_, found), (_, truth) = both("rnn", drawn("rnn"), count=3, warm_up=2, module=module)
    assert max(off(found, truth).values()) > 1e-2


@pytest.mark.parametrize("wrong", [lambda M: M, lambda M: 0 * M, lambda M: np.tril(M, -1)])
def test_a_mistake_in_the_decomposition_is_seen_in_the_end(wrong, monkeypatch):
    monkeypatch.setattr(qr, "sym", wrong)
    (_, found), (_, truth) = both("rnn", drawn("rnn"), count=3)
    assert max(off(found, truth).values()) > 1e-2


@any_cell
def test_what_is_symmetrised_is_zero_but_at_both_ends_of_the_window(name, monkeypatch):
    """As the exponents depend on what the first i directions span, and on nothing else of them."""
    kept = []
    monkeypatch.setattr(qr, "sym", lambda M: kept.append(np.tril(M)) or np.tril(np.triu(M)))
    (_, found), (_, truth) = both(name, drawn(name, T=7), count=some(name), warm_up=2)
    assert_agree(found, truth)
    sizes = [np.abs(lower).max() for lower in kept]  # from the last step back
    assert min(sizes[0], sizes[5]) > 0.01
    assert max(sizes[1:5] + sizes[6:]) < 1e-10


# Bad input


def test_what_does_not_fit_is_named():
    case = drawn("rnn")
    for changed, sentence in [
        ({"count": 5}, r"count is 5; with 4 exponents and 6 steps it is a whole number from 1 to 4\."),
        ({"count": 0}, r"count is 0; "),
        ({"count": 2.0}, r"count is 2\.0; "),
        ({"warm_up": 6}, r"warm_up is 6; with 4 exponents and 6 steps it is a whole number from 0 to 5\."),
        ({"target": np.nan}, r"target is nan; it is the exponent to come to, a finite number"),
        ({"target": "0"}, r"target is '0'; "),
        ({"params": {}}, r"The cell 'rnn' has the parameters .* missing: U, W, b, V, c"),
        ({"x": case["x"][:0]}, r"at least one step"),
        ({"cell": stack(case["cell"], layers=2)}, r"^flossing takes one cell"),
        ({"params": {n: a.astype(np.longdouble) for n, a in case["params"].items()}}, r"float32 and float64 only"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            flossing(**{**case, **changed})
    _, pullback = lyapunov_gradient.lyapunov_gradient(**case, count=2)
    with pytest.raises(ValueError, match=r"∂L/∂λ has the shape \(2, 3\); expected that of the exponents, \(2, 2\)\."):
        pullback(np.ones((2, 3)))


def test_a_direction_that_is_lost_is_named_with_its_step():
    case = drawn("rnn_relu")
    case["params"]["b"][:] = -100.0
    with pytest.raises(ValueError, match=r"Direction 1 is lost at step 1, in sequence 0: .*Its exponent is −∞"):
        flossing(**case)
    flat = drawn("rnn")
    flat["params"]["W"][3] = flat["params"]["W"][2]  # of rank three
    assert flossing(**flat, count=3).loss > 0
    with pytest.raises(ValueError, match=r"Direction 4 is lost at step 1, .* take a smaller count"):
        flossing(**flat)


def test_a_run_that_outgrows_the_format_is_named():
    case = drawn("rnn_identity", T=60)
    case["params"]["W"] *= 1e9
    with pytest.raises(ValueError, match=r"The state h, .*, is not finite after step 3\d, in sequence \d: the run "):
        flossing(**case)
