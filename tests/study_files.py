"""Study files that the tests run, and how they run them."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

SRC = Path(__file__).parents[1] / "src"
PATIENCE = 60
"""Seconds that a test waits for what is to come: far more than it takes on a slow machine."""

DRAWS = """
import numpy as np
from manual_rnn.studies import Study, grid


def draws(configuration, seed):
    w = configuration["gain"] * np.random.default_rng(seed).standard_normal((40, 40))
    return {"radius": np.abs(np.linalg.eigvals(w)).max(), "norms": np.linalg.norm(w @ w, axis=0)}


STUDY = Study(name="draws", function=draws, configurations=grid(gain=(0.5, 1, 1.5, 2), n=(1, 2)), seeds=range(3))
"""

WAITS = '''
import itertools
import os
import time
from pathlib import Path

import numpy as np
from manual_rnn.studies import Study, grid

PLACE = Path(__file__).parent


def waits(configuration, seed):
    wait_where_it_has_to()
    return {"draw": np.random.default_rng(seed).standard_normal(3)}


def wait_where_it_has_to():
    for count in itertools.count():
        try:
            (PLACE / f"{count}.begun").open("x").close()
            break
        except FileExistsError:
            continue
    if count >= 6:
        (PLACE / f"{os.getpid()}.waits").touch()
        while not (PLACE / "go").exists():
            time.sleep(0.01)


STUDY = Study(name="waits", function=waits, configurations=grid(i=range(12)))
'''
"""Six trials pass; those that begin after them say in which process they are, and wait for the file "go"."""


def command(*arguments):
    return [sys.executable, "-m", "manual_rnn", "study", *map(str, arguments)]


def environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(SRC), os.environ.get("PYTHONPATH", "")])}


def process(*arguments, **options):
    """A command that has run to its end."""
    return subprocess.run(
        command(*arguments), env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE, **options
    )


@contextlib.contextmanager
def begun(*arguments):
    """A command that runs, with processes of its own; nothing of it is left behind."""
    with subprocess.Popen(
        command(*arguments), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as running:  # fmt: skip
        try:
            yield running
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, 9)


def until(condition):
    """Waits for what has to come true."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.01)
    return found


def results(folder):
    """The results in a folder, byte by byte."""
    return {path.name: path.read_bytes() for path in (Path(folder) / "trials").glob("[!.]*.json")}


def alive(pid):
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
