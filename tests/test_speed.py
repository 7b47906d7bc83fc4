"""The benchmark of speed runs and its engines agree on the loss; no time is judged. A pass takes what is said."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import memory

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "speed.py"


def test_the_engines_that_are_installed_compute_the_same_loss(tmp_path):
    results, page = tmp_path / "speed.json", tmp_path / "speed.md"
    command = [sys.executable, str(BENCHMARK), "--quick", "--results", str(results), "--page", str(page)]
    subprocess.run(command, check=True, capture_output=True)
    rows = json.loads(results.read_text(encoding="utf-8"))["rows"]
    assert [row["cell"] for row in rows] == ["rnn", "lstm", "gru"]
    assert {"ours", "jax_scan"} <= set(rows[1]["losses"])
    assert "min_char" in rows[0]["losses"]
    tables = 1 + ("ours_compiled" in rows[1]["losses"])
    assert page.read_text(encoding="utf-8").split("## Memory")[0].count("| lstm |") == tables


@pytest.mark.parametrize("every_node", [False, True])
@pytest.mark.parametrize("cell", memory.NODES)
def test_the_peak_of_a_pass_is_that_of_the_formula(cell, every_node):
    given = {"cell": cell, "T": 200, "every_node": every_node}
    assert 1 <= memory.measured(**given) / memory.formula(**given) <= 1.05
