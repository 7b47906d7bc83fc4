"""The drawing of the unrolled network: it can be drawn again, and what is committed is small enough for a page."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.thorough  # .ci/run has it too
def test_the_script_draws_both_variants(tmp_path):
    command = [sys.executable, DOCS / "draw_unrolled.py", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["unrolled-dark.svg", "unrolled-light.svg"]


def test_the_arrows_that_meet_add_up():
    spec = importlib.util.spec_from_file_location("draw_unrolled", DOCS / "draw_unrolled.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    norms = module.run()
    assert norms["h"][-1] == pytest.approx(norms["from_o"][-1])  # nothing comes back from after the last step
    assert norms["h"][0] == pytest.approx(norms["from_h"][0])  # h(0) has no readout
    assert (np.array(norms["h"][1:-1]) <= norms["from_o"][:-1] + norms["from_h"][1:]).all()


@pytest.mark.parametrize("name", ["unrolled", "gradient_norms"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_committed_figures_are_small(name, theme):
    assert 10_000 < (DOCS / "figures" / f"{name}-{theme}.svg").stat().st_size < 200_000
