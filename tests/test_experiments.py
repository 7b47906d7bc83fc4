"""Every experiment as a whole, small: it ends well, its figure is there, its table has a check."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from manual_rnn import experiment

FOLDER = Path(__file__).parents[1] / "experiments"
SCRIPTS = sorted(FOLDER.glob("*.py"))


def module(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.mark.thorough  # .ci/run has these too
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


def test_isometry_is_checked_at_the_size_that_is_plotted(tmp_path, capsys):
    isometry = module("isometry")
    checked, of_autodiff = [], isometry.by_autodiff
    isometry.by_autodiff = lambda kind, n, lags: checked.append((n, lags)) or of_autodiff(kind, n, lags)
    assert isometry.main(units=32, lags=22, seeds=2, out=tmp_path) == 0
    assert checked == [(32, 22)] * 2
    isometry.by_autodiff = lambda *_: float("nan")
    assert isometry.main(units=8, lags=2, seeds=2, out=tmp_path / "undecided") == 1


TOO_FEW = [
    ("isometry", "--units", 0), ("isometry", "--seeds", 1), ("bounds", "--units", 0), ("newton_cost", "--units", 0),
    ("curse_of_memory", "--runs", 1), ("truncation_bias", "--runs", 0), ("truncation_bias", "--steps", 20),
    ("chrono", "--units", 1), ("lyapunov_spectrum", "--matrices", 0), ("phase_diagram", "--networks", 0),
    ("finite_width", "--units", 4), ("finite_width", "--networks", 2), ("finite_width", "--steps", 10),
    ("phase_diagram", "--grid", 1), ("the_wall", "--grid", 0), ("the_wall", "--updates", 0),
    ("curse_of_memory", "--steps", 1), ("flossing", "--units", 1), ("flossing", "--updates", 0),
]  # fmt: skip


@pytest.mark.parametrize(("option", "value"), [("--lr", "nan"), ("--lr", "-1"), ("--clip", "0")])
def test_no_descent_of_the_wall_without_a_rate_or_a_limit(option, value, tmp_path, capsys):
    script = module("the_wall")
    given = [f"{option}={value}", "--grid", "12", "--out", str(tmp_path)]
    assert experiment.run(script.main, script.__doc__, given) == 3
    assert "must be a finite number above zero" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "option", "value"), TOO_FEW)
def test_too_few_is_a_sentence_and_no_figure(name, option, value, tmp_path, capsys):
    """Of one run there is no standard error, and of none not even a mean: a figure of nan is none."""
    script = module(name)
    assert experiment.run(script.main, script.__doc__, [option, str(value), "--out", str(tmp_path)]) == 3
    printed = capsys.readouterr()
    assert printed.err.startswith("This cannot be measured. The number of ")
    assert f"is {value}; it must be a whole number, " in printed.err
    assert printed.out == ""
    assert not list(tmp_path.iterdir())
