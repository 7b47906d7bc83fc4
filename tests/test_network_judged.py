"""The judge on networks: every equation of every layer agrees, in every family, whatever joins the layers."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from manual_rnn import cells, stack
from manual_rnn.network import Network
from manual_rnn.testing import Sizes, Spec, diagnose, judge, verify
from manual_rnn.testing.diagnosis import _named
from manual_rnn.testing.families import build, families_for
from manual_rnn.testing.local import local_verdict
from manual_rnn.testing.scales import natural_scales
from reference import autodiff
from thorough import of_each_kind, only_thorough

BOTH = {"layers": 2, "bidirectional": True, "learned_initial": True}
SHAPE = Sizes(6, 2, 4, 3, 5)
SMALL = Spec("ordinary", Sizes(3, 2, 2, 2, 2), "float64", seed=0, severity=50)


def specs_of(network, **options):
    """A case of each family that applies, all of one shape, so that the reference compiles once."""
    names = families_for(network)
    return [Spec(family, SHAPE, "float64", i, (20, 80)[i % 2], **options) for i, family in enumerate(names)]


def judged(network, oracle, specs):
    report = judge(network, oracle, specs).report()
    assert report.agree, [(e.name, e.label, e.max_error_ulp, e.max_share_of_budget) for e in report.equations]
    return report


@pytest.mark.parametrize("name", of_each_kind())
def test_every_cell_agrees_in_two_layers_and_both_directions(name):
    cell = cells.get(name)
    network = stack(cell, **BOTH)
    oracle = autodiff(name, readout_of=cell.states[0], **BOTH)
    report = judged(network, oracle, specs_of(network, resets=True, dropout=True))
    names = {equation.name for equation in report.equations}
    assert {"layer1.x", "layer1_reverse.x"} & names == set()  # x itself is what they see
    assert {"layer2_reverse.x", "grad_layer1_reverse.x", "grad_x", "grad_layer2.initial_h"} <= names
    for place in network.cells:
        assert {place.full(m.node) for m in cell.maps} <= names
    undecided = sum(count.undecided for count in report.families.values())
    assert undecided < 0.5 * report.total.examples * len(names)


@pytest.mark.parametrize(("options", "of_cases"), [
    ({}, {"resets": True}),
    ({"learned_initial": True}, {}),
    ({"bidirectional": True}, {"resets": True}),
    ({"layers": 2}, {"dropout": True}),
    ({"layers": 3, "learned_initial": True}, {"resets": True, "dropout": True, "loss": "squared"}),
], ids=str)  # fmt: skip
def test_the_rnn_agrees_with_every_option(options, of_cases):
    network = stack(cells.get("rnn"), **options)
    report = judged(network, autodiff("rnn", **options), specs_of(network, **of_cases))
    labels = Counter(equation.label for equation in report.equations)
    assert labels["F1"] == len(network.cells)
    assert (labels["B11"] > 0) == network.learned_initial
    joints = len(network.inputs)
    turned = [cell for cell in network.cells if cell.reverse or of_cases.get("resets") or network.learned_initial]
    assert (labels["F5"], labels["F6"]) == (joints, len(turned))


def test_in_float32_too():
    network = stack(cells.get("rnn"), **BOTH)
    specs = [replace(spec, dtype="float32") for spec in specs_of(network, resets=True, dropout=True)]
    judged(network, autodiff("rnn", **BOTH), specs)


def test_a_network_of_one_layer_is_the_cell():
    rnn = cells.get("rnn")
    of_cell, of_network = (judge(model, autodiff("rnn"), specs_of(rnn)).report() for model in (rnn, Network.of(rnn)))
    assert of_cell == of_network


@pytest.mark.thorough
@pytest.mark.parametrize("name", cells.names())
def test_every_cell_agrees_in_all_that_is_drawn(name):
    cell = cells.get(name)
    for options in (BOTH, {"layers": 2}, {"bidirectional": True}, {"learned_initial": True}):
        oracle = autodiff(name, readout_of=cell.states[0], **options)
        dropout = options.get("layers", 1) > 1
        assert verify(stack(cell, **options), oracle, examples=100, resets=True, dropout=dropout).agree
    assert verify(stack(cell), autodiff(name, readout_of=cell.states[0]), examples=100, resets=True).agree


# What is drawn


def drawn(network, count=60, **options):
    return [build(network, Spec("ordinary", SHAPE, "float64", seed, 50, **options)) for seed in range(count)]


def test_without_resets_and_dropout_there_are_neither_boundaries_nor_masks():
    for case in drawn(stack(cells.get("rnn"), layers=2), count=5):
        assert case.begins is None
        assert case.masks == {}
        assert not {"begins", "masks"} & set(case.for_oracle())


def test_resets_and_lengths_come_up_and_no_loss_beyond_the_end():
    T, B = SHAPE.T, SHAPE.B
    cases = drawn(stack(cells.get("rnn"), bidirectional=True), resets=True)
    assert all(case.begins.shape == (T + 1, B) for case in cases)
    assert any(case.begins[-1].all() for case in cases), "lengths: each sequence ends, the longest behind the last step"
    assert any(case.begins[1:-1].any() and not case.begins[-1].any() for case in cases), "resets alone"
    assert any(not case.begins[1:].any() for case in cases), "none at all"
    ended = [case for case in cases if case.begins[-1].any() and not case.begins[-1].all()]
    assert ended
    assert all(not case.weights[-1, ~case.begins[-1]].any() for case in ended if case.begins[1:-1].sum(0).max() == 1)


def test_learned_initial_states_are_mostly_started_from():
    cases = drawn(stack(cells.get("rnn"), learned_initial=True))
    assert {bool(case.begins[0].all()) for case in cases} == {True, False}
    assert np.mean([case.begins[0].all() for case in cases]) > 0.5


def test_masks_are_zeros_and_what_keeps_the_mean():
    network = stack(cells.get("rnn"), layers=2, bidirectional=True)
    for case in drawn(network, count=20, dropout=True):
        assert set(case.masks) == {"layer2.x", "layer2_reverse.x"}
        for mask in case.masks.values():
            assert mask.shape == (SHAPE.T, SHAPE.B, 2 * SHAPE.n_hidden)
            assert set(np.unique(mask)) in ({0, 1.25}, {0, 2})


def test_a_loss_at_one_end_is_at_either_where_a_cell_goes_back_in_time():
    network = stack(cells.get("rnn"), bidirectional=True)
    cases = [build(network, Spec("vanished", SHAPE, "float64", seed, 50)) for seed in range(20)]
    assert {tuple(np.flatnonzero(case.weights.any(axis=1))) for case in cases} == {(0,), (SHAPE.T - 1,)}


def test_masks_need_a_layer_above_the_first():
    with pytest.raises(ValueError, match="with one layer there is nothing to mask"):
        verify(cells.get("rnn"), autodiff("rnn"), examples=1, dropout=True)


# What the judge says


def told(network, oracle, specs, **options):
    tally = judge(network, oracle, specs, **options)
    return tally.report(diagnose(network, oracle, tally, **options))


def test_a_wrong_cell_is_diagnosed_in_its_layers():
    def backward(node, prev, grad, tap):
        return {"a": tap("a", (1 - node.a**2) * grad.h)}

    network = stack(replace(cells.get("rnn"), backward=backward), bidirectional=True)
    report = told(network, autodiff("rnn", bidirectional=True), [replace(SMALL, resets=True)])
    assert report.blame == ["grad_layer1.a", "grad_layer1_reverse.a"]
    assert "In layer1 and layer1_reverse: Your ∇a has a(t) where the derivation has h(t)." in report.diagnosis
    assert "manual stands alone" in report.diagnosis[-1]


@pytest.mark.parametrize("of_cases", [*only_thorough({}), {"resets": True}], ids=str)
def test_what_a_gru_returns_past_the_maps_is_put_in_words_in_both_directions(of_cases):
    gru = cells.get("gru")

    def backward(node, prev, grad, tap):
        return {**gru.backward(node, prev, grad, tap), "h_prev": grad.h * (1 - node.z)}

    network = stack(replace(gru, backward=backward), bidirectional=True)
    specs = [replace(SMALL, seed=seed, **of_cases) for seed in range(2)]
    report = told(network, autodiff("gru", bidirectional=True), specs)
    assert set(report.blame) == {f"grad_layer1{way}.{name}" for way in ("", "_reverse") for name in ("h", "h0")}
    wrong = "what comes back past the maps, which the cell returns as h_prev, is wrong: ∇h("
    assert sum(wrong in sentence for sentence in report.diagnosis) == 2
    assert f"In layer1 and layer1_reverse: ∇h(0): {wrong}1) ∘ (1 − z(1))." in report.diagnosis
    assert not any("reset" in sentence for sentence in report.diagnosis)


@pytest.mark.parametrize(("names", "sentence"), [
    ([f"grad_{name}" for name in "abcd"], "grad_a, grad_b, grad_c and grad_d"),
    ([f"grad_{name}" for name in "abcdefghijklmn"], "grad_a, grad_b, grad_c, grad_d and 10 others"),
    (
        ["grad_V", *(f"grad_layer{k}.{name}" for k in (1, 2) for name in ("cell.c", "h", "W", "U", "b", "h0"))],
        "grad_cell.c, grad_h, grad_W and grad_U of layer1 and layer2, and 5 others",
    ),
    (
        [f"{grad}layer{k}{way}.h" for grad in ("", "grad_") for k in (1, 2, 3, 4) for way in ("", "_reverse")],
        "h and grad_h of 8 cells",
    ),
])  # fmt: skip
def test_of_many_arrays_a_few_are_named_and_the_others_counted(names, sentence):
    assert _named(names) == sentence


def test_what_joins_cells_is_named_and_put_in_words():
    """The layer above sees half of what it should, and hands down half."""
    from manual_rnn.gradients import forward_and_backward

    def manual(model, *arguments, masks, **options):
        forward_and_backward(model, *arguments, masks={name: 0.5 * mask for name, mask in masks.items()}, **options)

    network = stack(cells.get("rnn"), layers=2)
    report = told(network, autodiff("rnn", layers=2), [replace(SMALL, dropout=True)], manual=manual)
    assert report.blame == ["layer2.x", "grad_layer1.h"]
    assert "In layer2: x is halved (factor 1/2)." in report.diagnosis
    assert "In layer1: ∇h(t): what comes down from the layer above is halved." in report.diagnosis


def test_the_scale_of_what_comes_from_above_is_that_of_its_terms():
    """|m| |∇x| of both directions above, and |W|ᵀ|∇a| of the next step."""
    network = stack(cells.get("rnn"), **BOTH)
    case = build(network, Spec("ordinary", SHAPE, "float64", 1, 50, resets=True, dropout=True))
    (answer,) = autodiff("rnn", **BOTH)([case.for_oracle()])
    grads = answer[1]
    scales = natural_scales(network, case, answer)
    above = sum(case.masks[f"{p}x"] * np.abs(grads[f"{p}x"]) for p in ("layer2.", "layer2_reverse."))
    carried = np.abs(grads["layer1.a"]) @ np.abs(case.params["layer1.W"])
    carried[case.begins[:-1]] = 0
    expected = above[..., : SHAPE.n_hidden]
    expected[:-1] += carried[1:]
    np.testing.assert_allclose(scales[1]["layer1.h"].of, expected, rtol=1e-14)
    assert all(check.agree for check in local_verdict(network, case, answer, scales).values())


RNN = cells.get("rnn")


@pytest.mark.parametrize(
    ("network", "options", "sentence"),
    [
        (stack(RNN, layers=3), {"layers": 2}, r"Only the network has: layer3\.\*; only the oracle has: nothing\."),
        (stack(RNN, layers=2), {"layers": 3}, r"Only the network has: nothing; only the oracle has: layer3\.\*\."),
        (RNN, {"layers": 2}, r"has: the names of a single cell; only the oracle has: layer1\.\*, layer2\.\*\."),
        (stack(RNN, layers=2, bidirectional=True), {"layers": 2}, r"Only the network has: layer1_reverse\.\*, "),
        (stack(RNN, learned_initial=True), {}, r"parameters of the network, but not of the oracle.* learned_initial="),
        (RNN, {"learned_initial": True}, r"parameters of the oracle, but not of the network"),
    ],
)
def test_an_oracle_of_another_network(network, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        verify(network, autodiff("rnn", **options), examples=2)
    problem = build(network, SMALL).for_oracle()
    with pytest.raises(ValueError, match=sentence):
        autodiff("rnn", **options)([problem])


@pytest.mark.parametrize(("name", "other", "sentence"), [
    ("rnn", "gru", r"The oracle, autodiff of gru, asks for 'W_r', and the cell 'rnn' has no such .* U, W, b, V"),
    ("lstm", "lstm_peephole", r"asks for 'p_i', and the cell 'lstm' has no such parameter or state"),
    ("gru", "gru_reset_before", r"does not give n_x, n_h, which the cell 'gru' has; it gives a_n, .*the same cell\."),
])  # fmt: skip
def test_an_oracle_of_another_cell(name, other, sentence):
    with pytest.raises(ValueError, match=sentence):
        verify(cells.get(name), autodiff(other), examples=2)
