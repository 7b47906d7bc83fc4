"""The figures of the page on sweeps: drawn again from the saved trials, and those that the page shows are there."""

import re
import subprocess
import sys

import pytest

from pages import ROOT

FIGURES = ROOT / "docs" / "figures"
SHOWN = set(re.findall(r'"figures/([\w-]+\.svg)"', (ROOT / "docs/sweeps.md").read_text(encoding="utf-8")))


@pytest.mark.thorough  # .ci/run has it too
def test_the_script_draws_what_the_page_shows(tmp_path):
    command = [sys.executable, "-W", "error", ROOT / "docs" / "draw_sweeps.py", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == SHOWN
    assert len(SHOWN) >= 8
    assert all((FIGURES / name).stat().st_size < 200_000 for name in drawn)  # and each is committed
