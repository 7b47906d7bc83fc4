"""The researcher's script of docs/: it runs, its figures are there, its cell is right, and a wrong one is not drawn."""

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from manual_rnn.diagnostics import Disagreement
from manual_rnn.testing import verify
from reference import autodiff

SCRIPT = Path(__file__).parents[1] / "docs" / "own_cell.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("own_cell", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.thorough  # .ci/run has it too
def test_it_runs_and_writes_its_figures(tmp_path):
    command = [sys.executable, "-W", "error", SCRIPT, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    endings = ("-light.svg", "-dark.svg", ".png")
    files = {f"{name}{ending}" for name in ("norms", "matrix", "parts") for ending in endings}
    assert {path.name for path in tmp_path.iterdir()} == files
    assert "Cross-check: worst relative error" in done.stdout
    assert "95 % of the gradient of W comes from" in done.stdout


def test_its_cell_is_right(script):
    assert verify(script.LEAKY, autodiff(script.step), examples=16).agree


def test_a_cell_with_a_mistake_is_measured_by_nobody(script, tmp_path, monkeypatch):
    def backward(node, prev, grad, tap):
        return {**script.backward(node, prev, grad, tap), "h_prev": 0.91 * grad.h}

    monkeypatch.setattr(script, "LEAKY", replace(script.LEAKY, backward=backward))
    with pytest.raises(Disagreement, match="manual and autodiff DISAGREE"):
        script.main(tmp_path)
    assert not list(tmp_path.iterdir())


def test_forward_and_backward_are_about_ten_lines():
    code = SCRIPT.read_text(encoding="utf-8")
    body = code[code.index("def forward") : code.index("def step")]
    assert len([line for line in body.splitlines() if line.strip()]) <= 10
