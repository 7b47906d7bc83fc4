"""The local verdict: what is right in another form, what is wrong, and what cannot be decided."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_rnn import cells
from manual_rnn.testing import CellFailure, Sizes, Spec, verdicts
from manual_rnn.testing.families import build, families_for
from manual_rnn.testing.local import bound_for, compare, local_verdict
from manual_rnn.testing.scales import natural_scales
from oracle_cases import USUAL
from other_forms import RIGHT_FORMS, RNN, WRITE_IN_PLACE, with_backward
from other_orders import FUSED
from reference import autodiff

EPS, TINY = np.finfo(np.float64).eps, np.finfo(np.float64).tiny
ONE = np.ones(1)


def compared(ours, truth, scale, terms=0):
    return compare(*(np.array([v], float) for v in (ours, truth, scale)), terms)


# compare


def test_an_error_is_counted_in_units_of_the_scale():
    assert compared(1 + 4 * EPS, 1, 1).units == pytest.approx(4)
    assert compared(1 + 4 * EPS, 1, 8).units == pytest.approx(0.5)
    single = compare(*(np.array([v], np.float32) for v in (1 + 2**-22, 1, 1)), 0)
    assert single.units == pytest.approx(2)


@pytest.mark.parametrize("exponent", [0, -50, -150, -280, -305, 150, 300])
def test_there_is_no_absolute_tolerance_at_any_magnitude(exponent):
    truth = 10.0**exponent
    assert compared(truth * (1 + 1e-10), truth, truth).wrong.all() == (exponent > -290)
    assert not compared(truth * (1 + 2 * EPS), truth, truth).wrong.any()
    assert compared(-truth, truth, truth).wrong.all()
    assert not compared(truth, truth, truth).undecided.any() or exponent < -290


@pytest.mark.parametrize("terms", [1, 5, 500])
def test_the_bound_is_thirty_two_units_and_one_for_each_term(terms):
    assert bound_for(terms) == 32 + terms
    bound = bound_for(terms)
    assert compared(1 + (bound - 1) * EPS, 1, 1, terms).agree
    assert not compared(1 + (bound + 1) * EPS, 1, 1, terms).agree


def test_what_has_underflowed_is_undecided_and_never_passed():
    check = compared(0, 1e-310, 1e-310)
    assert check.undecided.all()
    assert check.agree
    assert check.wholly_undecided
    assert compared(0, TINY, TINY).undecided.all()
    assert not compared(1e-290, 1e-290, 1e-290).undecided.any()


def test_what_cancels_to_less_than_half_of_the_digits_is_undecided():
    assert compared(1e-9, 1e-9, 1).undecided.all()
    assert not compared(1e-7, 1e-7, 1).undecided.any()
    assert compared(0, 0, 1).undecided.all()


def test_an_exact_zero_is_undecided_as_nothing_was_shown():
    assert compared(0, 0, 0).undecided.all()


@pytest.mark.parametrize("truth", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ours", [np.nan, np.inf, 1.0])
def test_where_the_reference_is_not_finite_nothing_is_decided(ours, truth):
    check = compared(ours, truth, 1)
    assert check.undecided.all()
    assert check.agree
    assert (check.units == 0).all()


@pytest.mark.parametrize("ours", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("truth", [1.0, 0.0, 1e-310])
def test_what_is_not_finite_where_the_reference_is_finite_is_wrong(ours, truth):
    check = compared(ours, truth, abs(truth))
    assert check.wrong.all()
    assert not check.undecided.any() or np.isnan(ours)
    assert not check.agree


def test_what_is_wrong_is_wrong_also_where_a_right_one_would_be_undecided():
    """A number that cancelled is allowed the rounding of its terms, not more."""
    check = compared(1e-3, 0, 1)
    assert check.wrong.all()
    assert not check.undecided.any()
    assert compared(1e-290, 0, 0).wrong.all()


def test_numbers_are_judged_each_by_itself():
    check = compare(np.array([[1.0, 2.0], [np.nan, 0.0]]), np.array([[1.0, 1.0], [1.0, 0.0]]), np.ones((2, 2)), 1)
    assert check.wrong.tolist() == [[False, True], [True, False]]
    assert check.undecided.tolist() == [[False, False], [False, True]]
    assert not check.wholly_undecided


def test_another_shape_is_told():
    with pytest.raises(ValueError, match=r"it has the shape \(2, 1\), expected \(2,\)"):
        compare(np.ones((2, 1)), np.ones(2), np.ones(2), 1)


@given(st.floats(-1e300, 1e300, allow_subnormal=False), st.integers(0, 4))
def test_the_order_of_a_sum_of_two_more_terms_does_not_matter(value, steps):
    truth = np.array([value])
    ours = truth
    for _ in range(steps):
        ours = np.nextafter(ours, np.inf)
    assert compare(ours, truth, np.abs(truth), 2).agree


# The verdict on a case


SHAPES = (Sizes(1, 1, 1, 1, 2), USUAL)
SPECS = [
    Spec(family, sizes, dtype, seed, severity)
    for family in families_for(RNN)
    for seed, severity, sizes, dtype in [
        (1, 5, SHAPES[1], "float64"), (2, 55, SHAPES[1], "float64"), (3, 100, SHAPES[1], "float64"),
        (4, 95, SHAPES[1], "float32"), (5, 40, SHAPES[0], "float64"),
    ]
]  # fmt: skip


@pytest.fixture(scope="module")
def answered():
    """[(case, answer)] of every family."""
    oracle = autodiff("rnn")
    cases = [build(RNN, spec) for spec in SPECS]
    return [(case, oracle([case.for_oracle()])[0]) for case in cases]


def local(cell, case, answer, **options):
    with np.errstate(all="ignore"):
        return local_verdict(cell, case, answer, natural_scales(cell, case, answer), **options)


@pytest.mark.parametrize("form", RIGHT_FORMS)
def test_a_right_equation_in_another_form_is_failed_in_no_family(form, answered):
    for case, answer in answered:
        by_equation, end_to_end = verdicts(RIGHT_FORMS[form], case, answer)
        wrong = {name: float(np.nanmax(check.units)) for name, check in by_equation.items() if not check.agree}
        assert not wrong, case.spec
        assert not [name for name, blocks in end_to_end.items() if not blocks.agree], case.spec


def test_the_specs_are_of_every_family():
    assert {spec.family for spec in SPECS} == set(families_for(RNN))


@pytest.mark.parametrize("form", FUSED)
def test_a_fused_pass_with_every_sum_in_another_order_is_failed_in_no_family(form, answered):
    for case, answer in answered:
        by_equation, end_to_end = verdicts(RNN, case, answer, manual=FUSED[form])
        assert not [name for name, check in by_equation.items() if not check.agree], case.spec
        assert not [name for name, blocks in end_to_end.items() if not blocks.agree], case.spec


def test_a_nan_is_wrong_and_named(answered):
    cell = with_backward(lambda node, grad: np.where(np.abs(node.h) > 0, np.nan, 1) * grad.h)
    case, answer = answered[0]
    by_equation, end_to_end = verdicts(cell, case, answer)
    assert [name for name, check in by_equation.items() if not check.agree] == ["grad_a"]
    assert not end_to_end["grad_a"].agree
    assert not end_to_end["grad_W"].agree


def test_a_mistake_that_shows_at_one_number_is_found_there(answered):
    def backward(node, prev, grad, tap):
        right = (1 - node.h) * (1 + node.h) * grad.h
        wrong = np.array(right)
        wrong[..., 1, 2] *= 1 + 1e-12
        return {"a": tap("a", wrong)}

    case, answer = next((c, a) for c, a in answered if c.spec.family == "ordinary" and c.spec.sizes == USUAL)
    checks = local(dataclasses.replace(RNN, backward=backward), case, answer)
    assert np.argwhere(checks["grad_a"].wrong).tolist() == [[t, 1, 2] for t in range(USUAL.T)]
    assert all(check.agree for name, check in checks.items() if name != "grad_a")


def test_the_equations_are_those_of_the_contract(answered):
    names = ["a", "h", "o", "loss", "grad_o", "grad_h", "grad_a", "grad_c", "grad_b", "grad_V", "grad_W", "grad_U"]
    for case, answer in answered[:2]:
        assert set(local(RNN, case, answer)) == {*names, "grad_h0", "grad_x"}


def test_the_verdict_changes_nothing_that_it_was_handed(answered):
    case, (nodes, grads) = answered[0]
    before = {name: np.array(array) for name, array in {**nodes, **case.params}.items()}
    local(RNN, case, (nodes, grads))
    for name, array in {**nodes, **case.params}.items():
        np.testing.assert_array_equal(array, before[name])


# What breaks the rules of a cell


@pytest.mark.parametrize("what", WRITE_IN_PLACE)
def test_writing_into_what_was_handed_in_is_told_in_a_sentence(what, answered):
    case, answer = answered[0]
    # JAX's own arrays cannot be written.
    answer = tuple({name: np.array(array) for name, array in part.items()} for part in answer)
    with pytest.raises(CellFailure, match=r"'rnn' writes into an array that it was handed .* must make a new one"):
        verdicts(WRITE_IN_PLACE[what], case, answer)


def backward_that(function):
    return dataclasses.replace(RNN, backward=lambda node, prev, grad, tap: function(node, grad, tap))


BREAKS = {
    "no tap": (lambda n, g, tap: {"a": g.h}, r"grad_a is missing: the reference has it and the manual pass never"),
    "another name": (
        lambda n, g, tap: {"a": tap("A", g.h)}, r"taps a node named 'A' that its reference does not have; .* has a, h"
    ),
    "a parameter's name": (lambda n, g, tap: {"a": tap("b", g.h)}, r"taps a node named 'b' that its reference does"),
    "a list": (lambda n, g, tap: {"a": tap("a", list(g.h))}, r"taps a list as 'a'; expected an array"),
    "another shape": (
        lambda n, g, tap: {"a": tap("a", g.h[..., :1])},
        r"grad_a: it has the shape \(8, 2, 1\), expected \(8, 2, 4\)",
    ),
    "nothing returned": (lambda n, g, tap: None, r"backward returned a NoneType; expected a dict .* of each map, 'a'"),
    "another key": (lambda n, g, tap: {"A": tap("a", g.h)}, r"backward returned 'A'; 'a' is missing"),
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKS)
def test_a_cell_that_breaks_the_rules_is_told_which(what, answered):
    function, sentence = BREAKS[what]
    case, answer = next((c, a) for c, a in answered if c.spec.sizes == USUAL)
    with pytest.raises(ValueError, match=rf"^The cell 'rnn' at T=8 B=2 n_in=3 n_hidden=4 n_out=3: .*{sentence}"):
        verdicts(backward_that(function), case, answer)


def test_an_exception_of_the_cell_is_passed_on_with_the_case(answered):
    def backward(node, prev, grad, tap):
        raise ZeroDivisionError("mine")

    case, answer = answered[0]
    with pytest.raises(CellFailure, match=r"'rnn' raised ZeroDivisionError.*mine") as failure:
        verdicts(dataclasses.replace(RNN, backward=backward), case, answer)
    assert isinstance(failure.value.__cause__, ZeroDivisionError)


def test_a_reference_without_a_node_that_the_cell_has(answered):
    case, (nodes, grads) = answered[0]
    cell = cells.get("rnn")

    def forward(node, prev, tap):
        return {"h": tap("h", tap("tanh", np.tanh(node.a)))}

    with pytest.raises(ValueError, match="taps a node named 'tanh' that its reference does not have"):
        verdicts(dataclasses.replace(cell, forward=forward), case, (nodes, grads))
