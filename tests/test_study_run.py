"""A study that runs: by every executor the same numbers; what is missing, and nothing else; nothing lost or mixed."""

import ctypes
import json
import multiprocessing
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from ctypes.util import find_library

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from manual_rnn import cells, initialise
from manual_rnn.errors import InputError, RunError, UsageError
from manual_rnn.studies import Study, batched, grid, run, survey
from manual_rnn.studies.compute import Surroundings
from manual_rnn.studies.executors import processes
from manual_rnn.studies.run_log import seconds_by_key
from manual_rnn.studies.store import Store
from study_files import results

CALLS = []


def draw(configuration, seed):
    CALLS.append((configuration["i"], seed))
    if configuration["i"] == "bad":
        raise ZeroDivisionError("planted")
    return {"x": np.random.default_rng(seed).standard_normal(2), "same": np.geterr()["divide"] == "warn"}


def products(configuration, seed):
    """Products that OpenBLAS would give to several threads, which add in another order."""
    w = np.random.default_rng(seed).standard_normal((configuration["n"], configuration["n"]))
    return {"x": (w @ w @ w)[0]}


def study(*values, seeds=(0, 1), function=draw, name="draws"):
    return Study(name=name, function=function, configurations=grid(i=values or range(4)), seeds=seeds)


@pytest.fixture(autouse=True)
def _forget():
    CALLS.clear()


def ran(study, folder, **options):
    """(how many trials a run has computed, with what code 0 for all)"""
    return run(study, folder, **{"code": "00000001", **options})


def test_a_run_does_what_is_missing_and_nothing_else(tmp_path):
    assert ran(study(1, 2), tmp_path).computed == len(CALLS) == 4
    assert ran(study(1, 2), tmp_path).computed == 0
    found = ran(study(1, 2, 3, seeds=(0, 1, 2)), tmp_path)
    assert found.computed == 5
    assert len(CALLS) == len(set(CALLS)) == 9
    assert (len(found.survey.done), found.survey.trials) == (9, 9)
    assert ran(study(2), tmp_path).survey.trials == 2  # what else is in the folder is not counted


def test_every_executor_gives_the_same_bytes(tmp_path):
    sizes = Study(name="products", function=products, configurations=grid(n=(5, 200, 300)), seeds=range(3))
    run(sizes, tmp_path / "here")
    with processes(4) as engine:
        run(sizes, tmp_path / "four", executor=engine.executor, ahead=engine.ahead)
    with ThreadPoolExecutor(2) as threads:
        run(sizes, tmp_path / "threads", executor=threads, ahead=3)
    assert results(tmp_path / "here") == results(tmp_path / "four") == results(tmp_path / "threads")
    assert len(results(tmp_path / "here")) == 9


def test_a_trial_that_raises_is_kept_with_its_traceback_and_the_study_goes_on(tmp_path):
    found = ran(study("bad", 1, 2), tmp_path)
    assert (found.computed, found.failed, len(found.survey.failed)) == (4, 2, 2)
    told = Store(tmp_path).read_failure(next(iter(found.survey.failed.values())))
    assert told["error"] == "ZeroDivisionError: planted"
    assert told["configuration"] == {"i": "bad"}
    assert 'raise ZeroDivisionError("planted")' in told["traceback"]
    assert ran(study("bad", 1, 2), tmp_path).failed == 0  # it would fail again
    assert ran(study("bad", 1, 2), tmp_path, redo_failed=True).failed == 2
    fixed = ran(study("bad", 1, 2, function=lambda c, s: {"x": 1}), tmp_path, code="00000002")
    assert (fixed.computed, len(fixed.survey.failed), len(fixed.survey.changed)) == (2, 0, 4)


def test_a_failed_trial_that_succeeds_later_has_not_failed(tmp_path):
    ran(study("bad"), tmp_path)
    found = ran(study("bad", function=lambda c, s: {"x": 1}), tmp_path, redo_failed=True)
    assert (len(found.survey.done), len(found.survey.failed)) == (2, 0)
    assert list((tmp_path / "failed").iterdir()) == []


def no_numbers(configuration, seed):
    return {"x": "text"}


def leaves(configuration, seed):
    raise SystemExit(3)


