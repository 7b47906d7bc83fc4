"""Every diagnostic beside what cannot be measured: one clear sentence, or the right number where there is one."""

import subprocess
import sys

import numpy as np
import pytest

from manual_rnn import cells, diagnostics, initialise
from manual_rnn.diagnostics import Unmeasurable

OF_LOSS = ("gradient_norms", "loss_by_state", "contributions", "gradient_ways")
OF_RUN = ("jacobian_singular_values", "lyapunov_exponents", "perturbation_exponent", "saturation", "gate_memory")
LINEAR, RELU, LSTM = (cells.get(name) for name in ("rnn_identity", "rnn_relu", "lstm"))


def measured(diagnostic, cell=LINEAR, *, T=30, gain=1.0, size=1.0, change=None, y=None, **options):
    rng = np.random.default_rng(0)
    params = initialise(cell, n_in=3, n_hidden=4, n_out=4, gain=gain, seed=rng) | (change or {})
    x, ids = size * rng.standard_normal((T, 1, 3)), rng.integers(0, 4, (T, 1))
    y = ids if y is None else y
    arguments = (params, x, y) if diagnostic in OF_LOSS else (params, x)
    return getattr(diagnostics, diagnostic)(cell, *arguments, **options)


@pytest.mark.parametrize("diagnostic", [*OF_LOSS, *(name for name in OF_RUN if name != "gate_memory")])
def test_states_that_are_not_finite(diagnostic):
    """Those of a gated cell stay within; the sentence says the step and why."""
    with pytest.raises(Unmeasurable, match=r"state h is not finite from step \d+ on, in sequence 0: the forward pass"):
        measured(diagnostic, RELU, T=2000, change={"W": 10 * np.eye(4)})


def test_states_of_gates_stay_within():
    assert np.isfinite(measured("gate_memory", LSTM, gain=1e3)["mean"]).all()


GROWS = {"W": 10 * np.eye(4), "b": np.zeros(4)}


@pytest.mark.parametrize("diagnostic", ["gradient_norms", "gradient_ways"])
def test_gradients_that_are_not_finite(diagnostic):
    sentence = (
        r"^The gradient of h is not finite from step 9\d back, in sequence 0: on its way back it grows beyond "
        r"1\.8e\+308, where float64 ends\. loss_by_state has the norms"
    )
    with pytest.raises(Unmeasurable, match=sentence):
        measured(diagnostic, T=400, size=0.0, change=GROWS, reduction="last")


