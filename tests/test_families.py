"""Each family really is the regime that its name says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_rnn import cells
from manual_rnn.check import check_problem
from manual_rnn.gradients import loss_and_gradients
from manual_rnn.network import parameter_shapes
from manual_rnn.testing import Sizes, Spec
from manual_rnn.testing.families import FAMILIES, OF_KINKS, build, families_for
from manual_rnn.testing.strategies import POOL, pool_for

RNN, RELU, LINEAR = (cells.get(name) for name in ("rnn", "rnn_relu", "rnn_identity"))
USUAL = Sizes(8, 2, 3, 8, 5)


def spec(family, severity, *, sizes=USUAL, dtype="float64", seed=0):
    return Spec(family, sizes, dtype, seed, severity)


def solved(cell, *arguments, **options):
    case = build(cell, spec(*arguments, **options))
    with np.errstate(all="ignore"):
        result = loss_and_gradients(
            cell, case.params, case.x, case.y, weights=case.weights, initial=case.initial, inputs=True
        )
    return case, result


def largest(array):
    return float(np.abs(array).max())


def test_a_cell_without_kinks_has_no_families_about_them():
    assert not set(OF_KINKS) & set(families_for(RNN))
    assert not set(OF_KINKS) & set(families_for(LINEAR))
    assert set(families_for(RELU)) == set(FAMILIES)
    assert set(FAMILIES) - set(families_for(RNN)) == set(OF_KINKS)


def test_the_families_are_those_of_the_design():
    wanted = {"ordinary", "smallest", "long", "vanished", "exploding", "saturated", "chaotic", "logits", *OF_KINKS}
    assert set(FAMILIES) == wanted


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_the_same_spec_gives_the_same_bits_in_arrays_that_fit(family, data):
    cell = data.draw(st.sampled_from([c for c in map(cells.get, cells.names()) if family in families_for(c)]))
    sizes = data.draw(st.sampled_from(list(pool_for(family))))
    drawn = spec(
        family, data.draw(st.integers(0, 100)), sizes=sizes, dtype=data.draw(st.sampled_from(["float32", "float64"])),
        seed=data.draw(st.integers(0, 2**32 - 1)),
    )  # fmt: skip
    first, second = build(cell, drawn), build(cell, drawn)
    s = first.spec.sizes
    shapes = parameter_shapes(cell, n_in=s.n_in, n_hidden=s.n_hidden, n_out=s.n_out)
    assert {name: array.shape for name, array in first.params.items()} == shapes
    assert {name: array.shape for name, array in first.initial.items()} == dict.fromkeys(cell.states, (s.B, s.n_hidden))
    arrays, again = (
        {**c.params, **{f"{n}0": a for n, a in c.initial.items()}, "x": c.x, "y": c.y, "weights": c.weights}
        for c in (first, second)
    )
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, again[name], strict=True)
        assert np.isfinite(array).all()
        assert array.dtype == (np.int64 if name == "y" or (name == "x" and array.ndim == 2) else drawn.dtype)
    check_problem(cell, first.params, first.x, first.y, first.initial, first.weights)


@pytest.mark.parametrize("family", FAMILIES)
def test_another_seed_gives_other_numbers(family):
    first, second = (build(RELU, spec(family, 50, seed=seed)) for seed in (1, 2))
    assert not np.array_equal(first.params["W"], second.params["W"])
    assert not np.array_equal(first.initial["h"], second.initial["h"])


@pytest.mark.parametrize("family", ["ordinary", "long", "vanished", "exploding", "saturated", "chaotic", "logits"])
def test_the_severity_decides_too(family):
    low, high = (build(RNN, spec(family, severity)) for severity in (10, 90))
    assert any(not np.array_equal(low.params[name], high.params[name]) for name in low.params)


def test_inputs_are_tokens_and_dense_and_every_kind_of_weights_comes_up():
    built = [build(RNN, spec("ordinary", 50, seed=seed)) for seed in range(60)]
    assert {case.x.ndim for case in built} == {2, 3}
    T, B = USUAL.T, USUAL.B
    kinds = {
        "sum": lambda w: (w == 1).all(),
        "mean": lambda w: (w == 1 / (T * B)).all(),
        "last": lambda w: (w[-1] == 1).all() and (w[:-1] == 0).all(),
        "ragged": lambda w: set(np.unique(w)) == {0, 1} and (np.diff(w, axis=0) <= 0).all(),
        "any": lambda w: (w < 0).any(),
    }
    for kind, holds in kinds.items():
        assert any(holds(case.weights) for case in built), kind


# The regimes


def test_vanished_reaches_1e_280_and_underflow():
    exponents = []
    for severity in range(0, 101, 5):
        case, result = solved(RNN, "vanished", severity)
        assert (case.weights[:-1] == 0).all()
        assert largest(result.node_gradients["h"][-1]) > 1e-3, "only the way back makes it small"
        exponents.append(largest(result.gradients["h0"]))
    assert exponents[0] > 1e-25
    assert any(1e-290 < size < 1e-270 for size in exponents)
    assert any(1e-160 < size < 1e-140 for size in exponents)
    assert exponents[-1] < np.finfo(np.float64).tiny
    assert 0 in exponents or exponents[-1] < 1e-310
    assert (np.diff(np.log10(np.maximum(exponents, 1e-330))) <= 0).all()


@pytest.mark.parametrize("name", [name for name in cells.names() if not cells.get(name).weights])
def test_vanished_falls_in_every_cell_through_every_state_alike(name):
    """What a gate keeps falls as fast as what goes through the maps: by 75 decades for each quarter of the way."""
    cell = cells.get(name)
    for severity in (0, 25, 50, 75, 100):
        _, result = solved(cell, "vanished", severity)
        assert largest(result.node_gradients["h"][-1]) > 1e-2, "only the way back makes it small"
        for state in cell.states:
            fallen = -np.log10(largest(result.gradients[f"{state}0"]))
            by_slope = len(result.tape["h"]) * np.log10(4) if name == "rnn_sigmoid" else 0  # a quarter a step
            assert abs(fallen - 15 - 3 * severity - by_slope) < 3, (state, severity)


@pytest.mark.parametrize("name", ["rnn_orthogonal", "antisymmetric_rnn"])
def test_in_a_cell_whose_weight_is_made_so_that_nothing_vanishes_nothing_does(name):
    for severity in (0, 50, 100):
        _, result = solved(cells.get(name), "vanished", severity)
        assert largest(result.gradients["h0"]) > 1e-3


def test_vanished_falls_through_the_decades_of_float32_in_float32():
    sizes = [largest(solved(RNN, "vanished", s, dtype="float32")[1].gradients["h0"]) for s in (0, 30, 60, 90)]
    assert sizes[0] > 1e-6
    assert 1e-30 < sizes[2] < 1e-15
    assert sizes[-1] < 1e-27


def test_vanished_at_few_steps_is_small_by_the_readout():
    _, result = solved(RNN, "vanished", 80, sizes=Sizes(1, 3, 2, 4, 3))
    assert 0 < largest(result.gradients["W"]) < 1e-200


@pytest.mark.parametrize("name", ["rnn", "rnn_identity", "lstm", "lstm_peephole", "gru", "gru_reset_before"])
def test_exploding_exceeds_1e100_and_stays_finite(name):
    """Not with a weight that is orthogonal; nor in minimalRNN, whose map goes into h in proportion to h itself."""
    cell = cells.get(name)
    _, result = solved(cell, "exploding", 90)
    assert largest(result.gradients["h0"]) > 1e100
    assert all(np.isfinite(gradient).all() for gradient in result.gradients.values())
    assert largest(solved(cell, "exploding", 0)[1].gradients["h0"]) < 1e3


def test_long_neither_dies_nor_explodes_by_itself():
    for severity in (0, 50, 100):
        case, result = solved(LINEAR, "long", severity, sizes=Sizes(521, 2, 3, 5, 4))
        gain = largest(np.linalg.svd(case.params["W"])[1])
        assert 1e-4 < gain**521 < 1e4
        assert np.isfinite(result.loss)


def test_saturated_has_pre_activations_beyond_twenty_where_the_derivative_is_zero():
    _, result = solved(RNN, "saturated", 80)
    a, h = result.tape["a"], result.tape["h"]
    assert np.median(np.abs(a)) > 20
    assert ((1 - h * h == 0) & (np.abs(a) > 20)).any()
    _, mild = solved(RNN, "saturated", 0)
    assert 1 < np.median(np.abs(mild.tape["a"])) < 10


def test_chaotic_is_far_above_the_critical_gain_and_bounded_where_nothing_saturates():
    sizes = Sizes(200, 1, 2, 16, 3)
    case, result = solved(RNN, "chaotic", 50, sizes=sizes)
    assert np.abs(np.linalg.eigvals(case.params["W"])).max() > 2 or case.params["W"].std() * 4 > 1.5
    _, linear = solved(LINEAR, "chaotic", 100, sizes=sizes)
    assert np.isfinite(linear.tape["h"]).all()
    assert np.isfinite(result.loss)
    short = build(RNN, spec("chaotic", 50, sizes=Sizes(17, 1, 2, 3, 3)))
    assert short.params["W"].std() > 2


def test_logits_are_all_zero_or_huge():
    for seed in range(3):
        case, result = solved(RNN, "logits", 10, seed=seed)
        assert (result.tape["o"] == 0).all()
        losses = result.tape["loss"][case.weights != 0] / case.weights[case.weights != 0]
        np.testing.assert_allclose(losses, np.log(USUAL.n_out), rtol=1e-14)
        case, result = solved(RNN, "logits", 100, seed=seed)
        assert largest(result.tape["o"]) > 1e4
        assert np.isfinite(result.loss)
        ones = np.exp(result.tape["o"] - result.tape["o"].max(-1, keepdims=True)).sum(-1) == 1
        assert ones.any(), "one class has all the probability that the format can hold"


def test_near_a_kink_pre_activations_are_exactly_zero_or_an_ulp_from_it():
    a = np.concatenate([solved(RELU, "near_kink", 50, seed=seed)[1].tape["a"].ravel() for seed in range(20)])
    assert (a == 0).sum() > 10
    assert ((np.abs(a) > 0) & (np.abs(a) < 1e-14)).sum() > 10


def test_away_from_a_kink_pre_activations_stay_clear_of_zero_on_both_sides():
    for severity in (0, 50, 100):
        a = np.concatenate([solved(RELU, "away_from_kink", severity, seed=s)[1].tape["a"].ravel() for s in range(10)])
        assert (np.abs(a) < 0.3).mean() < 0.02
        assert (a > 0).any()
        assert (a < 0).any()


def test_the_smallest_is_one_of_everything_but_the_classes():
    assert list(pool_for("smallest")) == [Sizes(1, 1, 1, 1, 2)]
    assert Sizes(1, 1, 1, 1, 2) in POOL
