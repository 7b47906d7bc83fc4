"""What fails is shrunk, the same gradients being wrong, and three lines show it."""

import numpy as np
import pytest

from cs231n import MISTAKES, changed, check, cs231n
from manual_rnn.testing import Sizes, complex_step
from strangers import rnn_forward

BACK = "dh[:, t] + dprev, caches"


@pytest.mark.parametrize(("right", "wrong", "smallest"), [
    (*MISTAKES["derivative forgotten"], (1, 1, 1, 1)),
    (*MISTAKES["carry dropped"], (2, 1, 1, 1)),
    (*MISTAKES["W for Wᵀ"], (2, 1, 1, 2)),
    (*MISTAKES["mean over the batch"], (1, 2, 1, 1)),
    (BACK, "dh[:, t] + (T - t <= 5) * dprev, caches", (6, 1, 1, 1)),
])  # fmt: skip
def test_the_smallest_case_has_the_sizes_that_the_mistake_needs(right, wrong, smallest):
    report = check(changed(right, wrong))
    s = report.smallest.sizes
    assert (s.T, s.B, s.n_in) == smallest[:3]
    assert s.n_hidden in (smallest[3], smallest[3] + (smallest[3] == 2))  # a reflection in the plane is symmetric
    assert report.as_dict()["smallest"]["T"] == smallest[0]


def test_without_a_built_in_cell_the_users_own_forward_is_asked():
    report = check(changed(*MISTAKES["carry dropped"]), against=complex_step(rnn_forward), regimes=["ordinary"])
    assert report.smallest.sizes == Sizes(2, 1, 1, 1, report.smallest.sizes.n_out)


def test_three_lines_show_the_failure(capsys):
    report = check(changed(*MISTAKES["h(t) for h(t−1)"]))
    assert report.reproduce in str(report).replace("\n    ", "\n")
    scope = {"report": report}
    exec(report.reproduce, scope)
    case = scope["case"]
    assert len(report.reproduce.splitlines()) == 3
    assert not np.allclose(case.yours["Wh"], case.right["Wh"])
    assert np.allclose(case.yours["Wx"], case.right["Wx"], rtol=1e-12)
    assert case.right["x"].shape == case.given["x"].shape
    assert capsys.readouterr().out


def test_what_is_right_has_no_smallest_case():
    report = check(cs231n)
    assert report.smallest is None
    assert report.reproduce == ""