@pytest.mark.parametrize("factor", [10.0, 1e-10, 1e-200])
def test_log_space_holds_where_float64_ends(factor):
    """The linear network with W = g·1, in closed form: every step back is a factor of g, in every diagnostic."""
    change = {"W": factor * np.eye(4), "b": np.zeros(4)}
    lags = np.arange(401)
    options = {"T": 400, "size": 0.0, "change": change}
    M = measured("loss_by_state", **options).sel(sequence=0, loss=400).values[::-1]
    np.testing.assert_allclose(M, M[0] + lags * np.log(factor), rtol=1e-12)
    values = measured("jacobian_singular_values", **options).sel(sequence=0).values
    np.testing.assert_allclose(values, np.repeat(lags[:, None] * np.log(factor), 4, axis=1), rtol=1e-12, atol=1e-12)
    found = measured("lyapunov_exponents", **options)
    np.testing.assert_allclose(found.exponent, np.log(factor), rtol=1e-12)
    last = np.zeros((400, 1))
    last[-1] = 1
    parts = measured("contributions", parameter="U", weights=last, T=400, change={"W": min(factor, 1) * np.eye(4)})
    x = np.random.default_rng(0)
    initialise(LINEAR, n_in=3, n_hidden=4, n_out=4, gain=1.0, seed=x)
    inputs = np.log(np.linalg.norm(x.standard_normal((400, 3)), axis=1))[::-1]
    expected = lags[:400] * np.log(min(factor, 1)) + inputs
    np.testing.assert_allclose(parts.log_norm - parts.log_norm[0], expected - expected[0], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("weight", [1e-150, 1e-250, 1e250])
def test_losses_of_any_size_keep_their_logarithms(weight):
    weights = np.full((30, 1), weight)
    for diagnostic, key in (("loss_by_state", None), ("contributions", "log_norm"), ("gradient_norms", "log_norm")):
        one, other = measured(diagnostic), measured(diagnostic, weights=weights)
        one, other = (found if key is None else found[key] for found in (one, other))
        seen = np.isfinite(one.values)
        np.testing.assert_allclose(other.values[seen], one.values[seen] + np.log(weight), rtol=1e-10)
    shares = measured("contributions", weights=weights)
    np.testing.assert_allclose(shares.share, measured("contributions").share, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("diagnostic", ["loss_by_state", "contributions"])
def test_a_loss_beyond_the_format_whose_gradient_is_within(diagnostic):
    y = np.full((30, 1, 4), 1e200)  # their squares, the loss, are none of float64's
    found = [measured(diagnostic, loss="squared", y=y * size) for size in (1e-100, 1)]
    one, other = (logs if diagnostic == "loss_by_state" else logs.log_norm for logs in found)
    seen = np.isfinite(one.values)
    np.testing.assert_allclose(other.values[seen], one.values[seen] + np.log(1e100), rtol=1e-10)


@pytest.mark.parametrize("diagnostic", OF_LOSS)
def test_a_loss_that_is_empty(diagnostic):
    with pytest.raises(Unmeasurable, match=r"^The loss is empty: its weight is zero at every step of every sequence"):
        measured(diagnostic, weights=np.zeros((30, 1)))


def test_a_gradient_that_is_zero_has_no_parts():
    with pytest.raises(Unmeasurable, match=r"^The gradient of W is zero: it has no parts"):
        measured("contributions", change={"V": np.zeros((4, 4))})


@pytest.mark.parametrize("diagnostic", [*OF_LOSS, "jacobian_singular_values", "saturation", "gate_memory"])
def test_one_step(diagnostic):
    found = measured(diagnostic, LSTM, T=1, **({"parameter": "U_i"} if diagnostic == "contributions" else {}))
    assert found.sizes.get("step", 2) in (1, 2)


@pytest.mark.parametrize(("diagnostic", "sentence"), [
    ("lyapunov_exponents", "Of 1 steps, settle = 0 and warm_up = 0 leave 1; at least 20 are needed"),
    ("perturbation_exponent", "Of 1 steps, settle = 0 leaves 1; at least every = 5 are needed, or one"),
])  # fmt: skip
def test_one_step_has_no_rate(diagnostic, sentence):
    with pytest.raises(ValueError, match=sentence):
        measured(diagnostic, T=1)


def test_directions_that_are_lost_for_good_have_minus_infinity():
    found = measured("lyapunov_exponents", change={"W": np.zeros((4, 4))})
    assert (found.exponent == -np.inf).all()
    with pytest.raises(Unmeasurable, match="After step 5 the two runs are the same"):
        measured("perturbation_exponent", change={"W": np.zeros((4, 4))})


def test_cells_without_what_a_diagnostic_needs():
    with pytest.raises(ValueError, match="has no tanh, logistic function or ReLU in its equations"):
        measured("saturation", LINEAR)
    with pytest.raises(ValueError, match="declares no gate that keeps its state"):
        measured("gate_memory", LINEAR)
    with pytest.raises(ValueError, match="has no state 'c'; it has h"):
        measured("gradient_ways", LINEAR, state="c")
    assert (measured("gradient_ways", LINEAR).log_along == -np.inf).all()  # all goes through W


def test_a_gate_without_a_name():
    from manual_rnn import Affine, Cell
    from manual_rnn.activations import sigmoid

    def forward(node, prev, tap):
        return {"h": tap("h", sigmoid(node.a_f) * prev.h + node.a)}

    cell = Cell("leaky", forward, lambda node, prev, grad, tap: {}, keep="b_f", maps=(
        Affine(), Affine(node="a_f", W="W_f", U="U_f", b="b_f")))  # fmt: skip
    with pytest.raises(ValueError, match="The gate that keeps the state of the cell 'leaky' is a part of an equation"):
        measured("gate_memory", cell)


@pytest.mark.parametrize("every", [0, -1, True])
def test_every_so_many_steps(every):
    with pytest.raises(ValueError, match=f"every is {every}; it is a whole number of steps, at least 1"):
        measured("jacobian_singular_values", every=every)


def test_without_xarray_it_says_what_to_install():
    code = "import sys; sys.modules['xarray'] = None; import manual_rnn.diagnostics"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.rstrip().endswith(
        'ModuleNotFoundError: The diagnostics need xarray, which is not installed; it comes with: pip install '
        '"manual-rnn[figures]".'
    )
    assert "During handling" not in done.stderr