class Panic(BaseException):
    """As those of libraries in Rust."""


def panics(configuration, seed):
    raise Panic("planted")


FAILURES = [(no_numbers, "expected a number"), (leaves, "SystemExit: 3"), (panics, "Panic: planted")]


@pytest.mark.parametrize(("function", "error"), FAILURES)
def test_what_is_no_result_is_a_failure(function, error, tmp_path):
    found = ran(study(1, function=function), tmp_path)
    assert error in Store(tmp_path).read_failure(next(iter(found.survey.failed.values())))["error"]


def test_results_of_other_code_are_kept_and_named_and_done_anew_when_asked(tmp_path):
    ran(study(1, 2), tmp_path)
    before = results(tmp_path)
    found = ran(study(1, 2, 3), tmp_path, code="00000002")
    assert (found.computed, len(found.survey.changed), len(found.survey.done)) == (2, 4, 2)
    found = ran(study(1, 2, 3), tmp_path, code="00000002", redo_changed=True)
    assert (found.computed, len(found.survey.changed), len(found.survey.done)) == (4, 0, 6)
    assert before.items() <= results(tmp_path).items()
    back = ran(study(1, 2), tmp_path)  # the older code again: its results are there
    assert (back.computed, len(back.survey.done)) == (0, 4)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-20], lambda content: b"", lambda content: content.replace(b"draw", b"draW", 1) + b" ",
        lambda content: content.replace(b'"x":[', b'"x":[1'), lambda content: b"\xff" * 50, lambda content: b"[]",
    ],
)  # fmt: skip
def test_a_corrupt_result_is_set_aside_and_done_again(spoil, tmp_path):
    ran(study(1, 2), tmp_path)
    whole = results(tmp_path)
    name, *_ = whole
    spoilt = spoil(whole[name])
    (tmp_path / "trials" / name).write_bytes(spoilt)
    found = ran(study(1, 2), tmp_path)
    if spoilt.strip() == whole[name].strip():
        assert found.computed == 0  # a blank behind it is not the result's
        return
    assert (found.computed, len(found.set_aside)) == (1, 1)
    assert name in found.set_aside[0]
    assert results(tmp_path) == whole
    assert [path.read_bytes() for path in (tmp_path / "set_aside").iterdir()] == [spoilt]


def test_a_result_under_anothers_name_is_corrupt(tmp_path):
    ran(study(1, 2), tmp_path)
    first, second, *_ = sorted((tmp_path / "trials").iterdir())
    first.write_bytes(second.read_bytes())
    assert "another trial" in ran(study(1, 2), tmp_path).set_aside[0]


