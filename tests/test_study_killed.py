"""Studies that are killed for real, at a moment that the test knows, and then run again: nothing lost, the same bytes.

Two trials of WAITS (study_files.py) are in flight, and six finished, when the kill comes.
"""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from study_files import DRAWS, PATIENCE, WAITS, alive, begun, command, environment, process, results, until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are other signals there")
DASK = importlib.util.find_spec("distributed") is not None
needs_dask = pytest.mark.skipif(not DASK, reason='Dask is not installed: pip install "manual-rnn[dask]"')


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The bytes of a run that nobody disturbs."""
    place = tmp_path_factory.mktemp("undisturbed")
    (place / "waits.py").write_text(WAITS)
    (place / "go").touch()
    done = process("run", "waits.py", "--workers", 1, cwd=place)
    assert done.returncode == 0, done.stderr
    return results(place / "out" / "waits")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "waits.py").write_text(WAITS)
    return tmp_path


def in_flight(place):
    """The two processes that wait in a trial, when six trials are finished and on the disk."""
    until(lambda: len(results(place / "out")) == 6 and len(list(place.glob("*.waits"))) == 2)
    return [int(path.stem) for path in place.glob("*.waits")]


def run_in(place, *options):
    return begun("run", place / "waits.py", "--out", place / "out", "--workers", 2, *options)


def finishes(place, *options):
    (place / "go").touch()
    done = process("run", place / "waits.py", "--out", place / "out", "--workers", 1, *options)
    assert done.returncode == 0, done.stderr
    return results(place / "out")


def test_a_killed_driver_loses_what_is_in_flight_and_leaves_no_process(place, undisturbed):
    with run_in(place) as driver:
        workers = in_flight(place)
        assert all(map(alive, workers))
        driver.kill()
        driver.wait(PATIENCE)
        until(lambda: not any(map(alive, workers)))
    kept = results(place / "out")
    assert len(kept) == 6
    assert kept.items() <= undisturbed.items()
    assert finishes(place) == undisturbed


def test_a_killed_worker_ends_a_pool_in_one_sentence(place, undisturbed):
    with run_in(place) as driver:
        worker, *_ = in_flight(place)
        os.kill(worker, signal.SIGKILL)
        out, errors = driver.communicate(timeout=PATIENCE)
    assert (driver.returncode, out) == (4, "")
    assert "A process of the executor has died" in errors
    assert "6 of this run's are finished and kept; the same command does the rest" in errors
    assert "Traceback" not in errors
    assert len(results(place / "out")) == 6
    assert finishes(place) == undisturbed


@needs_dask
def test_dask_replaces_a_killed_worker(place, undisturbed):
    with run_in(place, "--dask", "local") as driver:
        worker, *_ = in_flight(place)
        os.kill(worker, signal.SIGKILL)
        until(lambda: not alive(worker))
        (place / "go").touch()
        out, errors = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0, errors
    assert "12 of 12 trials done" in out
    assert results(place / "out") == undisturbed


POISON = """
import os, signal
from manual_rnn.studies import Study, grid


def poison(configuration, seed):
    if configuration["i"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"x": 1}


STUDY = Study(name="poison", function=poison, configurations=grid(i=range(6)))
"""


@needs_dask
def test_dask_gives_up_a_trial_that_kills_its_workers_and_goes_on_with_the_others(tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")  # three by default, which takes longer
    (tmp_path / "poison.py").write_text(POISON)
    done = process("run", "poison.py", "--dask", "local", "--workers", 2, cwd=tmp_path)
    assert done.returncode == 4
    assert "missing" not in done.stdout
    found = json.loads(process("status", "poison.py", "--json", cwd=tmp_path).stdout)
    # Without a second try, a trial that waits for the same worker is blamed as well.
    assert {"i": 3} in [failure["configuration"] for failure in found["failures"]]
    assert all("KilledWorker" in failure["error"] for failure in found["failures"])
    assert found["done"] > 0


def test_ctrl_c_ends_with_130_and_the_workers_with_it(place, undisturbed):
    with run_in(place) as driver:
        workers = in_flight(place)
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does
        out, errors = driver.communicate(timeout=PATIENCE)
        until(lambda: not any(map(alive, workers)))
    assert (driver.returncode, out, errors) == (130, "", "manual-rnn: interrupted.\n")
    assert finishes(place) == undisturbed


def test_status_can_be_asked_while_it_runs(place):
    with run_in(place):
        in_flight(place)
        done = process("status", place / "waits.py", "--out", place / "out")
    assert "6 of 12 trials done, 6 missing" in done.stdout
    assert "The last result came" in done.stdout


MOUNTS = """
set -e
mkdir disk; mount -t tmpfs -o size=64k,{mode} tmpfs disk
set +e
{run}
code=$?
[ -d disk/draws ] && cp -r disk/draws copy
exit $code
"""


def on_a_disk(place, mode, *arguments):
    """A run whose folder is on a disk of its own, mounted where nobody else sees it; it is left as ``copy``."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare to mount a disk with")
    trial = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    if subprocess.run(trial, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a disk, not even for itself")
    script = MOUNTS.format(mode=mode, run=" ".join(command(*arguments)))
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], cwd=place, env=environment(), capture_output=True, text=True,
        check=False, timeout=PATIENCE,
    )  # fmt: skip


def test_a_full_disk(tmp_path):
    """64 kB hold sixteen pages: some of the results, in the middle of the study."""
    (tmp_path / "draws.py").write_text(DRAWS)
    done = on_a_disk(tmp_path, "rw", "run", "draws.py", "--out", "disk/draws", "--workers", 1)
    assert (done.returncode, done.stdout) == (3, "")
    assert "No space left on device. What was finished before is kept" in done.stderr
    assert "Traceback" not in done.stderr
    kept = results(tmp_path / "copy")
    assert 0 < len(kept) < 24
    again = process("run", tmp_path / "draws.py", "--out", tmp_path / "copy", "--workers", 1, "--json")
    assert f'"computed": {24 - len(kept)}' in again.stdout
    process("run", tmp_path / "draws.py", "--out", tmp_path / "whole", "--workers", 1)
    assert results(tmp_path / "copy") == results(tmp_path / "whole")
    assert len(results(tmp_path / "whole")) == 24


def test_a_disk_that_is_read_only(tmp_path):
    (tmp_path / "draws.py").write_text(DRAWS)
    done = on_a_disk(tmp_path, "ro", "run", "draws.py", "--out", "disk/draws")
    assert done.returncode == 3
    assert done.stderr.startswith("manual-rnn: The study's folder disk/draws cannot be written: Read-only file system.")


def test_a_file_that_may_not_grow(tmp_path):
    """A limit of the system on the size of files, where no disk can be mounted: the write itself fails."""
    (tmp_path / "draws.py").write_text(DRAWS)
    limited = (
        "import resource, sys; from manual_rnn.cli.app import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)); sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "study", "run", "draws.py", "--out", "out", "--workers", "1"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 3
    assert "File too large. What was finished before is kept" in done.stderr
    assert 0 < len(results(tmp_path / "out")) < 24  # the record of the run grows, and so it is what fails
    again = process("run", tmp_path / "draws.py", "--out", tmp_path / "out", "--workers", 1)
    assert again.returncode == 0
    assert "24 of 24" in again.stdout
