"""Diagnostics with an oracle: right cells agree, every planted mistake is seen, and what cannot be decided is said."""

from dataclasses import replace

import numpy as np
import pytest

from manual_rnn import cells, diagnostics, initialise, loss_and_gradients
from manual_rnn.cells.rnn import backward as right_backward
from manual_rnn.diagnostics import Disagreement
from reference import autodiff
from thorough import only_thorough

T, B, N = 25, 2, 5


def problem(name, *, gain=1.0, dtype=np.float64, tokens=False):
    rng = np.random.default_rng(3)
    params = initialise(cells.get(name), n_in=3, n_hidden=N, n_out=4, gain=gain, seed=rng, dtype=dtype)
    x = rng.integers(0, 3, (T, B)) if tokens else rng.standard_normal((T, B, 3)).astype(dtype)
    return params, x, rng.integers(0, 4, (T, B))


OF_LOSS = ("gradient_norms", "loss_by_state", "contributions", "gradient_ways")
OF_RUN = ("jacobian_singular_values", "lyapunov_exponents", "saturation", "gate_memory")
HAVE_NONE = {("rnn_identity", "saturation")} | {
    (name, "gate_memory") for name in cells.names() if cells.get(name).keep is None
}


def measured(diagnostic, cell, params, x, y, **options):
    arguments = (params, x, y) if diagnostic in OF_LOSS else (params, x)
    return getattr(diagnostics, diagnostic)(cell, *arguments, **options)


some_cells = pytest.mark.parametrize("name", [
    "rnn", "lstm", "rnn_orthogonal",
    *only_thorough(*(name for name in cells.names() if name not in ("rnn", "lstm", "rnn_orthogonal"))),
])  # fmt: skip
every_diagnostic = pytest.mark.parametrize("diagnostic", [*OF_LOSS, *OF_RUN])


@some_cells
@every_diagnostic
def test_right_cells_agree_with_autodiff(diagnostic, name):
    if (name, diagnostic) in HAVE_NONE:
        pytest.skip("the cell has nothing that this diagnostic is of")
    # At gain one the linear network's states grow until it is sure of some answers: its gradients have fewer digits.
    gain = 0.7 if name == "rnn_identity" else 1.0
    for tokens in (False, True):
        given = problem(name, tokens=tokens, gain=gain)
        found = measured(diagnostic, cells.get(name), *given, against=autodiff(name))
        assert "manual and autodiff agree" in found.attrs["cross_check"]
        assert "nothing to decide" not in found.attrs["cross_check"]
        assert found.attrs["worst_relative_error"] < 1e-12
        alone = measured(diagnostic, cells.get(name), *given)
        assert found.drop_attrs().equals(alone.drop_attrs())  # the check changes nothing of the result


@pytest.mark.parametrize("sure", [12.0, *only_thorough(3.0, 18.0)])
@pytest.mark.parametrize("diagnostic", ["gradient_norms", "loss_by_state", "contributions"])
def test_a_network_that_is_sure_of_its_answer_is_not_called_wrong(diagnostic, sure):
    """Of a ŷ within e^−sure of one, ŷ − 1 has few digits, ours and theirs: by chance they differ by some ulp of ŷ."""
    cell, (params, x, _) = cells.get("rnn"), problem("rnn")
    params["V"] = 1e-3 * np.random.default_rng(0).standard_normal(params["V"].shape)
    for scale in np.linspace(0.7, 1.3, 7):
        params["c"] = np.array([scale * sure, 0.0, 0.3, -0.2])
        found = measured(diagnostic, cell, params, x, np.zeros((T, B), int), against=autodiff("rnn"))
        assert "manual and autodiff agree" in found.attrs["cross_check"]


@every_diagnostic
def test_single_precision_agrees_in_its_own_digits(diagnostic):
    found = measured(diagnostic, cells.get("gru"), *problem("gru", dtype=np.float32), against=autodiff("gru"))
    assert 1e-9 < found.attrs["worst_relative_error"] < 1e-4


@pytest.mark.parametrize("gain", [0.02, 4.0])
def test_vanished_and_chaotic_gradients_agree_too(gain):
    for diagnostic in ("loss_by_state", "contributions", "jacobian_singular_values", "lyapunov_exponents"):
        found = measured(diagnostic, cells.get("rnn"), *problem("rnn", gain=gain), against=autodiff("rnn"))
        assert "agree" in found.attrs["cross_check"]


def off_by_a_little(node, prev, grad, tap):
    """1e-9 too much of the slope: no eye sees it in a figure."""
    return {"a": tap("a", (1 - node.h**2 * (1 + 1e-9)) * grad.h)}


@pytest.mark.parametrize("diagnostic", [*OF_LOSS, "jacobian_singular_values", "lyapunov_exponents"])
def test_a_mistake_in_the_backward_equations_is_seen(diagnostic):
    cell = replace(cells.get("rnn"), backward=off_by_a_little)
    with pytest.raises(Disagreement, match=r"DISAGREE: worst relative error \S+ \(.*(step|row) \d+, .*\)"):
        measured(diagnostic, cell, *problem("rnn"), against=autodiff("rnn"))


