"""Cases of one's own: judged as the drawn ones are, with a note on what they leave untested."""

import types
from pathlib import Path

import numpy as np
import pytest

import strangers
from cs231n import GRADIENTS, MISTAKES, changed, check, cs231n
from manual_rnn import cells
from manual_rnn.testing import Layout, Sizes, Spec, Target, check_backward, complex_step
from manual_rnn.testing.families import build
from manual_rnn.testing.passes.commuting import is_linear, jacobians, order_shows
from manual_rnn.testing.passes.given import untested
from manual_rnn.testing.passes.regimes import draw
from reference import autodiff
from strangers import rnn_forward


def case(T=4, N=2, D=3, H=5, seed=0, **instead):
    rng = np.random.default_rng(seed)
    arrays = {
        "x": rng.standard_normal((N, T, D)), "h0": rng.standard_normal((N, H)), "dh": rng.standard_normal((N, T, H)),
        "Wx": 0.3 * rng.standard_normal((D, H)), "Wh": 0.3 * rng.standard_normal((H, H)), "b": rng.standard_normal(H),
    }  # fmt: skip
    return arrays | instead


def test_a_case_of_ones_own_is_judged_and_explained():
    report = check(cs231n, cases=[case(), case(T=6, N=3, seed=1)])
    assert report.agree
    assert report.notes == ()
    assert report.cases == {"given": 2}
    wrong = check(changed(*MISTAKES["h(t) for h(t−1)"]), cases=[case(), case(T=6, N=3, seed=1)])
    assert wrong.wrong == ["grad_Wh"]
    assert "h(t)ᵀ" in wrong.diagnosis[0]


@pytest.mark.parametrize(("instead", "blind_to", "words"), [
    ({"T": 1}, "carry dropped", "T = 1"),
    ({"h0": np.zeros((2, 5)), "T": 1}, None, "h0 is zero in every case"),
    ({"Wh": 0.3 * np.ones((5, 5))}, "W for Wᵀ", "W is symmetric"),
    ({"dh": np.ones((2, 4, 5))}, None, "same number everywhere"),
    ({"b": 50 * np.ones(5)}, None, "beyond ±10"),
])  # fmt: skip
def test_what_the_cases_leave_untested_is_noted(instead, blind_to, words):
    report = check(cs231n, cases=[case(**instead)])
    assert any(words in note for note in report.notes)
    if blind_to:
        blind = check(changed(*MISTAKES[blind_to]), cases=[case(**instead)])
        assert any(words in note for note in blind.notes)
        assert not set(blind.wrong) - {"grad_h0"}


IN_FORWARD_ORDER = """
def rnn_backward(dh, caches):
    N, T, H = dh.shape
    x, h0, Wx, Wh, _ = caches[0]
    h = np.stack([cache[4] for cache in caches], axis=1)
    dx, da = np.zeros((N, T, x.shape[1])), np.zeros((N, T, H))
    dh0 = np.zeros((N, H))
    for n in range(N):
        J = [np.diag(1 - h[n, t] ** 2) @ Wh.T for t in range(T)]  # dh(t) / dh(t-1)
        for s in range(-1, T):
            total = np.zeros(H)
            for t in range(max(s, 0), T):
                product = np.eye(H)
                for k in range(s + 1, t + 1):
                    product = product @ J[k]  # and not J[k] @ product
                total = total + product.T @ dh[n, t]
            if s < 0:
                dh0[n] = total
            else:
                da[n, s] = (1 - h[n, s] ** 2) * total
    before = np.concatenate([h0[:, None], h[:, :-1]], axis=1)
    dWx = sum(cache[0].T @ da[:, t] for t, cache in enumerate(caches))
    return da @ Wx.T, dh0, dWx, np.einsum("nti,ntj->ij", before, da), da.sum(axis=(0, 1))
"""


@pytest.mark.parametrize(("instead", "shows"), [
    ({}, True),
    ({"Wh": np.diag(np.linspace(0.3, 0.9, 5))}, False),
    ({"Wh": 0.7 * np.eye(5)}, False),
    ({"H": 1}, False),
    ({"Wh": 0.3 * np.random.default_rng(1).standard_normal((5, 5)), "b": np.zeros(5), "h0": np.zeros((2, 5)),
      "x": np.zeros((2, 4, 3))}, False),  # the state never moves: all Jacobians are alike
])  # fmt: skip
def test_jacobians_in_the_wrong_order_of_time_do_not_show_where_they_commute(instead, shows):
    module = types.ModuleType("in_forward_order")
    exec(Path(strangers.__file__).read_text(encoding="utf-8") + IN_FORWARD_ORDER, vars(module))

    def backward(*, dh, **arrays):
        _, cache = module.rnn_forward(**arrays)
        return dict(zip(GRADIENTS, module.rnn_backward(dh, cache), strict=True))

    report = check(backward, cases=[case(**instead)])
    assert report.agree == (not shows)
    assert any("The Jacobians of the steps commute" in note for note in report.notes) == (not shows)


def test_of_a_forward_of_ones_own_a_diagonal_W_is_noted():
    layout = Layout(axes="BT", transposed=True, names={"Wx": "U", "Wh": "W"})
    for W, noted in ((np.diag(np.linspace(0.3, 0.9, 5)), True), (case()["Wh"], False)):
        options = {"against": complex_step(rnn_forward), "loss": "random", "layout": layout}
        report = check_backward(cs231n, cases=[case(Wh=W)], **options)
        assert any("The Jacobians of the steps commute" in note for note in report.notes) == noted


@pytest.mark.parametrize("name", ["rnn", "rnn_relu", "rnn_identity"])
def test_the_linear_network_has_no_order_to_get_wrong(name):
    cell, linear = cells.get(name), name == "rnn_identity"
    assert is_linear(cell) == linear
    target = Target(backward=cs231n, against=autodiff(name), loss="random")
    drawn = draw(target, cell, "ordinary", CASE, 0)
    assert order_shows(cell, drawn.case) != linear
    assert not any("commute" in note for note in untested(target, [drawn], cell))


CASE = Sizes(4, 2, 3, 5, 2)


def test_the_jacobians_are_those_of_the_derivation():
    rnn = cells.get("rnn")
    case = build(rnn, Spec("ordinary", CASE, "float64", 0, 50))
    found = np.stack([jacobians(rnn, case, b) for b in range(2)], axis=1)
    x, h = case.for_oracle()["x"], case.initial["h"]
    for t in range(4):
        h = np.tanh(x[t] @ case.params["U"].T + h @ case.params["W"].T + case.params["b"])
        assert np.allclose(found[t], (1 - h**2)[:, :, None] * case.params["W"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("change", "words"), [
    (lambda c: c.pop("h0"), "Case 0 has no h0"),
    (lambda c: c.update(b=np.zeros(3)), r"b is \(3,\), expected \(5,\)"),
])  # fmt: skip
def test_a_case_that_does_not_fit_is_refused(change, words):
    arrays = case()
    change(arrays)
    with pytest.raises(ValueError, match=words):
        check(cs231n, cases=[arrays])
