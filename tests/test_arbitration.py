"""The arbitration: who stands alone, for planted mistakes in each party, and that it says so only when it can."""

import dataclasses
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manual_rnn import cells
from manual_rnn.testing.agreement import Verdict
from manual_rnn.testing.arbitration import arbitrate, as_estimate
from manual_rnn.testing.oracles.complex_step import complex_step
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.oracles.finite_differences import finite_differences
from oracle_cases import NAMES, autodiff_gradients, chaotic, draw, manual_gradients, vanished, well_conditioned
from thorough import in_every_run

RNN = cells.get("rnn")
SEED, PERCENT = st.integers(0, 2**32 - 1), st.integers(0, 100)
ORDINARY = st.builds(lambda seed, severity: draw(RNN, seed=seed, severity=severity), SEED, PERCENT)
FEW = settings(deadline=None, max_examples=4)
RECURRENT = ("U", "W", "b", "h0", "x")


def parties(case, *, cell=RNN, step="rnn", with_complex=False):
    answers = {
        "manual": manual_gradients(cell, case),
        "autodiff": autodiff_gradients(step, case),
        "finite differences": finite_differences(RNN, case),
    }
    return answers | ({"complex step": complex_step(RNN, case)} if with_complex else {})


def without_derivative(case):
    """Equation B5 without 1 − h²."""
    return dataclasses.replace(RNN, backward=lambda node, prev, grad, tap: {"a": tap("a", grad.h)})


def transposed(case):
    """Equation B4 with W for Wᵀ: what the right map carries back is taken off again."""
    W = case.params["W"]

    def backward(node, prev, grad, tap):
        a = tap("a", (1 - node.h**2) * grad.h)
        return {"a": a, "h_prev": a @ W.T - a @ W}

    return dataclasses.replace(RNN, backward=backward)


def wrong_step(p, prev, x, tap):
    """A reference whose values are right and whose tanh has a derivative of 1 − h."""
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", _tanh(a))}


@jax.custom_jvp
def _tanh(a):
    return jnp.tanh(a)


_tanh.defjvp(lambda primals, tangents: (jnp.tanh(primals[0]), (1 - jnp.tanh(primals[0])) * tangents[0]))


@FEW
@given(well_conditioned("rnn"))
def test_all_agree_where_all_are_right(case):
    result = arbitrate(parties(case, with_complex=True))
    assert result.agree, str(result)
    assert result.alone == {}
    assert list(result.verdicts) == list(NAMES)
    assert all(v.spread < 1e-7 for v in result.verdicts.values())


@pytest.mark.parametrize("plant", [without_derivative, transposed])
def test_manual_stands_alone_when_its_equation_is_wrong(plant):
    @FEW
    @given(ORDINARY)
    def holds(case):
        result = arbitrate(parties(case, cell=plant(case)))
        assert not result.agree
        assert result.alone == {"manual": RECURRENT}, str(result)
        assert result.verdicts["V"].outcome == result.verdicts["c"].outcome == "agree"

    holds()


@FEW
@given(ORDINARY)
def test_autodiff_stands_alone_when_a_derivative_of_the_reference_is_wrong(case):
    result = arbitrate(parties(case, step=wrong_step))
    assert result.alone == {"autodiff": RECURRENT}, str(result)
    assert "autodiff stands alone: manual and finite differences agree to " in str(result.verdicts["W"])


@FEW
@given(ORDINARY, st.sampled_from(NAMES))
def test_finite_differences_stand_alone_when_they_are_wrong(case, name):
    answers = parties(case)
    right = answers["finite differences"][name]
    wrong = dataclasses.replace(right, value=right.value * np.longdouble(1.001))
    result = arbitrate({**answers, "finite differences": {**answers["finite differences"], name: wrong}})
    assert result.alone == {"finite differences": (name,)}, str(result)
    assert "finite differences stand alone: manual and autodiff agree" in str(result)


