"""The command line around its commands: info, help, what goes to stdout and stderr, Ctrl-C, in real processes."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cell_files import FEW, told
from manual_rnn.cli.interruption import heard

# info, help, version


def test_info_says_what_belongs_into_a_bug_report(capsys):
    code, stdout, stderr = told(capsys, "info")
    assert (code, stderr) == (0, "")
    for part in ("python", "manual-rnn", "numpy", "jax", "hypothesis", "blas", "threads", "cache"):
        assert part in stdout.lower()


def test_info_as_one_document(capsys):
    code, stdout, stderr = told(capsys, "info", "--json")
    assert (code, stderr, stdout.count("\n")) == (0, "", 1)
    document = json.loads(stdout)
    assert document["version"] == 1
    assert document["versions"]["numpy"]


def test_help_names_the_commands_and_their_options(capsys):
    code, stdout, _ = told(capsys, "--help")
    assert code == 0
    for command in ("verify", "train", "sample", "info"):
        assert command in stdout
    code, stdout, _ = told(capsys, "verify", "--help")
    assert code == 0
    for option in ("--examples", "--seed", "--json"):
        assert option in stdout


# Real processes


def command(*arguments):
    return [sys.executable, "-m", "manual_rnn", *map(str, arguments)]


def process(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here is always full")
@pytest.mark.parametrize("json_asked", [(), ("--json",)])
def test_a_result_that_cannot_be_written_is_a_sentence(json_asked):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("info", *json_asked), stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120
        )
    sentence = "manual-rnn: The result cannot be written to stdout: No space left on device.\n"
    assert (done.returncode, done.stderr) == (3, sentence)


def test_where_the_locale_knows_ascii_alone_other_characters_are_escaped():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        command("verify", "--help"), capture_output=True, env=environment, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, b"")
    asked = subprocess.run(
        command("train", "∇", "--out", "τ"), capture_output=True, env=environment, check=False, timeout=120
    )
    assert asked.returncode == 3
    assert asked.stderr.startswith(b"manual-rnn: There is no text file \\u2207.")


def test_a_process_writes_its_result_to_stdout_and_nothing_to_stderr():
    done = process("verify", "rnn", *FEW)
    assert (done.returncode, done.stderr) == (0, "")
    assert "All equations agree with jax.grad" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_process_ends_with_the_code_of_the_contract(tmp_path):
    done = process("verify", tmp_path / "none.py:MINE", "--json")
    assert (done.returncode, done.stderr) == (3, "")
    assert json.loads(done.stdout)["error"]["kind"] == "input"


def test_the_installed_command_is_the_same():
    script = Path(sys.executable).parent / "manual-rnn"
    if not script.exists():
        pytest.skip("the package is on the path but not installed")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, process("--version").stdout)


def test_a_reader_that_goes_away_is_no_failure():
    with subprocess.Popen(command("verify", "rnn", *FEW), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.close()
        assert b"Traceback" not in running.stderr.read()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches a process otherwise there")
def test_ctrl_c_ends_with_130():
    """In one process, and with one a core, which must go too."""
    begun = [
        subprocess.Popen(
            command("verify", "rnn", "--examples", examples), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )
        for examples in (2000, 20000)
    ]  # fmt: skip
    time.sleep(3)
    for running in begun:
        with running:
            assert running.poll() is None, "it must still be at work for this to show anything"
            os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to all processes of the command
            stdout, stderr = running.communicate(timeout=30)
        assert running.returncode == 130
        assert stdout == b""
        assert b"Traceback" not in stderr
        assert b"interrupted" in stderr


def _goes_on():
    """For five seconds, unless it is heard, in naps: what is raised anew from a thread wakes nobody."""
    for _ in range(500):
        time.sleep(0.01)


def _pressed_in_a_callback_of_the_collector():
    def callback(phase, info):
        if phase == "stop":
            signal.raise_signal(signal.SIGINT)

    gc.callbacks.append(callback)
    gc.collect()
    gc.callbacks.remove(callback)
    _goes_on()


def _pressed_in_a_destructor():
    class Goes:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    Goes()
    _goes_on()


@pytest.mark.parametrize("pressed", [_pressed_in_a_callback_of_the_collector, _pressed_in_a_destructor])
def test_ctrl_c_is_heard_where_python_drops_an_exception(pressed):
    """Python itself would go on, and only print that it has ignored something."""
    with pytest.raises(KeyboardInterrupt), heard():
        pressed()


def test_a_signal_that_was_ignored_before_stays_ignored():
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as for a program that a shell runs in the background
    try:
        with heard():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, usual)