@pytest.mark.parametrize("diagnostic", ["lyapunov_exponents", "saturation", "gate_memory"])
def test_a_mistake_in_the_forward_equations_is_seen(diagnostic):
    right = cells.get("lstm")

    def forward(node, prev, tap):
        return right.forward(node, prev, lambda name, v: tap(name, v * 1.000000001 if name == "c" else v))

    with pytest.raises(Disagreement, match="DISAGREE"):
        measured(diagnostic, replace(right, forward=forward), *problem("lstm"), against=autodiff("lstm"))


def off(oracle, **factors):
    """An oracle whose gradients are off by these factors."""

    def mistaken(problems):
        return [(nodes, {k: g * factors.get(k, 1) for k, g in grads.items()}) for nodes, grads in oracle(problems)]

    return mistaken


def test_a_wrong_slope_is_seen_though_all_nodes_are_right():
    with pytest.raises(Disagreement, match="slope of h: manual and autodiff DISAGREE"):
        measured("saturation", cells.get("rnn"), *problem("rnn"), against=off(autodiff("rnn"), a=1 + 1e-9))


def test_a_wrong_sum_of_parts_is_seen_though_all_parts_are_right():
    with pytest.raises(Disagreement, match=r"^∇W: manual and autodiff DISAGREE: .* \(parameter W\)"):
        measured("contributions", cells.get("rnn"), *problem("rnn"), against=off(autodiff("rnn"), W=1 + 1e-9))


def test_the_place_of_one_wrong_step_is_said():
    factor = np.ones((T, 1, 1))
    factor[6] = 1 + 1e-9
    with pytest.raises(Disagreement, match=r"\(loss \d+, step 7, sequence [01]\)"):
        measured("loss_by_state", cells.get("rnn"), *problem("rnn"), against=off(autodiff("rnn"), h=factor))


def test_a_wrong_direction_is_seen_where_the_norms_are_right():
    """Gradients whose units have changed places have the norms that they should have."""
    oracle = autodiff("rnn")

    def turned(problems):
        return [(nodes, {**grads, "h": grads["h"][..., ::-1]}) for nodes, grads in oracle(problems)]

    with pytest.raises(Disagreement, match=r"^gradients of losses: .* DISAGREE"):
        measured("loss_by_state", cells.get("rnn"), *problem("rnn"), against=turned)


def test_where_nothing_can_be_decided_it_says_so():
    params, x, y = problem("rnn")
    found = diagnostics.loss_by_state(
        cells.get("rnn"), params, x, y, weights=np.full((T, B), 1e-310), against=autodiff("rnn")
    )
    assert "nothing to decide" in found.attrs["cross_check"]
    assert np.isnan(found.attrs["worst_relative_error"])
    assert np.isfinite(found.sel(loss=T, step=T)).all()


def test_a_cell_of_ones_own_with_its_own_partner():
    jnp = pytest.importorskip("jax.numpy")

    def reference(p, prev, x, tap):
        return {"h": tap("h", jnp.tanh(tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])))}

    own = replace(cells.get("rnn"), name="own", backward=right_backward, against=reference)
    found = measured("loss_by_state", own, *problem("rnn"), against=autodiff(reference))
    assert found.attrs["worst_relative_error"] < 1e-12


def test_the_gradients_that_are_clipped_beside_an_oracles():
    params, x, y = problem("rnn")
    ours = [loss_and_gradients(cells.get("rnn"), params, x, y).gradients] * 2
    ours = [{name: g for name, g in one.items() if name in params} for one in ours]
    rest = {"initial": {"h": np.zeros((B, N))}, "x": x, "y": y, "weights": np.ones((T, B))}
    _, theirs = autodiff("rnn")([{"params": params, **rest}])[0]
    found = diagnostics.clipping_statistics(ours, [1.0], against=[theirs, theirs])
    assert found.attrs["worst_relative_error"] < 1e-13
    wrong = {**theirs, "b": theirs["b"] * 1.01}
    found = diagnostics.clipping_statistics(ours, [1.0], against=[theirs, wrong])
    assert found.relative_error.values[1] == pytest.approx(0.01 / 1.01)
    assert "(update 2)" in found.attrs["cross_check"]
    with pytest.raises(ValueError, match="against has 1 updates, and there are gradients of 2"):
        diagnostics.clipping_statistics(ours, [1.0], against=[theirs])
    with pytest.raises(ValueError, match="against has no gradient of V, W, b, c, which"):
        diagnostics.clipping_statistics(ours, [1.0], against=[{"U": theirs["U"]}, theirs])


def test_jax_is_not_imported_for_it():
    import subprocess
    import sys

    code = "import sys, manual_rnn.diagnostics; print('jax' in sys.modules, 'reference' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
