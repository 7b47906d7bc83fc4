"""The QR decomposition's way back, against autodiff; each part of it that is left out is seen."""

import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_rnn import qr


def drawn(n, k, seed, batch=()):
    rng = np.random.default_rng(seed)
    Q, R = qr.forward(rng.standard_normal((*batch, n, k)))
    return Q, R, rng.standard_normal(Q.shape), rng.standard_normal(R.shape)


def in_jax(Q, R, grad_Q, grad_R):
    with jax.enable_x64(True):
        _, back = jax.vjp(lambda Z: tuple(jnp.linalg.qr(Z)), jnp.asarray(Q @ R))
        return np.asarray(back((jnp.asarray(grad_Q), jnp.asarray(grad_R)))[0])


def off(found, truth):
    return np.abs(found - truth).max() / np.abs(truth).max()


@given(n=st.integers(1, 9), left=st.integers(0, 8), seed=st.integers(0, 2**16))
def test_it_is_what_autodiff_gives(n, left, seed):
    Q, R, grad_Q, grad_R = drawn(n, max(1, n - left), seed)
    nearest = np.abs(np.diag(R)).min()  # its square over eps is what solving with R twice may lose
    assert off(qr.backward(Q, R, grad_Q, grad_R), in_jax(Q, R, grad_Q, grad_R)) <= 1e-12 * max(1, nearest**-2)


@given(n=st.integers(2, 6), k=st.integers(1, 6), seed=st.integers(0, 2**16))
def test_it_is_the_slope_of_both_along_any_direction(n, k, seed):
    """By the central difference, which knows of no derivation: ⟨∇Z, dZ⟩ = ⟨∇Q, dQ⟩ + ⟨∇R, dR⟩."""
    k = min(n, k)
    Q, R, grad_Q, grad_R = drawn(n, k, seed)
    along = np.random.default_rng(seed + 1).standard_normal((n, k))
    h = 1e-5 * min(1, np.abs(np.diag(R)).min())
    after, before = (np.linalg.qr(Q @ R + sign * h * along) for sign in (1, -1))
    slopes = [(grad * (a - b)).sum() / (2 * h) for grad, a, b in zip((grad_Q, grad_R), after, before, strict=True)]
    found = (qr.backward(Q, R, grad_Q, grad_R) * along).sum()
    scale = sum(np.abs(grad).sum() for grad in (grad_Q, grad_R)) * max(1, np.abs(np.diag(R)).min() ** -2)
    assert abs(found - sum(slopes)) <= 1e-6 * scale


def test_a_batch_is_each_matrix_by_itself():
    Q, R, grad_Q, grad_R = drawn(5, 3, 0, batch=(2, 4))
    together = qr.backward(Q, R, grad_Q, grad_R)
    for place in np.ndindex(2, 4):
        alone = qr.backward(Q[place], R[place], grad_Q[place], grad_R[place])
        np.testing.assert_allclose(together[place], alone, rtol=0, atol=1e-13 * np.abs(alone).max())


def test_of_a_square_matrix_the_logarithm_of_the_determinant_sends_back_the_inverse():
    """Σ log|R_ii| = log|det Z|, whose gradient is Z⁻ᵀ: a closed form, in which nothing is left of ∇Q."""
    Q, R, grad_Q, _ = drawn(6, 6, 3)
    found = qr.backward(Q, R, 0 * grad_Q, np.diag(1 / np.diag(R)))
    assert off(found, np.linalg.inv(Q @ R).T) <= 1e-13


def test_below_the_diagonal_nothing_is_sent_back():
    Q, R, grad_Q, grad_R = drawn(5, 4, 4)
    assert off(qr.backward(Q, R, grad_Q, np.triu(grad_R)), qr.backward(Q, R, grad_Q, grad_R)) <= 1e-14


def test_the_signs_of_the_diagonal_do_not_matter():
    Q, R, grad_Q, grad_R = drawn(5, 4, 1)
    signs = np.array([1.0, -1.0, -1.0, 1.0])
    turned = qr.backward(Q * signs, signs[:, None] * R, grad_Q * signs, signs[:, None] * grad_R)
    assert off(turned, qr.backward(Q, R, grad_Q, grad_R)) <= 1e-14


def test_float32_stays_float32():
    arrays = [array.astype(np.float32) for array in drawn(5, 3, 0)]
    found = qr.backward(*arrays)
    assert found.dtype == np.float32
    assert off(found, qr.backward(*(array.astype(np.float64) for array in arrays))) <= 1e-5


MISTAKES = [
    ("+ np.tril(M, -1).mT", ""),
    ("+ np.tril(M, -1).mT", "+ np.triu(M, 1)"),
    ("+ np.tril(M, -1).mT", "- np.tril(M, -1).mT"),
    ("np.tril(M) +", "np.tril(M, -1) +"),
    ("- grad_Q.mT @ Q", "+ grad_Q.mT @ Q"),
    ("- grad_Q.mT @ Q", "- Q.mT @ grad_Q"),
    ("- grad_Q.mT @ Q", ""),
    ("R @ grad_R.mT", "grad_R @ R.mT"),
    ("R @ grad_R.mT", "R.mT @ grad_R"),
    ("R @ grad_R.mT -", "-"),
    ("grad_Q + Q @ sym(M)", "Q @ sym(M)"),
    ("np.linalg.solve(R,", "np.linalg.solve(R.mT,"),
]
"""Lines of qr.py, and what somebody might have written."""


@pytest.mark.parametrize(("right", "wrong"), MISTAKES)
def test_a_mistake_is_seen(right, wrong):
    case = drawn(6, 4, 2)
    truth = in_jax(*case)
    assert off(qr.backward(*case), truth) <= 1e-13
    assert off(with_mistake(right, wrong).backward(*case), truth) > 1e-2


def with_mistake(right, wrong):
    """The module with one change to its source."""
    source = Path(qr.__file__).read_text(encoding="utf-8")
    assert source.count(right) == 1
    module = types.ModuleType("qr_with_a_mistake")
    exec(source.replace(right, wrong), module.__dict__)
    return module