@pytest.mark.parametrize(("exponent", "plant"), in_every_run(
    [(-50, without_derivative), (-250, transposed)], product([-50, -250], [without_derivative, transposed])
))  # fmt: skip
def test_a_mistake_in_a_vanished_gradient_is_found_by_complex_step_and_not_by_finite_differences(exponent, plant):
    case = vanished(RNN, exponent)
    assert arbitrate(parties(case, with_complex=True)).agree
    verdict = arbitrate(parties(case, cell=plant(case), with_complex=True)).verdicts["h0"]
    assert (verdict.outcome, verdict.alone, verdict.undecided) == ("stands alone", ("manual",), ("finite differences",))
    assert "finite differences cannot decide: the error" in verdict.sentence

    alone = arbitrate(parties(case, cell=plant(case))).verdicts["h0"]
    assert alone.outcome == "cannot decide"
    assert "manual and autodiff differ by" in alone.sentence


def test_in_a_chaotic_network_nobody_can_decide():
    case = chaotic(RNN)
    answers = {
        "manual": {"h0": manual_gradients(RNN, case)["h0"]},
        "finite differences": finite_differences(RNN, case, names=["h0"]),
        "complex step": complex_step(RNN, case, names=["h0"]),
    }
    result = arbitrate(answers)
    assert result.verdicts["h0"].outcome == "cannot decide"
    assert not result.agree


def estimate(value, error=1e-12, why=""):
    value = np.atleast_1d(np.asarray(value, np.longdouble))
    return Estimate(value, np.full(value.shape, error), why)


def verdict(**values) -> Verdict:
    return arbitrate({party: {"W": v} for party, v in values.items()}).verdicts["W"]


def test_the_sentences():
    one = estimate([1.0])
    assert str(verdict(manual=one, autodiff=one, differences=estimate([1 + 1e-12]))) == (
        "grad_W: manual, autodiff and differences agree to 1e-12"
    )
    assert str(verdict(manual=estimate([1.54]), autodiff=one, differences=estimate([1 + 1e-12]))) == (
        "grad_W: manual stands alone: autodiff and differences agree to 1e-12, manual is off by 54 %"
    )
    assert str(verdict(manual=estimate([1.0]), autodiff=estimate([2.0]), differences=estimate([4.0]))) == (
        "grad_W: no two agree: manual and autodiff differ by 50 %, manual and differences differ by 75 %, "
        "autodiff and differences differ by 50 %"
    )
    assert str(verdict(manual=estimate([1.0]), autodiff=estimate([2.0]))) == (
        "grad_W: cannot decide: manual and autodiff differ by 50 %, and there is no third to tell"
    )
    assert str(verdict(manual=one, autodiff=one, differences=estimate([1.0], 0.5))) == (
        "grad_W: manual and autodiff agree to 0e+00; "
        "differences cannot decide: the error (5.0e-01) exceeds 1e-03 of the norm (1.0e+00)"
    )
    assert str(verdict(manual=one, differences=estimate([1.0], np.inf, "the cell has kinks"))) == (
        "grad_W: cannot decide: differences cannot decide: the cell has kinks"
    )
    assert str(verdict(manual=one, autodiff=one, differences=estimate([2.0]), step=estimate([2.0]))) == (
        "grad_W: divided: manual and autodiff agree, and so do differences and step, but manual and differences "
        "differ by 50 %, manual and step differ by 50 %, autodiff and differences differ by 50 %, "
        "autodiff and step differ by 50 %"
    )
    both = verdict(manual=estimate([5.0]), other=estimate([9.0]), autodiff=one, differences=one)
    assert both.alone == ("manual", "other")
    assert "manual and other stand alone" in both.sentence
    assert "manual is not finite" in verdict(manual=np.array([np.nan]), autodiff=one, differences=one).sentence
    assert "manual is not zero" in verdict(manual=one, autodiff=estimate([0]), differences=estimate([0])).sentence
    assert "off by 1.0e+03 times the norm" in verdict(manual=estimate([1001]), autodiff=one, differences=one).sentence


