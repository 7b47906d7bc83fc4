"""Magnitude arithmetic against magnitudes that are worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_rnn.testing.magnitude import Magnitude, scale_of

H, G, A = np.array([-0.9, 0.0, 0.5]), np.array([3.0, -2.0, 1e-60]), np.array([-2.0, 0.1, 30.0])
h, g, a = np.abs(H), np.abs(G), np.abs(A)
SECH2 = 1 / np.cosh(A) ** 2
one = np.ones(3)

BY_HAND = {
    "an exact number": (lambda h, g, a: h, h),
    "its negative": (lambda h, g, a: -h, h),
    "its magnitude": (lambda h, g, a: abs(h), h),
    "a sum": (lambda h, g, a: h + g, h + g),
    "a difference": (lambda h, g, a: h - g, h + g),
    "a number of Python's": (lambda h, g, a: 1 - h, 1 + h),
    "an array that stands on no tape": (lambda h, g, a: np.full(3, -2.0) + h, 2 + h),
    "a product": (lambda h, g, a: h * g, h * g),
    "a quotient": (lambda h, g, a: h / a, h / a),
    "a quotient by a difference": (lambda h, g, a: g / (2 - h), g * (2 + h) / (2 - H) ** 2),
    "a square": (lambda h, g, a: np.square(1 - h), (1 + h) ** 2),
    "a power": (lambda h, g, a: h**2, h**2),
    "a power of a difference": (lambda h, g, a: (2 - h) ** 3, (2 + h) ** 3),
    "(1 − h)(1 + h) g": (lambda h, g, a: (1 - h) * (1 + h) * g, (1 + h) ** 2 * g),
    "(1 − h²) g": (lambda h, g, a: (1 - h**2) * g, (1 + h**2) * g),
    "g − h h g": (lambda h, g, a: g - h * h * g, g + h**2 * g),
    "tanh": (lambda h, g, a: np.tanh(a), np.abs(np.tanh(A))),
    "tanh of a sum": (lambda h, g, a: np.tanh(a + h - h), np.abs(np.tanh(A)) + SECH2 * (a + 2 * h)),
    "exp of a difference": (lambda h, g, a: np.exp(h - a), np.exp(H - A) * (1 + h + a)),
    "log": (lambda h, g, a: np.log(a + 3), np.abs(np.log(A + 3)) + (a + 3) / (A + 3)),
    "g / cosh² a": (lambda h, g, a: g / np.cosh(a) ** 2, g * SECH2),
    "the reciprocal": (lambda h, g, a: np.reciprocal(np.cosh(a)), 2 / np.cosh(A)),
    "a choice": (lambda h, g, a: np.where(a > 0, g - h, 0), np.where(A > 0, g + h, 0)),
    "the larger": (lambda h, g, a: np.maximum(a, 0), np.maximum(A, 0)),
    "a comparison as a number": (lambda h, g, a: (a > 0) * g, (A > 0) * g),
}  # fmt: skip


@pytest.mark.parametrize("what", BY_HAND)
def test_the_magnitude_is_the_one_worked_out_by_hand(what):
    formula, expected = BY_HAND[what]
    result = formula(Magnitude(H), Magnitude(G), Magnitude(A))
    # The rules of functions compute the value itself, rounded: a few units of that.
    np.testing.assert_allclose(scale_of(result), expected, rtol=1e-14)
    np.testing.assert_array_equal(result.value, formula(H, G, A))


def test_the_table_by_hand_has_no_zeros_by_accident():
    assert all(np.any(expected > 0) for _, expected in BY_HAND.values())


numbers = st.floats(-1e3, 1e3, allow_subnormal=False)
UNARY = (np.negative, np.tanh, np.square, np.sinh, np.abs, lambda v: v**3, lambda v: np.where(v > 0, v, 0))
BINARY = (np.add, np.subtract, np.multiply, np.maximum, np.minimum)


@st.composite
def formulas(draw):
    """(value under Magnitude, plain value) of a formula put together at random."""
    stack = [np.array([draw(numbers)]) for _ in range(draw(st.integers(1, 4)))]
    pairs = [(Magnitude(v), v) for v in stack]
    for _ in range(draw(st.integers(0, 6))):
        if draw(st.booleans()):
            f = draw(st.sampled_from(UNARY))
            (m, v), *rest = pairs
            pairs = [*rest, (f(m), f(v))]
        elif len(pairs) > 1:
            f = draw(st.sampled_from(BINARY))
            (m, v), (n, w), *rest = pairs
            pairs = [*rest, (f(m, n), f(v, w))]
    return pairs[-1]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(formulas())
def test_the_value_is_that_of_the_plain_formula_and_the_scale_no_smaller(pair):
    magnitude, plain = pair
    if not np.isfinite(plain) or np.abs(plain) > 1e100:
        return
    np.testing.assert_array_equal(magnitude.value, plain)
    assert scale_of(magnitude) >= np.abs(plain) * (1 - 1e-15)


def test_cancellation_is_seen():
    """The value is zero, what was subtracted is one: the next unit is of the size of one."""
    x = Magnitude(np.array([1.0]))
    assert (x - x).value == 0
    assert scale_of(x - x) == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_the_dtype_stays(dtype):
    x = Magnitude(np.array([0.5], dtype))
    for result in (1 - x, (1 - x**2) * x, np.tanh(x) / 2, 1 / np.cosh(x) ** 2, np.where(x > 0, x, 0)):
        assert result.dtype == scale_of(result).dtype == dtype


def test_a_square_that_overflows_leaves_the_quotient_its_scale():
    x = Magnitude(np.array([1e30], np.float32))
    with np.errstate(all="ignore"):
        assert scale_of(1 / x) == np.float32(1e-30)
        infinite = np.exp(Magnitude(np.array([1e3])))
        assert scale_of(1 / (1 + infinite)) == 0
        assert not np.isnan(scale_of(1 - 2 / (1 + infinite)))


def test_it_has_the_rows_and_the_dtype_of_its_values_and_can_be_turned():
    """What makes W = A − Aᵀ − γ 1 of a parameter."""
    M = Magnitude(np.arange(6.0).reshape(2, 3) - 2)
    assert (len(M), M.dtype) == (2, np.float64)
    np.testing.assert_array_equal(M.T.value, M.value.T)
    S = Magnitude(np.array([[1.0, 2], [-3, 4]]))
    np.testing.assert_array_equal(scale_of(S - S.T), [[2, 5], [5, 8]])


def test_a_plain_array_is_its_own_scale():
    np.testing.assert_array_equal(scale_of(G), g)
    assert scale_of(-3) == 3


@pytest.mark.parametrize(
    "attempt", [lambda m: m[0], lambda m: m @ m, lambda m: np.hypot(m, 1), np.add.reduce, float, iter]
)
def test_what_it_cannot_do_it_refuses(attempt):
    """Then the scale is taken from the row, see test_scales; a wrong scale would be worse."""
    with pytest.raises((TypeError, AttributeError, ValueError)):
        attempt(Magnitude(H))
