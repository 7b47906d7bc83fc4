"""The experiment as a whole, small: what it writes, what it prints, and that a failed cross-check leaves nothing."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "experiments" / "gradient_norms.py"
FILES = ["gradient_norms-dark.svg", "gradient_norms-light.svg", "gradient_norms.json", "gradient_norms.png"]


@pytest.fixture(scope="module")
def experiment():
    spec = importlib.util.spec_from_file_location("gradient_norms_experiment", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("quick") / "new"
    command = [sys.executable, SCRIPT, "--quick", "--seed", "3", "--out", out]
    return out, subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)


def test_the_script_writes_the_figure_and_its_numbers(quick):
    out, done = quick
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert all((out / name).stat().st_size < 200_000 for name in FILES if name.endswith(".svg"))
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["measured", "theory", "deviation", "cross-check"]
    first = [line.split(":")[0] for line in lines[2:7:2]]
    assert first == ["gaussian, g = 0.07746", "gaussian, g = 0.8", "orthogonal, g = 0.8"]
    assert len([line for line in lines if "off by" in line and "s.e." in line and "DISAGREES" not in line]) == 9


def test_the_record_says_what_was_run_and_holds_the_curves(quick):
    out, _ = quick
    record = json.loads((out / "gradient_norms.json").read_text(encoding="utf-8"))
    assert (record["n"], record["steps"], record["networks"], record["seed"]) == (60, 20, 6, 3)
    assert {"versions", "platform", "commit", "libraries"} <= set(record)
    assert [(row["weights"], row["gain"]) for row in record["rows"][1:3]] == [("gaussian", 0.8), ("orthogonal", 0.8)]
    for row in record["rows"]:
        assert [len(curve) for curve in row["log10_norm_quantiles"]] == [21, 21, 21]
        assert row["cross_check"]["agree"] is True
        assert row["cross_check"]["undecided"] == 0
        limit = row["extrapolated"]
        assert abs(limit["value"] - row["theory"]) < 4 * limit["standard_error"]


def test_the_same_seed_gives_the_same_bytes(experiment, tmp_path, capsys):
    for folder in ("a", "b"):
        assert experiment.main(units=20, steps=5, networks=2, seed=3, out=tmp_path / folder) == 0
    for name in FILES:
        if name.endswith(".json"):
            continue  # it names the commit, which may change between two runs
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_nothing_is_written_where_the_cross_check_fails(experiment, tmp_path, monkeypatch, capsys):
    right = experiment.autodiff("rnn")

    def wrong(problems):
        return [(nodes, grads | {"h": grads["h"] * (1 + 1e-9)}) for nodes, grads in right(problems)]

    monkeypatch.setattr(experiment, "autodiff", lambda name: wrong)
    assert experiment.main(units=20, steps=5, networks=2, out=tmp_path / "new") == 1
    printed = capsys.readouterr()
    assert "DISAGREE" in printed.out
    assert "no figure is written" in printed.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        # So many steps that the gradient of min-char-rnn's weights underflows.
        (["--units", "8", "--steps", "400", "--networks", "2"], "is -inf"),
        (["--units", "1"], "--units is 1; it is at least 8."),
        (["--networks", "1"], "--networks is 1; it is at least 2."),
    ],
)
def test_what_cannot_be_measured_gets_a_sentence(experiment, arguments, sentence, tmp_path, capsys):
    out = ["--out", str(tmp_path / "new")]
    assert experiment.experiment.run(experiment.main, experiment.__doc__, [*arguments, *out]) == 3
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_what_the_readme_says_of_the_figure_is_what_was_saved():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    fall, rise = re.search(r"lines that fall for gains of (.*?) and rise for (.*?)\.", text).groups()
    saved = json.loads((ROOT / "docs" / "figures" / "gradient_norms.json").read_text(encoding="utf-8"))
    gaussian = {round(row["gain"], 2): row for row in saved["rows"] if row["weights"] == "gaussian"}
    told = [float(gain) for gain in re.findall(r"[\d.]*\d", fall)]
    slope = {gain: row["by_width"][str(saved["n"])]["value"] for gain, row in gaussian.items()}
    assert told == [gain for gain, value in slope.items() if value < 0]
    assert [float(rise)] == [gain for gain, value in slope.items() if value > 0]
    for row in saved["rows"]:  # "the dashed lines of mean-field theory lie on the measured medians"
        limit = row["extrapolated"]
        assert abs(limit["value"] - row["theory"]) < 3 * limit["standard_error"]
