"""BPTT(k): its truth is jax.grad with stop_gradient; declared it is verified, undeclared it is named with its k."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cs231n import CS231N, GRADIENTS, check, cs231n
from manual_rnn import cells
from manual_rnn.testing import Sizes, Target, complex_step
from manual_rnn.testing.passes.regimes import draw
from manual_rnn.testing.passes.truncation import truncated
from reference import autodiff
from strangers import rnn_forward, rnn_step_backward


def cut_every_loss(k):
    """CS231n's code, made BPTT(k) as a hand does it: from each step k steps back."""

    def backward(*, dh, **arrays):
        _, caches = rnn_forward(**arrays)
        found = {name: np.zeros_like(arrays[name]) for name in GRADIENTS}
        for t in range(dh.shape[1]):
            carry = dh[:, t]
            for step in range(t, max(-1, t - k), -1):
                dx, carry, dWx, dWh, db = rnn_step_backward(carry, caches[step])
                found["x"][:, step] += dx
                for name, part in zip(("Wx", "Wh", "b"), (dWx, dWh, db), strict=True):
                    found[name] += part
                if step == 0:
                    found["h0"] += carry
        return found

    return backward


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_truth_is_that_of_stop_gradient(k):
    target = Target(backward=cs231n, against=autodiff("rnn"), loss="random")
    drawn = draw(target, cells.get("rnn"), "ordinary", Sizes(4, 2, 3, 4, 2), 0)
    found = truncated(cells.get("rnn"), drawn, k)

    def loss(W, U, b, x, h0):
        h, total = [h0], 0.0
        for t in range(4):
            h.append(jnp.tanh(h[-1] @ W.T + x[t] @ U.T + b))
        for t in range(4):
            start = max(0, t - k + 1)
            again = jax.lax.stop_gradient(h[start]) if start else h0
            for step in range(start, t + 1):
                again = jnp.tanh(again @ W.T + x[step] @ U.T + b)
            total += jnp.sum(drawn.upstream[t] * again)
        return total

    names = ("W", "U", "b", "x", "h0")
    with jax.enable_x64(True):
        right = jax.grad(loss, argnums=range(5))(*(jnp.asarray(drawn.arrays[n]) for n in names))
    for name, array in zip(names, right, strict=True):
        np.testing.assert_allclose(found[name], array, rtol=1e-12, atol=1e-15)


def test_declared_truncation_is_verified():
    assert check(cut_every_loss(3), truncation=3).agree
    assert check(cs231n, truncation=50).agree


def test_undeclared_truncation_is_named_with_its_k():
    report = check(cut_every_loss(3))
    assert not report.agree
    assert "goes back through 3 steps only (truncation=3 is to be declared)" in report.diagnosis[0]
    report = check(cut_every_loss(9))
    assert "goes back through 9 steps only" in report.diagnosis[0]


def test_another_truncation_than_the_declared_one_is_named():
    assert "through 2 steps only (truncation=3 was declared)" in check(cut_every_loss(2), truncation=3).diagnosis[0]
    assert "Nothing is truncated" in check(cs231n, truncation=3).diagnosis[0]


@pytest.mark.parametrize("options", [
    {"truncation": 0},
    {"truncation": 3, "against": complex_step(rnn_forward), "loss": "every"},
])  # fmt: skip
def test_a_truncation_that_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="truncation is"):
        check(cs231n, layout=CS231N, **options)
