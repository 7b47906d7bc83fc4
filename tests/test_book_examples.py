"""What the chapters of the book lean on: the example worked by hand, and the drawings."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import one_page
import pytest

from pages import ROOT

DOCS = ROOT / "docs"
DRAWN = {
    "draw_folded.py": ["folded"],
    "draw_step.py": ["step_back", "step_forward"],
    "draw_copies.py": ["copies"],
    "draw_windows.py": ["windows"],
}


@pytest.fixture
def by_hand(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "book")
    yield importlib.import_module("by_hand")
    sys.modules.pop("by_hand")


def test_the_example_comes_out_round(by_hand):
    h, o = one_page.forward(by_hand.theta, by_hand.ids, by_hand.h0)
    np.testing.assert_allclose([h[1], h[2]], [[0.6, 0.2], [0.8, 0.6]], rtol=1e-14)
    (_, grad_W, grad_V, grad_b, grad_c), _, grad_h0 = one_page.backward(by_hand.theta, by_hand.ids, h, o)
    np.testing.assert_allclose(grad_W, [[0.34, -0.484], [-0.144, 0.272]], rtol=1e-13)
    np.testing.assert_allclose(grad_V, [[0.25, 0], [-0.25, 0]], atol=1e-15)
    np.testing.assert_allclose([grad_b, grad_c, grad_h0], [[0.716, -0.32], [0.5, -0.5], [0.656, -0.928]], rtol=1e-13)


def test_a_page_does_not_show_numbers_that_are_not_the_same(by_hand, capsys):
    by_hand.beside("∇b", [0.716, -0.32], np.array([0.716, -0.32]), np.array([0.716, -0.32]))
    assert "(the same bits)" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="∇b"):
        by_hand.beside("∇b", [0.717, -0.32], np.array([0.716, -0.32]))
    with pytest.raises(AssertionError, match="∇b"):
        by_hand.beside("∇b", [0.716, -0.32], np.array([0.716, -0.32]), np.array([0.716, -0.32 + 1e-14]))


@pytest.mark.thorough
@pytest.mark.parametrize("script", DRAWN)
def test_the_committed_drawings_are_what_their_script_draws(script, tmp_path):
    done = subprocess.run([sys.executable, DOCS / script, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = sorted(f"{name}-{theme}.svg" for name in DRAWN[script] for theme in ("dark", "light"))
    assert sorted(Path(path).name for path in done.stdout.split()) == expected
    assert all((DOCS / "figures" / name).stat().st_size < 200_000 for name in expected)
