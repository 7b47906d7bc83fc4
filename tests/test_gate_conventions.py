"""Code with gates in another order, with the other reset, or with a hard sigmoid is right, in another convention."""

import numpy as np
import pytest

from manual_rnn.testing import Layout, check_backward
from reference import autodiff


def soft(a):
    return 1 / (1 + np.exp(-a))


def hard(slope):
    return lambda a: np.clip(slope * a + 0.5, 0, 1)


def slope_of(sigmoid, s):
    return s * (1 - s) if sigmoid is soft else 0.2 * ((s > 0) & (s < 1))


def lstm(order, sigmoid=soft, mistake=""):
    """CS231n's lstm_backward, forward pass and all, its gates in some order."""

    def backward(x, dh, h0, c0, Wx, Wh, b):
        n, h, c, steps = h0.shape[1], h0, c0, []
        for t in range(x.shape[1]):
            a = x[:, t] @ Wx + h @ Wh + b
            k = {gate: a[:, j * n : (j + 1) * n] for j, gate in enumerate(order)}
            i, f, o, g = sigmoid(k["i"]), sigmoid(k["f"]), sigmoid(k["o"]), np.tanh(k["g"])
            new = f * c + i * g
            steps.append((h, c, i, f, o, g, np.tanh(new)))
            h, c = o * np.tanh(new), new
        dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
        dh_next, dc_next = np.zeros_like(h0), np.zeros_like(h0)
        for t in reversed(range(x.shape[1])):
            h_prev, c_prev, i, f, o, g, s = steps[t]
            dht = dh[:, t] + dh_next
            dc = dht * o * (1 - s**2) + (0 if mistake == "carry" else dc_next)
            of = {"i": dc * (i if mistake == "i for g" else g), "f": dc * c_prev, "o": dht * s}
            da = {gate: of[gate] * slope_of(sigmoid, v) for gate, v in (("i", i), ("f", f), ("o", o))}
            da = np.concatenate([{**da, "g": dc * i * (1 - g**2)}[gate] for gate in order], axis=1)
            dx[:, t], dh_next, dc_next = da @ Wx.T, da @ Wh.T, dc * f
            dWx, dWh, db = dWx + x[:, t].T @ da, dWh + h_prev.T @ da, db + da.sum(axis=0)
        return {"x": dx, "h0": dh_next, "c0": dc_next, "Wx": dWx, "Wh": dWh, "b": db}

    return backward


def gru_reset_before(x, dh, h0, Wx, Wh, b):
    n, h, steps = h0.shape[1], h0, []
    for t in range(x.shape[1]):
        a = x[:, t] @ Wx + b
        r, z = soft(a[:, :n] + h @ Wh[:, :n]), soft(a[:, n : 2 * n] + h @ Wh[:, n : 2 * n])
        g = np.tanh(a[:, 2 * n :] + (r * h) @ Wh[:, 2 * n :])
        steps.append((h, r, z, g))
        h = (1 - z) * g + z * h
    dx, dWx, dWh, db, back = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b), np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        h, r, z, g = steps[t]
        total = dh[:, t] + back
        dn = total * (1 - z) * (1 - g**2)
        dq = dn @ Wh[:, 2 * n :].T
        dr, dz = dq * h * r * (1 - r), total * (h - g) * z * (1 - z)
        da = np.concatenate([dr, dz, dn], axis=1)
        dx[:, t], db, dWx = da @ Wx.T, db + da.sum(axis=0), dWx + x[:, t].T @ da
        dWh = dWh + np.concatenate([h.T @ dr, h.T @ dz, (r * h).T @ dn], axis=1)
        back = dr @ Wh[:, :n].T + dz @ Wh[:, n : 2 * n].T + dq * r + total * z
    return {"x": dx, "h0": back, "Wx": dWx, "Wh": dWh, "b": db}


def report_on(backward, cell, gates, without=()):
    layout = Layout(axes="BT", transposed=True, names={"Wx": "U", "Wh": "W"}, gates=gates, without=without)
    return check_backward(backward, against=autodiff(cell), loss="random", layout=layout)


def words(report):
    return {check.message for check in report.gradients if check.outcome == "right, in another convention"}


@pytest.mark.parametrize("order", ["ifgo", "ifog", "iofg"])
def test_the_declared_order_is_right(order):
    report = report_on(lstm(order), "lstm", order)
    assert report.agree
    assert not words(report)


@pytest.mark.parametrize(("backward", "cell", "gates", "without", "said"), [
    (lstm("ifog"), "lstm", "ifgo", (), ['the order i, f, o, g: Layout(gates="ifog")']),
    (lstm("ifgo", hard(0.2)), "lstm", "ifgo", (), ["the sigmoid is hard, 0.2 a + 0.5"]),
    (lstm("gifo", hard(0.2)), "lstm", "ifgo", (), ['Layout(gates="gifo")', "the sigmoid is hard"]),
    (gru_reset_before, "gru", "rzn", ("d_n",), ["the reset gate scales h(t−1), before the product"]),
], ids=["order", "hard", "both", "reset"])  # fmt: skip
def test_another_convention_is_right_and_named(backward, cell, gates, without, said):
    report = report_on(backward, cell, gates, without)
    assert report.agree, str(report)
    (sentence,) = words(report)
    assert all(part in sentence for part in said)


@pytest.mark.parametrize(("mistake", "said"), [
    ("carry", "the term ∇c(t+1) ∘ f(t+1) is missing"),
    ("i for g", "∇i has i(t) where the derivation has g(t)"),
])  # fmt: skip
def test_a_mistake_is_no_convention_and_is_put_in_words(mistake, said):
    report = report_on(lstm("ifgo", mistake=mistake), "lstm", "ifgo")
    assert not report.agree
    assert not words(report)
    assert said in report.diagnosis[0]


def test_gates_that_the_cell_has_not_are_refused():
    with pytest.raises(ValueError, match=r"gates='ifo'.*the gates i, f, g, o"):
        report_on(lstm("ifgo"), "lstm", "ifo")
    with pytest.raises(ValueError, match="has no gates"):
        report_on(lstm("ifgo"), "rnn", "ifgo")
