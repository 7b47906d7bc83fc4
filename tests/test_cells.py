"""What each cell must do because of what it is: gates that keep, weights that stay orthogonal; and how one declares."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_rnn import cells, initialise, loss_and_gradients
from manual_rnn.cell import Affine, Cell, Derived, Term
from manual_rnn.cells.antisymmetric_rnn import DIFFUSION
from manual_rnn.network import parameter_shapes, widths
from manual_rnn.testing.strategies import cases
from oracle_cases import USUAL, draw

RNN = cells.get("rnn")
NAMES = cells.names()
OPEN = 1e3
"""A bias at which σ is one, and zero with the other sign, to the last bit."""


def run(cell, case, **changed):
    arguments = {"params": case.params, "x": case.x, "y": case.y, "weights": case.weights, "initial": case.initial}
    return loss_and_gradients(cell, **(arguments | changed), inputs=True)


# How a cell is declared


def declared(**fields):
    return Cell("mine", RNN.forward, RNN.backward, **fields)


TWICE = "has the names {} twice, or for something else than the network around it"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"maps": (Affine(), Affine(node="i"))}, TWICE.format("U, W, b")),
        ({"maps": (Affine(), Affine(U="U_2", W="W_2", b="b_2"))}, TWICE.format("a")),
        ({"maps": (Affine(U="V", b="c"),)}, TWICE.format("V, c")),
        ({"maps": (Affine(b="x"),)}, TWICE.format("x")),
        ({"maps": (Affine(node="W"),)}, TWICE.format("W")),
        ({"maps": (Affine(more=(Term(weight="U", of="h"),)),)}, TWICE.format("U")),
        ({"states": ("h", "b")}, TWICE.format("b")),
        ({"weights": (Derived(name="W", of="U", forward=np.array, backward=np.array),)}, TWICE.format("U")),
        ({"maps": (Affine(U=None),)}, "has no map with a U: it never sees its input"),
        ({"maps": (Affine(of="c"),)}, r"The map 'a' of the cell 'mine' takes c; it may take states .*\(h\)"),
        (
            {"maps": (Affine(of="r", now=True, more=(Term(weight="Z", of="z", now=True),)),)},
            "The map 'a' of the cell 'mine' takes two nodes of its step; it may take .* one node of its own step",
        ),
    ],
)
def test_a_declaration_that_makes_no_cell_is_refused_in_a_sentence(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        declared(**fields)


def test_what_may_be_declared():
    """A node that has a name of the network's is the cell's own; two terms may be of one node of the step."""
    declared(maps=(Affine(of="c"),), states=("h", "c"))
    both = (Term(weight="Z", of="z", now=True), Term(weight="p", of="z", now=True, diagonal=True))
    assert declared(maps=(Affine(more=both),)).maps[0].waits_for == "z"
    assert (declared().maps[0].waits_for, declared().full("o"), declared().full("h")) == (None, "cell.o", "h")
    assert (declared().own("cell.o"), declared().own("o"), declared().own("h")) == ("o", None, "h")


@pytest.mark.parametrize("name", NAMES)
def test_the_shapes_of_the_parameters_are_those_of_their_products(name):
    """Each product of each map fits, and nothing else is a parameter."""
    cell = cells.get(name)
    shapes = parameter_shapes(cell, n_in=3, n_hidden=4, n_out=5)
    made = {w.name: w.of for w in cell.weights}
    used = {"V": (5, 4), "c": (5,)}
    for m in cell.maps:
        used |= {term.weight: (4,) if term.diagonal else (4, 4) for term in m.terms}
        used |= ({m.U: (4, 3)} if m.U else {}) | ({m.b: (4,)} if m.b else {})
    assert shapes == {made.get(weight, weight): shape for weight, shape in used.items()}
    assert widths(cell, initialise(cell, n_in=3, n_hidden=4, n_out=5)) == (3, 4, 5)


@pytest.mark.parametrize("name", NAMES)
def test_the_bias_that_keeps_the_state_keeps_it(name):
    """With no other way back: families of vanished gradients and initialisations for long memories go by it."""
    cell = cells.get(name)
    if cell.keep is None:
        uses = any("sigmoid" in function.__code__.co_names for function in (cell.forward, cell.backward))
        assert uses == (name == "rnn_sigmoid")  # whose units are logistic, and no gates
        return
    case = draw(cell)
    maps = {term.weight: np.zeros_like(case.params[term.weight]) for m in cell.maps for term in m.terms}
    first = f"{cell.states[-1]}0"
    more, less = (
        np.abs(run(cell, case, params={**case.params, **maps, cell.keep: np.full(4, bias)}).gradients[first]).max()
        for bias in (6.0, -6.0)
    )
    assert more > 20 * less


# Gates that are open or closed


@pytest.mark.parametrize("name", ["lstm", "lstm_peephole"])
def test_with_the_forget_gate_open_and_the_input_gate_closed_c_is_carried_for_ever(name):
    """To the last bit, over 500 steps; and so is its gradient back, if no other gate sees the state before."""
    cell = cells.get(name)
    case = draw(cell, sizes=dataclasses.replace(USUAL, T=500))
    params = {**case.params, "b_f": np.full(4, OPEN), "b_i": np.full(4, -OPEN), "W_o": np.zeros((4, 4))}
    last = np.zeros(case.y.shape)
    last[-1] = 1
    result = run(cell, case, params=params, weights=last)
    np.testing.assert_array_equal(result.state["c"], case.initial["c"])
    assert (result.tape["cell.c"] == case.initial["c"]).all()
    assert (result.node_gradients["cell.c"] == result.gradients["c0"]).all()
    assert (result.gradients["c0"] != 0).all()


def test_with_the_output_gate_closed_as_well_an_lstm_shows_nothing():
    cell = cells.get("lstm")
    case = draw(cell)
    result = run(cell, case, params={**case.params, "b_o": np.full(4, -OPEN)})
    assert (result.tape["h"] == 0).all()
    assert all((result.gradients[f"{weight}_{k}"] == 0).all() for weight in "WUb" for k in "ifgo")


@pytest.mark.parametrize(("name", "bias"), [("gru", "b_z"), ("gru_reset_before", "b_z"), ("minimal_rnn", "b_u")])
def test_with_the_update_gate_open_the_state_is_kept(name, bias):
    """To the last bit, and ∇h(t) is the sum of what comes from the steps after."""
    cell = cells.get(name)
    case = draw(cell)
    result = run(cell, case, params={**case.params, bias: np.full(4, OPEN)})
    assert (result.tape["h"] == case.initial["h"]).all()
    from_loss = result.node_gradients["o"] @ case.params["V"]
    np.testing.assert_allclose(result.node_gradients["h"], from_loss[::-1].cumsum(axis=0)[::-1], rtol=1e-12)
    np.testing.assert_allclose(result.gradients["h0"], from_loss.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("name", ["gru", "gru_reset_before"])
def test_with_the_reset_gate_closed_and_the_update_gate_too_no_step_knows_the_one_before(name):
    cell = cells.get(name)
    case = draw(cell)
    shut = {"b_r": np.full(4, -OPEN), "b_z": np.full(4, -OPEN)}
    result = run(cell, case, params={**case.params, **shut})
    d_n = case.params.get("d_n", 0) * 0  # r takes the bias of the state's map away as well
    alone = np.tanh(case.x @ case.params["U_n"].T + case.params["b_n"] + d_n)
    np.testing.assert_allclose(result.tape["h"], alone, rtol=1e-13)
    assert (result.gradients["h0"] == 0).all()


# One cell as a case of another


@given(st.integers(0, 2**32 - 1))
def test_reset_before_and_after_agree_where_the_state_is_taken_by_element(seed):
    """r ∘ (W_n h) = W_n (r ∘ h) for a diagonal W_n, and with d_n = 0 there is no other difference."""
    after, before = cells.get("gru"), cells.get("gru_reset_before")
    case = draw(after, seed=seed)
    params = {**case.params, "W_n": np.diag(np.diag(case.params["W_n"])), "d_n": np.zeros(4)}
    one = run(after, case, params=params)
    two = run(before, case, params={name: array for name, array in params.items() if name != "d_n"})
    np.testing.assert_allclose(two.tape["h"], one.tape["h"], rtol=1e-12, atol=1e-14)
    for name, gradient in two.gradients.items():
        off, truth = gradient - one.gradients[name], one.gradients[name]
        if name == "W_n":  # off the diagonal the two are not one function
            off, truth = np.diag(off), np.diag(truth)
        assert np.abs(off).max() <= 1e-12 * np.abs(truth).max(), name


def test_reset_before_and_after_differ_where_it_is_not():
    after, before = cells.get("gru"), cells.get("gru_reset_before")
    case = draw(after)
    params = {**case.params, "d_n": np.zeros(4)}
    two = run(before, case, params={name: array for name, array in params.items() if name != "d_n"})
    assert np.abs(run(after, case, params=params).tape["h"] - two.tape["h"]).max() > 1e-3


@given(data=st.data())
def test_peepholes_of_zero_are_an_lstm(data):
    """But for the order of a sum: with one sequence, what goes back through all gates is one product, or two."""
    seeing, plain = cells.get("lstm_peephole"), cells.get("lstm")
    case = data.draw(cases(plain, families=["ordinary", "saturated", "smallest"]))
    blind = {f"p_{k}": np.zeros(case.spec.sizes.n_hidden, case.dtype) for k in "ifo"}
    one, two = run(plain, case), run(seeing, case, params={**case.params, **blind})
    eps = np.finfo(case.dtype).eps
    assert two.loss == pytest.approx(one.loss, rel=100 * eps)
    for part in ("tape", "node_gradients", "gradients"):
        for name in getattr(one, part):
            mine, theirs = (getattr(result, part)[name] for result in (two, one))
            few = 100 * eps * np.abs(theirs).max(initial=0)
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=few, err_msg=name, strict=True)
    assert set(two.gradients) - set(one.gradients) == set(blind)


@given(st.integers(0, 2**32 - 1))
def test_a_vanilla_network_with_the_made_weight_for_its_w_is_the_same_network(seed):
    """So that what is the orthogonal cell's own is how its weight is made, and nothing else."""
    cell = cells.get("rnn_orthogonal")
    case = draw(cell, seed=seed)
    made = run(cell, case)
    plain = run(RNN, case, params={"W": made.tape["W"], **{n: a for n, a in case.params.items() if n != "Y"}})
    np.testing.assert_array_equal(made.tape["h"], plain.tape["h"])
    np.testing.assert_array_equal(made.node_gradients["W"], plain.gradients["W"])


