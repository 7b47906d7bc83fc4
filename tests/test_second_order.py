"""A Hessian–vector product, written by hand for the linear loss, against jvp of grad."""

import numpy as np
import pytest

from manual_rnn.testing import Layout, Target, check_hvp
from reference import autodiff, hessian_vector

TARGET = Target(backward=lambda **arrays: {}, against=autodiff("rnn"), loss="random", layout=Layout())


def hvp(*, x, h0, W, U, b, dh, direction, square=1.0):
    """Every line of the forward and backward pass, and its derivative along the direction beside it."""
    d = direction
    h, dot_h = [h0], [d["h0"]]
    for t in range(len(x)):
        a = h[-1] @ W.T + x[t] @ U.T + b
        dot_a = dot_h[-1] @ W.T + h[-1] @ d["W"].T + d["x"][t] @ U.T + x[t] @ d["U"].T + d["b"]
        h.append(np.tanh(a))
        dot_h.append((1 - h[-1] ** 2) * dot_a)
    out = {name: np.zeros_like(array) for name, array in d.items()}
    carry, dot_carry = np.zeros_like(h0), np.zeros_like(h0)
    for t in reversed(range(len(x))):
        total = dh[t] + carry
        g = (1 - h[t + 1] ** 2) * total
        dot_g = (1 - h[t + 1] ** 2) * dot_carry - square * 2 * h[t + 1] * dot_h[t + 1] * total
        out["W"] += dot_g.T @ h[t] + g.T @ dot_h[t]
        out["U"] += dot_g.T @ x[t] + g.T @ d["x"][t]
        out["b"] += dot_g.sum(axis=0)
        out["x"][t] = dot_g @ U + g @ d["U"]
        carry, dot_carry = g @ W, dot_g @ W + g @ d["W"]
    return {**out, "h0": dot_carry}


def test_a_right_one_agrees_to_rounding():
    checks = check_hvp(hvp, TARGET, against=hessian_vector(autodiff("rnn")))
    assert [c.name for c in checks] == ["hvp_U", "hvp_W", "hvp_b", "hvp_h0", "hvp_x"]
    assert all(c.agree for c in checks), [c.message for c in checks]


@pytest.mark.parametrize(("change", "name", "words"), [
    (lambda **a: hvp(**a, square=0.0), "hvp_W", "off by"),
    (lambda **a: {n: v for n, v in hvp(**a).items() if n != "b"}, "hvp_b", "does not return it"),
    (lambda **a: {**hvp(**a), "b": np.zeros(1)}, "hvp_b", "has the shape (1,)"),
    (lambda **a: 1 / 0, "hvp", "raised ZeroDivisionError"),
])  # fmt: skip
def test_a_wrong_one_is_caught(change, name, words):
    checks = {c.name: c for c in check_hvp(change, TARGET, against=hessian_vector(autodiff("rnn")))}
    assert not checks[name].agree
    assert words in checks[name].message


def test_what_it_returns_is_said_of_it_and_not_of_backward():
    (check,) = check_hvp(lambda **arrays: None, TARGET, against=hessian_vector(autodiff("rnn")))
    assert check.message.startswith("hvp returned None")


def test_what_it_is_not_made_for_is_refused():
    target = Target(backward=hvp, against=autodiff("rnn"), layout=Layout(tokens=True))
    with pytest.raises(ValueError, match="dense x"):
        check_hvp(hvp, target, against=hessian_vector(autodiff("rnn")))
