"""Right in another convention is not wrong; half of a convention is."""

import pytest

from cs231n import broken, check, outcome

OTHERWISE = "right, in another convention"


def turned(grads, names):
    return {n: g.T if n in names else g for n, g in grads.items()}


@pytest.mark.parametrize(("change", "name", "words"), [
    (lambda g, dh, a: turned(g, ("Wx", "Wh")), "grad_Wx", "transposed"),
    (lambda g, dh, a: {**g, "x": g["x"].swapaxes(0, 1)}, "grad_x", "time and batch exchanged"),
    (lambda g, dh, a: {n: v / len(dh) for n, v in g.items()}, "grad_b", "averaged over the batch (factor 1/B)"),
    (lambda g, dh, a: {n: v / dh.shape[1] for n, v in g.items()}, "grad_b", "averaged over time (factor 1/T)"),
])  # fmt: skip
def test_a_convention_that_holds_throughout_is_said_and_not_failed(change, name, words):
    report = check(broken(change))
    assert report.agree
    found = outcome(report, name)
    assert (found.outcome, found.message) == (OTHERWISE, words)
    assert report.diagnosis == ()
    assert f"{OTHERWISE}: {words}" in str(report)


@pytest.mark.parametrize("change", [
    lambda g, dh, a: turned(g, ("Wh",)),
    lambda g, dh, a: {**g, "b": g["b"] / len(dh)},
    lambda g, dh, a: {n: v / 2 for n, v in g.items()},
    lambda g, dh, a: turned({**g, "b": 2 * g["b"]}, ("Wx", "Wh")),
])  # fmt: skip
def test_half_of_a_convention_is_wrong(change):
    report = check(broken(change))
    assert not report.agree
    assert all(c.outcome != OTHERWISE for c in report.checks)


def without(grads, name):
    return {n: g for n, g in grads.items() if n != name}


@pytest.mark.parametrize(("change", "parts"), [
    (lambda g, dh, a: {**without(g, "b"), "b_ih": g["b"], "b_hh": g["b"].copy()}, "b_ih and b_hh"),
    (lambda g, dh, a: {**without(g, "b"), "db_ih": g["b"], "db_hh": g["b"]}, "db_ih and db_hh"),
    (lambda g, dh, a: {**g, "b_hh": g["b"]}, "b and b_hh"),
])  # fmt: skip
def test_a_split_bias_is_recognised_undeclared(change, parts):
    report = check(broken(change))
    assert report.agree
    names = outcome(report, "names")
    assert names.outcome == OTHERWISE
    assert f"backward returns {parts}, each of which is the gradient of b: a split bias" in names.message
    second = parts.split()[-1].removeprefix("d")
    assert f"'{second}': 'b'" in names.message
    assert outcome(report, "grad_b").agree


@pytest.mark.parametrize("change", [
    lambda g, dh, a: {**without(g, "b"), "b_ih": g["b"] / 2, "b_hh": g["b"] / 2},  # halves: the sum is not split so
    lambda g, dh, a: {**without(g, "b"), "b_ih": g["b"], "b_hh": 2 * g["b"]},
    lambda g, dh, a: {**without(g, "b"), "bias": g["b"]},  # a wrong name
    lambda g, dh, a: {**without(g, "b"), "b_ih": g["b"], "b_hh": g["b"][:1]},
    lambda g, dh, a: {**without(g, "b"), "b_ih": g["b"], "b_hh": object()},
    lambda g, dh, a: {**g, "b": 2 * g["b"], "b_hh": 2 * g["b"]},
    lambda g, dh, a: {**g, "b": 2 * g["b"], "b_ih": g["b"], "b_hh": g["b"]},
])  # fmt: skip
def test_what_is_not_the_gradient_of_the_sum_is_no_split_bias(change):
    report = check(broken(change))
    assert outcome(report, "names").outcome == "wrong"
    assert not outcome(report, "grad_b").agree
