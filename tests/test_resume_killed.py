"""Trainings that are killed for real, at random moments, and resumed: nothing is lost, and the bits are the same.

In every run a few kills; in the thorough one sixty, of three kinds of network, and sixty times Ctrl-C or SIGTERM, half
of them followed by a second one. test_run_folder.py has a death at each single call to the system, in turn.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from manual_rnn.run_folder import RunFolder
from manual_rnn.runs import load
from study_files import PATIENCE, environment
from test_cli_resume import kept

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are other signals there")
SCRIPT = """
from threadpoolctl import threadpool_limits
from manual_rnn import cells, run_folder, training
from manual_rnn.cli import app, beginning, curves, progress
from manual_rnn.__main__ import main
cells.names()
print("ready", flush=True)
main()
"""
"""All is loaded before it is ready, so that the kill falls into the work."""
NETWORKS = {
    "rnn": ["--cell", "rnn", "--layers", 1, "--hidden", 16],
    "lstm": ["--cell", "lstm", "--hidden", 12, "--layers", 2, "--dropout", 0.3, "--dtype", "float64", "--patience", 99],
    "gru": [
        "--cell", "gru", "--layers", 1, "--hidden", 64, "--optimizer", "adagrad", "--init", "orthogonal",
        "--accumulate", 2,
    ],
}
COMMON = ["--steps", 120, "--eval-every", 7, "--seq-len", 10, "--batch", 4]


@contextlib.contextmanager
def ready(*arguments):
    """A training that has loaded what it needs, and begins."""
    given = [sys.executable, "-c", SCRIPT, "train", *map(str, arguments)]
    with subprocess.Popen(
        given, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout.readline() == "ready\n"
            yield running
        finally:
            running.kill()


def finished(*arguments):
    """How long it takes to the end, in seconds."""
    with ready(*arguments) as running:
        began = time.monotonic()
        _, errors = running.communicate(timeout=PATIENCE)
        assert (running.returncode, errors) == (0, "")
        return time.monotonic() - began


def killed(running):
    running.kill()
    running.wait()


def interrupted(running):
    """Ctrl-C, once or twice in short order, or SIGTERM: it has to end with 130 and without a traceback."""
    rng = np.random.default_rng()
    running.send_signal(rng.choice([signal.SIGINT, signal.SIGTERM]))
    if rng.random() < 0.5:
        time.sleep(rng.uniform(0, 0.02))
        running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=PATIENCE)
    # 0: it had just come to its end. SIGTERM: it had not begun, and ends as any program does.
    assert running.returncode in (130, 0, -signal.SIGTERM), errors
    assert all(line.startswith("manual-rnn: ") for line in errors.splitlines()), errors


@pytest.mark.parametrize(
    ("network", "ends", "times"),
    [
        ("lstm", killed, 2),
        *(pytest.param(name, killed, 20, marks=pytest.mark.thorough) for name in NETWORKS),
        *(pytest.param(name, interrupted, 20, marks=pytest.mark.thorough) for name in NETWORKS),
    ],
)
def test_ended_at_random_moments_it_comes_to_the_same_bits(tmp_path, network, ends, times):
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog.\n" * 40)
    command = [text, *COMMON, *NETWORKS[network]]
    seconds = finished(*command, "--out", tmp_path / "whole")
    undisturbed = kept(tmp_path / "whole")

    rng, runs, updates = np.random.default_rng(), 0, []
    while len(updates) < times:
        runs += 1
        out = tmp_path / f"{runs}" / "run"
        finds_its_end = False
        while not finds_its_end:
            with ready(*command, "--out", out, *(["--resume"] if out.exists() else [])) as running:
                try:
                    running.wait(rng.uniform(0.02, seconds / 2) if len(updates) < times else PATIENCE)
                    assert (running.returncode, running.stderr.read()) == (0, "")
                    finds_its_end = True
                except subprocess.TimeoutExpired:
                    ends(running)
                    updates.append(_as_it_was_left(out))
        assert kept(out) == undisturbed
        assert not list(out.glob("**/.*.tmp"))
        assert len(list(out.glob("checkpoints/*"))) == 2
    print(f"{network}: {ends.__name__} {times} times in {runs} runs, after {updates} updates")


def _as_it_was_left(out):
    """The updates of the last checkpoint, which has to be whole; -1 where the folder was not there yet."""
    if not out.exists():
        return -1
    with RunFolder.resumed(out, tell=pytest.fail) as (_, last):
        pass
    if (out / "weights.safetensors").exists():
        load(out)
    return last.update
