"""Cases of one's own: judged as the drawn ones are, with a note on what they leave untested."""

import numpy as np
import pytest

from test_check_backward import MISTAKES, changed, check, cs231n


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


@pytest.mark.parametrize(("change", "words"), [
    (lambda c: c.pop("h0"), "Case 0 has no h0"),
    (lambda c: c.update(b=np.zeros(3)), r"b is \(3,\), expected \(5,\)"),
])  # fmt: skip
def test_a_case_that_does_not_fit_is_refused(change, words):
    arrays = case()
    change(arrays)
    with pytest.raises(ValueError, match=words):
        check(cs231n, cases=[arrays])
