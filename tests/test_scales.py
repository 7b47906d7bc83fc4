"""The natural scale of every equation, against sums of magnitudes written out by loops."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_rnn import cells
from manual_rnn.testing import Sizes, Spec
from manual_rnn.testing.families import FAMILIES, build, families_for
from manual_rnn.testing.scales import natural_scales, previous_states
from oracle_cases import USUAL
from reference import autodiff
from thorough import cells_of_each_kind

RNN = cells.get("rnn")
CELLS = [cells.get(name) for name in cells.names()]


def answered(cell, family="ordinary", sizes=USUAL, seed=0, severity=50, dtype="float64"):
    case = build(cell, Spec(family, sizes, dtype, seed, severity))
    ((nodes, grads),) = autodiff(cell.name)([case.for_oracle()])
    return case, nodes, grads


def scales_of(cell, case, nodes, grads):
    with np.errstate(all="ignore"):
        return natural_scales(cell, case, (nodes, grads))


def with_backward(formula):
    return dataclasses.replace(RNN, backward=lambda node, prev, grad, tap: {"a": tap("a", formula(node, grad))})


@pytest.mark.parametrize("seed", range(4))
def test_each_scale_is_the_sum_of_magnitudes_written_out(seed):
    case, nodes, grads = answered(RNN, seed=seed)
    forward, backward = scales_of(RNN, case, nodes, grads)
    x, w, s = case.for_oracle()["x"], np.abs(case.weights), case.spec.sizes
    p = {name: np.abs(array) for name, array in case.params.items()}
    before = np.abs(np.concatenate([case.initial["h"][None], nodes["h"][:-1]]))
    h, g = np.abs(nodes["h"]), {name: np.abs(array) for name, array in grads.items()}
    by_hand = {name: np.zeros_like(array) for name, array in [*nodes.items()]}
    back = {name: np.zeros_like(array) for name, array in grads.items()}
    for t, i in np.ndindex(s.T, s.B):
        by_hand["a"][t, i] = p["W"] @ before[t, i] + p["U"] @ np.abs(x[t, i]) + p["b"]
        by_hand["h"][t, i] = h[t, i]
        by_hand["o"][t, i] = p["V"] @ h[t, i] + p["c"]
        o, target = nodes["o"][t, i], case.y[t, i]
        by_hand["loss"][t, i] = w[t, i] * (1 + np.log(s.n_out) + abs(o.max()) + abs(o[target]))
        y_hat = np.exp(o - o.max()) / np.exp(o - o.max()).sum()
        one_hot = np.arange(s.n_out) == target
        back["o"][t, i] = w[t, i] * (y_hat * (1 + np.abs(o) + abs(o.max())) + one_hot)
        back["a"][t, i] = (1 + h[t, i]) ** 2 * g["h"][t, i]
        back["x"][t, i] = p["U"].T @ g["a"][t, i]
        back["h"][t, i] = p["V"].T @ g["o"][t, i] + (p["W"].T @ g["a"][t + 1, i] if t + 1 < s.T else 0)
        back["c"] += g["o"][t, i]
        back["b"] += g["a"][t, i]
        back["V"] += np.outer(g["o"][t, i], h[t, i])
        back["W"] += np.outer(g["a"][t, i], before[t, i])
        back["U"] += np.outer(g["a"][t, i], np.abs(x[t, i]))
    for i in range(s.B):
        back["h0"][i] = p["W"].T @ g["a"][0, i]
    for name, expected in by_hand.items():
        np.testing.assert_allclose(forward[name].of, expected, rtol=1e-12, err_msg=name)
    for name, expected in back.items():
        np.testing.assert_allclose(backward[name].of, expected, rtol=1e-12, err_msg=f"grad_{name}")


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_the_scales_of_every_map_are_sums_of_magnitudes(cell):
    """By one einsum a product, for what a cell declares: products by element, and with nodes of the same step."""
    case, nodes, grads = answered(cell)
    forward, backward = scales_of(cell, case, nodes, grads)
    s, x = case.spec.sizes, np.abs(case.for_oracle()["x"])
    p = {name: np.abs(array) for name, array in {**nodes, **case.params}.items()}
    inputs = np.zeros((s.T, s.B, s.n_in))
    for m in cell.maps:
        expected, g = np.zeros((s.T, s.B, s.n_hidden)), np.abs(grads[cell.full(m.node)])
        for term in m.terms:
            rows = nodes[cell.full(term.of)]
            rows = np.abs(rows if term.now else np.concatenate([case.initial[term.of][None], rows[:-1]]))
            weight = np.diag(p[term.weight]) if term.diagonal else p[term.weight]
            expected += np.einsum("ij,tbj->tbi", weight, rows)
            summed = np.einsum("tbi,tbj->ij", g, rows)
            summed = np.diag(summed) if term.diagonal else summed
            np.testing.assert_allclose(backward[term.weight].of, summed, rtol=1e-12, err_msg=term.weight)
        if m.U:
            expected += np.einsum("ij,tbj->tbi", p[m.U], x)
            np.testing.assert_allclose(backward[m.U].of, np.einsum("tbi,tbj->ij", g, x), rtol=1e-12)
            inputs += np.einsum("ij,tbi->tbj", p[m.U], g)
        if m.b:
            expected += p[m.b]
            np.testing.assert_allclose(backward[m.b].of, g.sum(axis=(0, 1)), rtol=1e-12)
        np.testing.assert_allclose(forward[cell.full(m.node)].of, expected, rtol=1e-12, err_msg=m.node)
    np.testing.assert_allclose(backward["x"].of, inputs, rtol=1e-12)


def test_the_terms_are_those_of_the_longest_sum():
    case, nodes, grads = answered(RNN)
    s = case.spec.sizes
    forward, backward = scales_of(RNN, case, nodes, grads)
    terms = {name: scale.terms for name, scale in forward.items()}
    assert terms == {"a": s.n_in + s.n_hidden + 1, "h": 1, "o": s.n_hidden + 1, "loss": s.n_out}
    of_parameters = {backward[name].terms for name in case.params}
    assert of_parameters == {s.T * s.B}
    assert backward["h"].terms == s.n_hidden + s.n_out
    assert (backward["a"].terms, backward["h0"].terms, backward["x"].terms) == (1, s.n_hidden, s.n_hidden)


@pytest.mark.parametrize("cell", cells_of_each_kind())
@given(data=st.data())
def test_no_scale_is_smaller_than_the_number_itself(cell, data):
    family = data.draw(st.sampled_from(families_for(cell)))
    sizes = data.draw(st.sampled_from([USUAL, Sizes(1, 1, 1, 1, 2)]))
    seed, severity = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.integers(0, 100))
    case, nodes, grads = answered(cell, family, sizes, seed, severity)
    forward, backward = scales_of(cell, case, nodes, grads)
    assert set(forward) == set(nodes) >= {cell.full(node) for node in cell.nodes}
    everything = {*case.params, *(set(nodes) - {"loss"}), *(f"{name}0" for name in cell.states), "x"}
    assert set(backward) >= set(grads) == everything
    tiny = np.finfo(case.dtype).tiny
    for numbers, scales in ((nodes, forward), (grads, backward)):
        for name, array in numbers.items():
            assert scales[name].of.shape == array.shape
            finite = np.isfinite(array) & ~np.isnan(scales[name].of)
            short = np.abs(array) - scales[name].of * (1 + 1e-12)
            assert (short[finite] <= 600 * tiny).all(), name  # sums over steps flush what is subnormal


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_scales_have_the_dtype_of_the_case(family, dtype):
    cell = cells.get("rnn_relu") if "kink" in family else RNN
    case, nodes, grads = answered(cell, family, dtype=dtype)
    for scales in scales_of(cell, case, nodes, grads):
        assert {name: scale.of.dtype for name, scale in scales.items()} == dict.fromkeys(scales, np.dtype(dtype))


@pytest.mark.parametrize("name", ["lstm_peephole", "gru_reset_before", "rnn_orthogonal", "antisymmetric_rnn"])
def test_the_scales_of_gates_and_of_made_weights_have_it_too(name):
    """One cell of each kind: a second state, a map that waits, a weight by code that magnitudes cannot run, and can."""
    cell = cells.get(name)
    for scales in scales_of(cell, *answered(cell, dtype="float32")):
        assert {name: scale.of.dtype for name, scale in scales.items()} == dict.fromkeys(scales, np.dtype("float32"))


def by_index(node, grad):
    result = np.zeros(grad.h.shape)
    for i in range(result.shape[-1]):
        result[..., i] = grad.h[..., i] / np.cosh(node.a[..., i]) ** 2
    return result


OTHER_FORMS = {
    "(1 − h²) g": lambda node, grad: (1 - node.h**2) * grad.h,
    "g − h h g": lambda node, grad: grad.h - node.h * node.h * grad.h,
    "g / cosh² a": lambda node, grad: grad.h / np.cosh(node.a) ** 2,
    "4 / (e^a + e^−a)² g": lambda node, grad: 4 / (np.exp(node.a) + np.exp(-node.a)) ** 2 * grad.h,
    "by index": by_index,
    "clip": lambda node, grad: np.clip(1 - node.h**2, 0, 1) * grad.h,
    "einsum": lambda node, grad: np.einsum("...i,...i->...i", 1 - node.h**2, grad.h),
    "a function of two": lambda node, grad: np.hypot(1 - node.h**2, 0) * grad.h,
}


@pytest.mark.parametrize("form", OTHER_FORMS)
@pytest.mark.parametrize("sizes", [USUAL, Sizes(1, 1, 1, 1, 2)])
@pytest.mark.parametrize("severity", [0, 30, 60])
def test_the_scale_of_another_form_has_room_for_the_oracles_own_form(form, sizes, severity):
    """Also of code that cannot be run under magnitude arithmetic: the scale is never just its small result.

    In a saturated cell one form of the derivative is 1e-30 and another is zero: 1 − h² is rounded as a whole.
    """
    case, nodes, grads = answered(RNN, "saturated", sizes, severity=severity)
    _, backward = scales_of(with_backward(OTHER_FORMS[form]), case, nodes, grads)
    flow = np.maximum(np.abs(grads["h"]), np.abs(grads["a"]))
    assert (flow > 0).all()
    assert (backward["a"].of >= flow).all()
    assert (backward["a"].of <= 4 * np.maximum(flow, np.abs(grads["a"]).max(axis=-1, keepdims=True))).all()


def test_code_that_cannot_be_run_has_the_largest_number_of_each_row_or_more():
    def forward(node, prev, tap):
        h = np.empty(node.a.shape)
        for i in range(h.shape[-1]):
            h[..., i] = np.tanh(node.a[..., i])
        return {"h": tap("h", h)}

    case, nodes, grads = answered(RNN)
    scales, _ = scales_of(dataclasses.replace(RNN, forward=forward), case, nodes, grads)
    largest = np.abs(nodes["h"]).max(axis=-1, keepdims=True)
    np.testing.assert_array_equal(scales["h"].of, np.broadcast_to(largest, nodes["h"].shape))


def test_a_dead_unit_has_no_scale():
    """Zero in every form, so it is a true zero and no vanished number: it can be decided."""
    cell = cells.get("rnn_relu")
    case, nodes, grads = answered(cell)
    _, backward = scales_of(cell, case, nodes, grads)
    dead = nodes["a"] <= 0
    assert dead.any()
    assert (backward["a"].of[dead] == 0).all()
    np.testing.assert_array_equal(backward["a"].of[~dead], np.abs(grads["h"])[~dead])


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (None, "backward returned a NoneType; expected a dict with the gradient of each map, 'a'"),
        ({"h": 1}, "backward returned 'h'; 'a' is missing in it"),
        ({}, "backward returned nothing; 'a' is missing in it"),
    ],
)
def test_a_backward_that_returns_something_else_is_told(returned, sentence):
    case, nodes, grads = answered(RNN)
    cell = dataclasses.replace(RNN, backward=lambda node, prev, grad, tap: returned)
    with pytest.raises(ValueError, match=sentence):
        scales_of(cell, case, nodes, grads)


def test_a_forward_that_returns_something_else_is_told():
    case, nodes, grads = answered(RNN)
    cell = dataclasses.replace(RNN, forward=lambda node, prev, tap: tap("h", np.tanh(node.a)))
    with pytest.raises(ValueError, match="forward returned a Magnitude; expected a dict with each state, 'h'"):
        scales_of(cell, case, nodes, grads)


def test_the_states_before_start_with_the_initial_one():
    case, nodes, _ = answered(RNN)
    before = previous_states(RNN, case, nodes)["h"]
    np.testing.assert_array_equal(before[0], case.initial["h"])
    np.testing.assert_array_equal(before[1:], nodes["h"][:-1])
