"""Singular values of long products, beside those of exact arithmetic, and where one factor has lost a direction."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from manual_rnn.diagnostics.product import Product

EPS = float(np.finfo(float).eps)


def in_logarithms(factors):
    product = Product(len(factors[0]), EPS)
    for factor in factors:
        product.grow(factor @ product.directions)
    return product.log_singular_values()


def exact(factors, digits):
    """The same in decimal numbers: multiplied out, then one-sided Jacobi rotations until the columns are orthogonal."""
    with localcontext() as context:
        context.prec = digits
        n = len(factors[0])
        P = [[Decimal(int(i == j)) for j in range(n)] for i in range(n)]
        for factor in factors:
            F = [[Decimal(float(v)) for v in row] for row in factor]
            P = [[sum(F[i][k] * P[k][j] for k in range(n)) for j in range(n)] for i in range(n)]
        columns, worst = [list(column) for column in zip(*P, strict=True)], Decimal(1)
        while worst > Decimal("1e-30"):
            worst = Decimal(0)
            for p in range(n):
                for q in range(p + 1, n):
                    worst = max(worst, rotate(columns, p, q))
        return np.array(sorted((float(sum(v * v for v in column).ln() / 2) for column in columns), reverse=True))


def rotate(columns, p, q):
    """Makes two columns orthogonal; the cosine between them before."""
    a, b = columns[p], columns[q]
    aa, bb, ab = (sum(x * y for x, y in zip(*pair, strict=True)) for pair in ((a, a), (b, b), (a, b)))
    if ab == 0:
        return Decimal(0)
    zeta = (bb - aa) / (2 * ab)
    tangent = (1 if zeta >= 0 else -1) / (abs(zeta) + (1 + zeta * zeta).sqrt())
    cosine = 1 / (1 + tangent * tangent).sqrt()
    columns[p] = [cosine * (x - tangent * y) for x, y in zip(a, b, strict=True)]
    columns[q] = [cosine * (tangent * x + y) for x, y in zip(a, b, strict=True)]
    return abs(ab) / (aa * bb).sqrt()


@pytest.mark.parametrize(("n", "factors", "digits"), [(6, 60, 150), (4, 400, 900)])
def test_a_power_of_a_gaussian_matrix_to_its_last_singular_value(n, factors, digits):
    """Of 400 factors they are 240 decades apart and more, which takes two windows."""
    W = np.random.default_rng(n).standard_normal((n, n)) / np.sqrt(n)
    found, true = in_logarithms([W] * factors), exact([W] * factors, digits)
    assert true[0] - true[-1] > (40 if factors == 60 else 550)
    np.testing.assert_allclose(found, true, rtol=0, atol=1e-10)
    if factors == 60:  # multiplied out in float64 the smallest is rounding
        plain = np.linalg.svd(np.linalg.matrix_power(W, factors), compute_uv=False)
        assert np.log(plain[-1]) > true[-1] + 3


def test_matrices_that_differ_and_the_volume_of_a_wide_product():
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal((5, 5)) for _ in range(30)]
    np.testing.assert_allclose(in_logarithms(factors), exact(factors, 120), rtol=0, atol=1e-11)
    wide = [rng.standard_normal((60, 60)) / 8 for _ in range(200)]
    volume = sum(np.linalg.slogdet(factor)[1] for factor in wide)
    assert in_logarithms(wide).sum() == pytest.approx(volume, rel=1e-12)


def test_numbers_whose_squares_overflow_or_underflow():
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    for size in (1e200, 1e-200):
        np.testing.assert_allclose(in_logarithms([size * turn] * 50), 50 * np.log(size), rtol=1e-13)


def test_what_a_factor_loses_is_nan_with_all_that_is_smaller():
    shift = np.triu(np.ones((4, 4)), 1)  # nilpotent: a rank less with each factor
    for lag in (1, 2, 3):
        found = in_logarithms([shift] * lag)
        plain = np.linalg.svd(np.linalg.matrix_power(shift, lag), compute_uv=False)
        np.testing.assert_allclose(np.exp(found[: 4 - lag]), plain[: 4 - lag], rtol=1e-13)
        assert np.isnan(found[4 - lag :]).all()
    assert (in_logarithms([shift] * 4) == -np.inf).all()
    assert (in_logarithms([np.zeros((3, 3))] * 2) == -np.inf).all()
    twice = np.array([[1.0, 1.0, 2.0], [1.0, 1.0, 3.0], [0.0, 0.0, 1e-3]])  # the second column is the first
    found = in_logarithms([twice])
    np.testing.assert_allclose(np.exp(found[:2]), np.linalg.svd(twice, compute_uv=False)[:2], rtol=1e-13)
    assert np.isnan(found[2])


def test_the_empty_product_is_the_identity():
    assert (Product(3, EPS).log_singular_values() == 0).all()