def test_who_agrees_with_both_of_two_that_differ_does_not_tell_them_apart():
    """Agreement is not transitive: 1 and 1 + 1e-6 differ, and a difference with an error of 1e-5 agrees with both."""
    found = verdict(manual=estimate([1.0]), autodiff=estimate([1 + 1e-6]), differences=estimate([1.0], 1e-5))
    assert (found.outcome, found.alone) == ("divided", ())


def test_noise_of_a_finite_difference_sets_no_scale():
    """0 ± 1e-15 beside 1e-50 decides nothing; beside a wrong 1e-5 it does."""
    noise, right = estimate([1e-16], 1e-15), estimate([1e-50], 1e-60)
    found = verdict(manual=right, autodiff=right, differences=noise)
    assert (found.outcome, found.undecided) == ("agree", ("differences",))
    assert verdict(manual=estimate([3e-50], 1e-60), autodiff=right, differences=noise).outcome == "cannot decide"
    found = verdict(manual=estimate([1e-5], 1e-15), autodiff=right, differences=noise)
    assert (found.outcome, found.alone) == ("stands alone", ("manual",))
    assert "agree within their errors (1e-15)" in found.sentence


def test_what_the_format_cannot_hold_is_not_judged_and_not_passed():
    found = arbitrate({"manual": {"W": np.array([3e-310])}, "autodiff": {"W": np.array([0.0])}})
    assert found.verdicts["W"].outcome == "too small"
    assert not found.agree
    noise = estimate([1e-16], 1e-15, "the loss's own rounding hides it")
    assert verdict(manual=np.zeros(1), autodiff=np.zeros(1), differences=noise).outcome == "too small"
    both = arbitrate({p: {"W": np.array([0.0]), "b": np.array([1.0])} for p in ("manual", "autodiff")})
    assert both.agree


def test_two_infinities_do_not_agree():
    found = verdict(manual=np.array([np.inf]), autodiff=np.array([np.inf]), differences=estimate([1.0]))
    assert (found.outcome, found.agreeing) == ("no two agree", ())


@pytest.mark.parametrize(("dtype", "unseen", "seen"), [(np.float64, 1e-10, 1e-6), (np.float32, 1e-4, 1e-2)])
def test_a_plain_array_is_right_to_half_of_its_digits(dtype, unseen, seen):
    value = np.array([1, -2, 3e-30], dtype)
    assert verdict(manual=value, autodiff=value * dtype(1 + unseen)).outcome == "agree"
    assert verdict(manual=value, autodiff=value * dtype(1 + seen)).outcome == "cannot decide"
    given = as_estimate(value)
    assert as_estimate(given) is given


def test_x_is_judged_step_by_step():
    """A mistake in a vanished step is nothing beside the others, in the norm of the whole."""
    x = 10.0 ** -np.arange(0, 60, 10)[:, None, None] * np.ones((6, 2, 3))
    wrong = x.copy()
    wrong[4] *= 1.5
    answers = {"manual": {"x": wrong}, "autodiff": {"x": x}, "complex step": {"x": estimate(x, 1e-60)}}
    found = arbitrate(answers).verdicts["x"]
    assert found.alone == ("manual",)
    assert found.sentence.startswith("at t = 4 (the worst of 6 steps) manual stands alone: autodiff and complex step")
    assert arbitrate(answers, by_step=()).verdicts["x"].outcome == "agree"


def test_what_cannot_be_judged_is_named():
    with pytest.raises(ValueError, match="needs two parties; there is manual"):
        arbitrate({"manual": {"W": np.ones(1)}})
    with pytest.raises(ValueError, match=r"grad_W must have one shape: manual has \(2, 2\), autodiff has \(4,\)\."):
        arbitrate({"manual": {"W": np.ones((2, 2))}, "autodiff": {"W": np.ones(4)}})
    assert arbitrate({"manual": {"W": np.ones(1)}, "autodiff": {"b": np.ones(1)}}).verdicts == {}