def test_two_runs_at_once_do_not_spoil_each_other(tmp_path):
    """Each trial of one run waits until the other run has begun; both write, and share what is to be done."""
    both = threading.Barrier(2)

    def meets(configuration, seed):
        if configuration["i"] == 0:
            both.wait(60)
        return {"x": seed}

    found = {}

    def go(name):
        found[name] = ran(study(*range(40), seeds=(0,), function=meets), tmp_path)

    threads = [threading.Thread(target=go, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = ran(study(*range(40), seeds=(0,), function=lambda c, s: {"x": s}), tmp_path / "alone")
    assert results(tmp_path) == results(tmp_path / "alone")
    assert found["a"].computed + found["b"].computed >= alone.computed == 40


def test_trials_that_overlap_in_threads_leave_stdout_and_the_threads_of_products_as_they_were(tmp_path):
    """The first that begins is the first to end, while the other runs on."""
    begun, ended, before = threading.Event(), threading.Event(), threadpool_info()
    inside, stdout, first = [], sys.stdout, threading.Lock()

    def overlaps(configuration, seed):
        if first.acquire(blocking=False):
            assert begun.wait(60)
        else:
            begun.set()
            assert ended.wait(60)
        inside.append((sys.stdout is sys.stderr, [pool["num_threads"] for pool in threadpool_info()]))
        return {"x": 1}

    def tell(done, trials):
        ended.set()

    with ThreadPoolExecutor(2) as threads:
        ran(study(0, 1, seeds=(0,), function=overlaps), tmp_path, executor=threads, progress=tell)
    assert [told for told, _ in inside] == [True, True]
    assert all(set(counts) <= {1} for _, counts in inside)
    assert sys.stdout is stdout
    there = {pool["filepath"] for pool in before}  # another may have been loaded meanwhile
    assert [pool for pool in threadpool_info() if pool["filepath"] in there] == before


OPENMP = find_library("gomp") or find_library("omp")


@pytest.mark.skipif(OPENMP is None, reason="this machine has no OpenMP")
def test_openmp_has_one_thread_in_whatever_thread_a_trial_is():
    """It keeps a number for each thread: that of the run, which enters first, is not that of its trials."""
    openmp, surroundings = ctypes.CDLL(OPENMP), Surroundings()

    def trial():
        openmp.omp_set_num_threads(3)
        with surroundings:
            inside = openmp.omp_get_max_threads()
        return inside, openmp.omp_get_max_threads()

    with surroundings, ThreadPoolExecutor(1) as thread:
        assert thread.submit(trial).result() == (1, 3)
        assert openmp.omp_get_max_threads() == 1
        with surroundings:  # as where the run computes its trials itself
            assert openmp.omp_get_max_threads() == 1


def test_another_study_has_a_folder_of_its_own(tmp_path):
    ran(study(1), tmp_path)
    with pytest.raises(UsageError, match="holds the study 'draws', not 'other'"):
        ran(study(1, name="other"), tmp_path)


def test_a_lambda_is_refused_by_processes_before_anything_runs(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=spawn) as pool,
        pytest.raises(InputError, match="cannot be sent to another process; write it with def"),
    ):
        run(study(1, function=lambda c, s: {}), tmp_path, executor=pool)


class GivesUp(Executor):
    """Runs two trials and cancels what comes after."""

    taken = 0

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        self.taken += 1
        if self.taken <= 2:
            future.set_result(fn(*args, **kwargs))
        else:
            future.cancel()
            future.set_running_or_notify_cancel()
        return future


def test_an_executor_that_gives_up_is_told_and_nothing_is_lost(tmp_path):
    with pytest.raises(RunError, match="2 of this run's are finished and kept"):
        ran(study(1, 2, 3), tmp_path, executor=GivesUp())
    assert len(results(tmp_path)) == 2
    assert ran(study(1, 2, 3), tmp_path).computed == 4


class KilledWorker(Exception):
    """As Dask's."""


class Raises(Executor):
    """Never comes to run a trial."""

    def __init__(self, error):
        self.error = error

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_exception(self.error)
        return future


def test_what_keeps_the_executor_from_running_is_no_trials_failure(tmp_path):
    with pytest.raises(RunError, match="cannot run the study's trials: ModuleNotFoundError: No module named 'mine'"):
        ran(study(1), tmp_path, executor=Raises(ModuleNotFoundError("No module named 'mine'")))
    assert len(survey(study(1), Store(tmp_path), "00000001").missing) == 2
    assert ran(study(1), tmp_path, executor=Raises(KilledWorker("four"))).failed == 2


def test_a_disk_that_is_full_for_a_while_costs_one_result(tmp_path, monkeypatch):
    from manual_rnn.studies import store

    write_whole, written = store.write_whole, []

    def full(path, content):
        if path.parent.name == "trials" and len(written) == 3:
            raise OSError(28, "No space left on device")
        written.append(path)
        write_whole(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(store, "write_whole", full)
        with pytest.raises(InputError, match=r"No space left on device\. What was finished"):
            ran(study(), tmp_path)
    assert len(results(tmp_path)) == 2  # and study.json
    assert ran(study(), tmp_path).computed == 6
    ran(study(), tmp_path / "undisturbed")
    assert results(tmp_path) == results(tmp_path / "undisturbed")


def test_a_folder_that_cannot_be_made_is_told_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        ran(study(), tmp_path / "file" / "folder")
    assert CALLS == []


def test_the_record_of_a_run_has_times_and_versions(tmp_path):
    found = ran(study(1, 2), tmp_path)
    (path,) = (tmp_path / "runs").iterdir()
    about, *lines = map(json.loads, path.read_text().splitlines())
    assert about["versions"]["numpy"] == np.__version__
    assert {line["key"] for line in lines} == {trial.key for trial in found.survey.done}
    path.write_bytes(path.read_bytes()[:-5])  # as a kill leaves it
    assert len(seconds_by_key(tmp_path)) == 3


def test_progress_is_told_of_all_that_is_done(tmp_path):
    told = []
    ran(study(1, 2), tmp_path, progress=lambda done, trials: told.append((done, trials)))
    ran(study(1, 2, 3), tmp_path, progress=lambda done, trials: told.append((done, trials)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4), (5, 6), (6, 6)]


def test_a_survey_of_an_empty_folder_and_its_pace(tmp_path):
    found = survey(study(), Store(tmp_path / "none"), "")
    assert (len(found.missing), found.last_result(), found.remaining()) == (8, None, None)
    ran(study(1, 2), tmp_path)
    import os

    for i, path in enumerate(sorted((tmp_path / "trials").iterdir())):
        os.utime(path, (1000 + 10 * i, 1000 + 10 * i))
    found = survey(study(1, 2, 3), Store(tmp_path), "00000001")
    assert found.remaining() == 20  # two, at ten seconds each
    assert found.last_result() > 1e6


def gradients(configurations, seeds):
    """Several networks at once, of one width; the one of gain 13 cannot be had."""
    units = {configuration["units"] for configuration in configurations}
    assert len(units) == 1, "the study says that they are alike"
    sizes = {"n_in": 3, "n_hidden": units.pop(), "n_out": 2}
    given = zip(configurations, seeds, strict=True)
    each = [initialise(RNN, **sizes, gain=unlucky(c["gain"]), seed=seed) for c, seed in given]
    draws = [np.random.default_rng(seed) for seed in seeds]
    x = np.stack([rng.standard_normal((6, 2, 3)) for rng in draws])
    y = np.stack([rng.integers(0, 2, (6, 2)) for rng in draws])
    found = batched.loss_and_gradients(RNN, {name: np.stack([one[name] for one in each]) for name in each[0]}, x, y)
    GROUPS.append(len(seeds))
    norms = np.sqrt((found.gradients["W"] ** 2).sum(axis=(1, 2)))
    return [{"loss": loss, "norm": norm} for loss, norm in zip(found.loss, norms, strict=True)]


def unlucky(gain):
    if gain == 13:
        raise ValueError("planted")
    return gain


RNN, GROUPS = cells.get("rnn"), []


def many(together, gains=range(1, 8)):
    configurations = grid(units=(4, 9), gain=gains)
    return Study(
        name="many", function=gradients, configurations=configurations, seeds=(0, 1), together=together, alike=["units"]
    )


def test_trials_that_are_taken_together_give_the_bytes_of_one_by_one(tmp_path):
    GROUPS.clear()
    ran(many(1_000), tmp_path / "all")
    assert GROUPS == [14, 14]
    ran(many(5), tmp_path / "five")
    assert sorted(GROUPS[2:]) == [4, 4, 5, 5, 5, 5]
    ran(many(3, gains=(1, 2)), tmp_path / "some")
    ran(many(3), tmp_path / "some")
    with processes(2) as engine:
        ran(many(2), tmp_path / "two", executor=engine.executor)
    assert len(results(tmp_path / "all")) == 28
    for folder in ("five", "some", "two"):
        assert results(tmp_path / folder) == results(tmp_path / "all")


def test_of_trials_taken_together_only_those_fail_that_fail_alone(tmp_path):
    found = ran(many(50, gains=(1, 13, 2)), tmp_path)
    assert (found.computed, found.failed) == (8, 4)
    assert {trial.configuration["gain"] for trial in found.survey.failed} == {13}
    assert "planted" in Store(tmp_path).read_failure(next(iter(found.survey.failed.values())))["error"]
    ran(many(50, gains=(1, 2)), tmp_path / "without")
    assert results(tmp_path / "without") == results(tmp_path)


def test_a_result_for_each_trial_is_asked_for(tmp_path):
    both = Study(name="s", function=lambda c, s: [], configurations=[{"a": 1}, {"a": 2}], together=2)
    found = ran(both, tmp_path)
    assert found.failed == 2
    told = Store(tmp_path).read_failure(next(iter(found.survey.failed.values())))["error"]
    assert "returned 0 results for 1 trials" in told
