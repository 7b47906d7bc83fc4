"""BPTT(k) against one's own forward: run on windows from the state that the whole run came to, held constant."""

import jax.numpy as jnp
import numpy as np
import pytest

from cs231n import CS231N, changed, check, cs231n
from manual_rnn import cells
from manual_rnn.testing import Layout, Sizes, Target, complex_step
from manual_rnn.testing.passes.regimes import draw
from manual_rnn.testing.passes.truncation import truncated
from manual_rnn.testing.passes.truth import truth_of
from reference import autodiff, autodiff_of
from strangers import lstm_forward, rnn_forward
from test_truncation import cut_every_loss


def forward_in_jax(x, h0, Wx, Wh, b):
    h, all_h = h0, []
    for t in range(x.shape[1]):
        h = jnp.tanh(x[:, t] @ Wx + h @ Wh + b)
        all_h.append(h)
    return jnp.stack(all_h, axis=1)


OF_FORWARD = [complex_step(rnn_forward), autodiff_of(forward_in_jax)]
OWN_SHAPES = Layout(axes="BT", shapes={"Wx": ("n_in", "n_hidden"), "Wh": ("n_hidden", "n_hidden"), "b": ("n_hidden",)})
ORACLES = pytest.mark.parametrize("against", OF_FORWARD, ids=["np", "jax"])


@ORACLES
@pytest.mark.parametrize("loss", ["random", "some"])
@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_the_truth_is_that_of_the_derivation_with_the_carry_cut(against, loss, k):
    target = Target(backward=cs231n, against=against, loss=loss, layout=CS231N, truncation=k)
    drawn = draw(target, cells.get("rnn"), "ordinary", Sizes(6, 2, 3, 4, 2), 0)
    right = truncated(cells.get("rnn"), drawn, k)
    found = truth_of(target, drawn, None)
    assert set(found) == {"x", "h0", "Wx", "Wh", "b"}
    for name, estimate in found.items():
        wanted = right[CS231N.ours(name)]
        np.testing.assert_allclose(estimate.value, wanted, rtol=1e-11, atol=1e-14 * np.abs(wanted).max())


@ORACLES
def test_declared_truncation_is_verified(against):
    regimes = ["ordinary", "vanished"]
    report = check(cut_every_loss(3), against=against, truncation=3, regimes=regimes)
    assert report.agree
    assert len(report.right) == 5
    assert report.notes == ()


@ORACLES
@pytest.mark.parametrize("backward", [cs231n, cut_every_loss(2), cut_every_loss(4)], ids=["whole", "k=2", "k=4"])
def test_another_truncation_fails(against, backward):
    report = check(backward, against=against, truncation=3, regimes=["ordinary"])
    assert {"grad_Wx", "grad_Wh", "grad_b", "grad_x"} <= set(report.wrong)


def test_a_mistake_inside_the_window_fails():
    report = check(changed("prev_h.T @ da, ", "next_h.T @ da, "), against=complex_step(rnn_forward), truncation=50,
                   regimes=["ordinary"])  # fmt: skip
    assert report.wrong == ["grad_Wh"]


def test_a_layout_without_a_batch():
    def forward(x, hprev, Wxh, Whh, bh):
        h, found = hprev, []
        for row in x:
            h = np.tanh(Wxh @ row + Whh @ h + bh)
            found.append(h)
        return found

    def backward(x, hprev, Wxh, Whh, bh, dh, k=2):
        h = [hprev, *forward(x, hprev, Wxh, Whh, bh)]
        grads = {n: np.zeros_like(a) for n, a in {"x": x, "hprev": hprev, "Wxh": Wxh, "Whh": Whh, "bh": bh}.items()}
        for t in range(len(x)):
            carry = dh[t]
            for s in range(t, max(-1, t - k), -1):
                da = (1 - h[s + 1] ** 2) * carry
                grads["Wxh"] += da @ x[s].T
                grads["Whh"] += da @ h[s].T
                grads["bh"] += da
                grads["x"][s] += Wxh.T @ da
                carry = Whh.T @ da
                if s == 0:
                    grads["hprev"] += carry
        return grads

    layout = Layout(names={"hprev": "h0", "Wxh": "U", "Whh": "W", "bh": "b"}, axes="columns")
    options = {"against": complex_step(forward), "layout": layout, "regimes": ["ordinary"]}
    assert check(backward, truncation=2, **options).agree
    assert not check(backward, truncation=3, **options).agree


@pytest.mark.parametrize(("forward", "words"), [
    (lambda x, h0, Wx, Wh, b: rnn_forward(x, 0 * h0, Wx, Wh, b), "gives another h than in one run"),
    (lambda x, h0, Wx, Wh, b: 2 * rnn_forward(x, h0, Wx, Wh, b)[0], "gives another h than in one run"),
    (lambda x, h0, Wx, Wh, b: rnn_forward(x, h0, Wx, Wh, b)[0][:, -1], "expected h at every step"),
    (lambda x, h0, Wx, Wh, b: 1 / 0, "ZeroDivisionError"),
])  # fmt: skip
def test_a_forward_that_does_not_go_on_from_its_own_h_is_said(forward, words):
    report = check(cut_every_loss(2), against=complex_step(forward), truncation=2, regimes=["ordinary"])
    assert not report.agree
    assert words in str(report)


def test_what_is_not_possible_is_said_in_a_sentence():
    def refused(words, **options):
        with pytest.raises(ValueError, match=words):
            Target(**{"backward": cs231n, "loss": "random", "truncation": 3} | options)

    own = complex_step(rnn_forward)
    refused("nothing but the loss, so the state that a window starts from cannot be had", against=own, loss="last")
    refused("your forward must take h0", against=own, layout=Layout(without=("h0",)))
    shapes = {"W": ("n_hidden", "4 n_hidden"), "c0": ("B", "n_hidden")}
    refused("h must be all its state", against=complex_step(lstm_forward), layout=Layout(shapes=shapes))
    refused("ragged", against=own, ragged="mask")
    refused("at least 1", against=autodiff("rnn"), truncation=0)
    Target(backward=cs231n, loss="last", truncation=3, against=autodiff("rnn"))


@ORACLES
def test_the_length_of_an_undeclared_truncation_is_named(against):
    report = check(cut_every_loss(3), against=against, regimes=["ordinary", "vanished"])
    assert "goes back through 3 steps only (truncation=3 is to be declared)" in report.diagnosis[0]
    report = check(cut_every_loss(2), against=against, regimes=["ordinary"], truncation=3)
    assert "goes back through 2 steps only (truncation=3 was declared)" in report.diagnosis[0]
    report = check(cs231n, against=against, regimes=["ordinary"], truncation=3)
    assert "Nothing is truncated" in report.diagnosis[0]
    report = check(changed("dh[:, t] + dprev, caches", "dh[:, t], caches"), against=against, regimes=["ordinary"])
    assert "the term Wᵀ ∇a(t+1) is missing" in report.diagnosis[0]  # this forward is the built-in cell's
    report = check(changed("dh[:, t] + dprev, caches", "dh[:, t], caches"), against=against, layout=OWN_SHAPES,
                   regimes=["ordinary"])  # fmt: skip
    assert "goes back through its own step only" in report.diagnosis[0]
    mistaken = check(changed("da @ Wh.T", "da @ Wh"), against=against, regimes=["ordinary"])
    assert "truncat" not in mistaken.diagnosis[0]
