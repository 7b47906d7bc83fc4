"""The public strategies: what they draw, that all of it can be drawn, and what they say to wrong arguments."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from manual_rnn import cells
from manual_rnn.testing import Case, Sizes, Spec
from manual_rnn.testing.families import families_for
from manual_rnn.testing.strategies import CHAOTIC, LONG, POOL, SINGLE, cases, draw_specs, pool_for, specs
from thorough import only_thorough

RNN, RELU = cells.get("rnn"), cells.get("rnn_relu")
EVERY_SHAPE = {*POOL, *CHAOTIC, *LONG}
SEARCH = settings(
    max_examples=5000, phases=[Phase.generate, Phase.shrink], database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


def smallest(strategy, holds=lambda drawn: True):
    """The example that Hypothesis shrinks to."""
    return find(strategy, holds, settings=SEARCH)


# The pool of shapes


def test_the_pool_has_the_corner_cases():
    assert any(s.T == s.B == s.n_in == s.n_hidden == 1 for s in POOL)
    for dimension in ("T", "B", "n_in", "n_hidden"):
        assert any(getattr(s, dimension) == 1 and s.T * s.B * s.n_hidden > 1 for s in POOL), dimension
    assert {2, 3, 5, 7, 11, 13, 17, 29} <= {s.T for s in POOL}
    assert any(s.T >= 500 and s.B == 1 for s in LONG)
    assert any(s.T >= 500 and s.B > 1 for s in LONG)
    assert all(s.T >= 500 for s in LONG)
    assert Sizes(200, 1, 2, 16, 3) in CHAOTIC


def test_the_pool_tells_every_transpose():
    """Where two widths are alike, a transposed matrix may pass unseen: most shapes have none alike."""
    different = [s for s in POOL if len({s.n_in, s.n_hidden, s.n_out}) == 3]
    assert len(different) > len(POOL) / 2
    assert sum(s.T != s.B for s in POOL) > 0.8 * len(POOL)
    assert len(set(POOL)) == len(POOL) >= 20


def test_every_shape_that_a_family_may_get_is_of_the_pools():
    for family in families_for(RELU):
        assert set(pool_for(family)) <= EVERY_SHAPE
    assert pool_for("long") == LONG
    assert pool_for("smallest") == (Sizes(1, 1, 1, 1, 2),)
    assert set(SINGLE) <= EVERY_SHAPE


# specs and cases


@pytest.mark.parametrize("cell", [RNN, RELU], ids=["rnn", "rnn_relu"])
@given(data=st.data())
def test_what_is_drawn_is_a_spec_of_the_cell(cell, data):
    drawn = data.draw(specs(cell))
    assert drawn.family in families_for(cell)
    assert drawn.sizes in pool_for(drawn.family)
    assert drawn.dtype in ("float64", "float32")
    assert drawn.dtype == "float64" or drawn.sizes in SINGLE
    assert 0 <= drawn.seed < 2**32
    assert 0 <= drawn.severity <= 100


@pytest.mark.parametrize("family", families_for(RELU))
def test_every_family_and_its_extremes_can_be_reached(family):
    assert smallest(specs(RELU), lambda spec: spec.family == family).family == family
    for severity in (0, 100):
        assert smallest(specs(RELU, families=[family]), lambda spec, s=severity: spec.severity == s)
    for shape in pool_for(family)[:1] + pool_for(family)[-1:]:
        assert smallest(specs(RELU, families=[family]), lambda spec, s=shape: spec.sizes == s)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_dtypes_can_be_reached_and_asked_for(dtype):
    assert smallest(specs(RNN), lambda spec: spec.dtype == dtype)
    assert smallest(specs(RNN, dtypes=[dtype])).dtype == dtype


@given(st.data())
def test_what_narrows_the_choice_is_kept_to(data):
    own = Sizes(4, 3, 2, 5, 7)
    case = data.draw(cases(RNN, families=["logits", "vanished"], sizes=[own], dtypes=["float32"]))
    assert isinstance(case, Case)
    assert case.spec.family in ("logits", "vanished")
    assert case.spec.sizes == own
    assert case.params["W"].dtype == np.float32
    assert case.y.shape == (4, 3)
    assert case.params["V"].shape == (7, 5)


@given(cases(RNN))
def test_an_oracle_gets_every_input_as_dense_rows(case):
    problem, s = case.for_oracle(), case.spec.sizes
    assert problem["x"].shape == (s.T, s.B, s.n_in)
    assert problem["x"].dtype == case.dtype
    if case.x.ndim == 2:
        np.testing.assert_array_equal(problem["x"].argmax(axis=-1), case.x)
        assert set(np.unique(problem["x"])) <= {0, 1}
    else:
        np.testing.assert_array_equal(problem["x"], case.x)
    assert problem["params"] is not case.params


@given(cases(RNN, dtypes=["float64"]))
def test_a_case_in_another_dtype_has_the_same_numbers(case):
    wide = case.astype(np.longdouble)
    np.testing.assert_array_equal(wide.params["W"].astype(np.float64), case.params["W"])
    assert wide.params["W"].dtype == wide.weights.dtype == wide.initial["h"].dtype == np.longdouble
    assert wide.x.dtype == (case.x.dtype if case.x.ndim == 2 else np.longdouble)
    assert wide.y is case.y


def test_shrinking_goes_to_the_first_family_the_smallest_shape_and_no_severity():
    assert smallest(specs(RNN)) == Spec("ordinary", POOL[0], "float64", 0, 0)
    assert smallest(specs(RNN), lambda spec: spec.family == "saturated").sizes == POOL[0]


def test_an_unknown_family_is_told_with_those_that_exist():
    with pytest.raises(ValueError, match=r"There is no family chaos; the families are ordinary, smallest, long, .*"):
        smallest(specs(RNN, families=["ordinary", "chaos"]))
    with pytest.raises(ValueError, match=r"There is no family chaos"):
        smallest(cases(RNN, families=["chaos"]))


# draw_specs


@pytest.mark.parametrize("cell", [RNN, RELU], ids=["rnn", "rnn_relu"])
@pytest.mark.parametrize("examples", [1, 7, 10, 20, 300])
def test_exactly_as_many_are_drawn_as_are_asked_for_in_even_shares(cell, examples):
    drawn = draw_specs(cell, examples, 0)
    assert len(drawn) == examples
    shares = Counter(spec.family for spec in drawn)
    assert set(shares) <= set(families_for(cell))
    if examples >= len(families_for(cell)):
        assert set(shares) == set(families_for(cell))
        assert max(shares.values()) - min(shares.values()) <= 1


@pytest.mark.parametrize("cell", [RNN, RELU], ids=["rnn", "rnn_relu"])  # the families are those of kinks, or not
@pytest.mark.parametrize("seed", [0, 1, *only_thorough(*range(2, 10))])
def test_the_default_run_has_twenty_shapes_long_ones_and_both_dtypes(cell, seed):
    drawn = draw_specs(cell, 300, seed)
    assert len({spec.sizes for spec in drawn}) >= 20
    assert max(spec.sizes.T for spec in drawn) >= 500
    assert {spec.dtype for spec in drawn} == {"float32", "float64"}
    assert Sizes(1, 1, 1, 1, 2) in {spec.sizes for spec in drawn}


def test_most_of_them_are_different():
    drawn = draw_specs(RNN, 300, 0)
    assert len(set(drawn)) > 270


def test_the_seed_decides_and_nothing_else():
    assert draw_specs(RNN, 40, 3) == draw_specs(RNN, 40, 3)
    assert draw_specs(RNN, 40, 3) != draw_specs(RNN, 40, 4)


def test_none_are_drawn_where_none_are_asked_for():
    assert draw_specs(RNN, 0, 0) == []


def test_many_can_be_drawn():
    assert len(draw_specs(RNN, 1000, 0)) == 1000
