"""Every experiment as a whole, small: it ends well, its figure is there, its table has a check."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "experiments"
SCRIPTS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_small_run_of_it(script, tmp_path):
    command = [sys.executable, "-W", "error", script, "--quick", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stderr == ""
    name = script.stem
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}-light.svg", f"{name}-dark.svg", f"{name}.png", f"{name}.json",
    }  # fmt: skip
    assert all(path.stat().st_size < 600_000 for path in tmp_path.iterdir())
    record = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    assert any(line["check"] for line in record["table"])
    assert all(line["agree"] for line in record["table"])
