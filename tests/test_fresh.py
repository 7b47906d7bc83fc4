"""tools/fresh.py: what it runs the first time and the second, what it leaves alone, how it ends when a step fails."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPT = Path(__file__).parents[1] / "tools" / "fresh.py"


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """The program in an empty project, with every command written down in ``ran`` instead of run."""
    spec = importlib.util.spec_from_file_location("fresh", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROOT, module.ran, module.codes = tmp_path, [], {}
    (tmp_path / "pyproject.toml").write_text("version 1")

    def record(words, **_):
        line = " ".join(words).replace(sys.executable, "PYTHON")
        module.ran.append(line)
        return SimpleNamespace(returncode=next((code for part, code in module.codes.items() if part in line), 0))

    monkeypatch.setattr(module.subprocess, "run", record)

    def main(*arguments):
        module.ran.clear()
        monkeypatch.setattr(sys, "argv", ["fresh.py", *arguments])
        module.main()
        return module.ran

    module.call = main
    return module


def kinds(ran):
    known = {" -m venv ": "make", " pip ": "install", " -m pytest": "test"}
    return [next((kind for part, kind in known.items() if part in line), line) for line in ran]


def test_the_first_run_sets_up_and_the_second_does_not(fresh):
    assert kinds(fresh.call("test")) == ["make", "install", "test"]
    assert kinds(fresh.call("test", "-k", "fresh")) == ["test"]
    assert fresh.ran[-1].endswith("-m pytest -k fresh")


def test_the_demo_verifies_trains_and_samples_and_overwrites_no_run(fresh):
    ran = fresh.call("demo")
    assert [line.partition("manual-rnn ")[2] for line in ran[2:]] == [
        "verify rnn",
        "train --out runs/first --cell rnn --layers 1 --seconds 30", "sample runs/first",
    ]  # fmt: skip
    (fresh.ROOT / "runs" / "first").mkdir(parents=True)
    assert fresh.call("demo", "--steps", "9")[-2].endswith("train --out runs/first-2 --steps 9")


def test_it_installs_again_for_a_changed_project_or_another_extra(fresh):
    fresh.call("demo")
    assert kinds(fresh.call("test")) == ["install", "test"]
    assert "install" not in kinds(fresh.call("demo"))  # the extra holds what the demo needs
    (fresh.ROOT / "pyproject.toml").write_text("version 2")
    assert kinds(fresh.call("test")) == ["install", "test"]


def test_another_python_gets_an_environment_anew(fresh, monkeypatch):
    fresh.call("test")
    monkeypatch.setattr(fresh.platform, "python_version", lambda: "3.99.0")
    assert kinds(fresh.call("test")) == ["make", "install", "test"]


def test_an_environment_that_it_did_not_make_is_left_alone(fresh, capsys):
    (fresh.ROOT / ".venv").mkdir()
    (fresh.ROOT / ".venv" / "precious").touch()
    with pytest.raises(SystemExit, match="3"):
        fresh.call("demo")
    assert "was not made by this program" in capsys.readouterr().err
    assert (fresh.ROOT / ".venv" / "precious").exists()
    assert kinds(fresh.call("--venv", "other", "test")) == ["make", "install", "test"]


@pytest.mark.parametrize(("step", "told"), [("-m venv", "python3-venv"), ("pip", "network"), ("-m pytest", "code 7")])
def test_a_failed_step_ends_it_with_its_code_and_is_tried_again_the_next_time(fresh, capsys, step, told):
    fresh.codes[step] = 7
    with pytest.raises(SystemExit, match="7"):
        fresh.call("test")
    assert step in fresh.ran[-1]
    assert told in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(SystemExit, match="7"):
        fresh.call("test")


def test_a_step_that_a_signal_ended_has_the_code_that_a_shell_gives_it(fresh):
    fresh.codes["pytest"] = -9
    with pytest.raises(SystemExit, match="137"):
        fresh.call("test")


def test_an_older_python_gets_a_sentence(fresh, monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    with pytest.raises(SystemExit, match="3"):
        fresh.call("demo")
    assert "needs Python 3.11 or later" in capsys.readouterr().err
    assert fresh.ran == []