# Weights that are made


def made_weight(name, seed, n, dtype=np.float64, scale=1.0):
    (w,) = cells.get(name).weights
    of = (scale * np.random.default_rng(seed).standard_normal((n, n))).astype(dtype)
    return w, of, w.forward(of)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12), exponent=st.integers(-100, 100))
def test_the_orthogonal_cells_weight_is_orthogonal_of_whatever_size_its_parameter_is(seed, n, exponent):
    w, of, W = made_weight("rnn_orthogonal", seed, n, scale=10.0**exponent)
    assert np.abs(W @ W.T - np.eye(n)).max() <= 8 * n * np.finfo(float).eps
    assert np.linalg.det(W) == pytest.approx((-1) ** n)
    np.testing.assert_allclose(w.forward(1e3 * of), W, atol=1e-13)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 8))
def test_its_gradient_is_along_no_row_of_the_parameter(seed, n):
    """A longer v_k makes the same reflection."""
    w, of, W = made_weight("rnn_orthogonal", seed, n)
    grad_W = np.random.default_rng(seed + 1).standard_normal((n, n))
    grad = w.backward(of, W, grad_W)
    assert np.abs((grad * of).sum(axis=1)).max() <= 1e-12 * np.abs(grad).max() * np.abs(of).max()
    assert np.abs(grad).max() > 0


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12))
def test_the_antisymmetric_cells_eigenvalues_are_on_one_line(seed, n):
    _, _, W = made_weight("antisymmetric_rnn", seed, n)
    eigenvalues = np.linalg.eigvals(W)
    rounding = 1e-12 * (1 + np.abs(W).sum())
    np.testing.assert_allclose(eigenvalues.real, -DIFFUSION, rtol=0, atol=rounding)
    assert abs(eigenvalues.imag.sum()) <= rounding


@pytest.mark.parametrize("name", ["rnn_orthogonal", "antisymmetric_rnn"])
@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 7))
def test_the_parameters_gradient_is_the_complex_step_of_the_weight(name, dtype, seed, n):
    w, of, W = made_weight(name, seed, n, dtype)
    grad_W, along = (np.random.default_rng(seed + k).standard_normal((n, n)).astype(dtype) for k in (1, 2))
    slope = w.forward(of + 1j * (dtype(1e-200) * along)).imag / dtype(1e-200)
    grad = w.backward(of, W, grad_W)
    assert grad.dtype == W.dtype == dtype
    shortest = min(1, np.linalg.norm(of.astype(float), axis=1).min())
    size = np.abs(grad_W).sum() * np.abs(along).sum() / shortest
    assert abs((grad * along).sum() - (grad_W * slope).sum()) <= 64 * np.finfo(dtype).eps * size
