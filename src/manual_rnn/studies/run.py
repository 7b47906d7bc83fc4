"""Brings a study and its folder together: whatever has no result yet is handed to an executor, and kept as it comes.

Results are written by this process, the driver, and by no worker: workers need no common disk. A trial is on the disk
before the next is handed out, so a kill of the driver loses what is in flight and nothing else.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np

from manual_rnn.errors import InputError, RunError, said_by
from manual_rnn.provenance import provenance
from manual_rnn.studies.compute import SURROUNDINGS, NotLoaded, Outcome, compute
from manual_rnn.studies.executors import InProcess
from manual_rnn.studies.record import Corrupt, Record
from manual_rnn.studies.run_log import RunLog
from manual_rnn.studies.store import Store
from manual_rnn.studies.study import Study, groups
from manual_rnn.studies.survey import Survey, survey
from manual_rnn.studies.trial import Trial
from manual_rnn.studies.version import version_of

KILLED = "KilledWorker"
"""What Dask raises of a trial that has killed one worker after the other; its class is not there without Dask."""
Task = tuple[list[Trial], "Future[list[Outcome]]"]
Done = SimpleQueue[Task]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a run did, and how the study stands after it."""

    computed: int
    """Trials that this run has finished."""
    failed: int
    """Trials of this run whose function raised."""
    set_aside: tuple[str, ...]
    """A sentence for each file that was corrupt and done anew."""
    survey: Survey


def run(
    study: Study,
    folder: Path,
    *,
    executor: Executor | None = None,
    ahead: int = 64,
    code: str | None = None,
    redo_failed: bool = False,
    redo_changed: bool = False,
    progress: Callable[[int, int], None] = lambda done, trials: None,
) -> Ran:
    """Does what is missing of a study, and exactly that. What this process prints meanwhile goes to stderr.

    Results of other code than the study's function now is are neither thrown away nor made anew unless that is asked
    for: they count, and :attr:`Survey.changed` names them. A trial that has failed with this very code would fail
    again, and is left; with other code it is tried.

    Args:
        study: What to run.
        folder: Where the results are; made where it does not exist.
        executor: Any of ``concurrent.futures``; this process by default.
        ahead: How many trials it is handed at a time; at least twice its workers keep them busy.
        code: The version of the study's function; by default as its file says.
        redo_failed: Do failed trials again.
        redo_changed: Do those anew whose results are of other code; these stay on the disk.
        progress: Told the trials that are finished, and all.

    Raises:
        UsageError: the folder holds another study.
        InputError: the disk takes no result (full, read-only), or the function cannot be sent to another process.
        RunError: the executor broke: a worker of a pool was killed.
    """
    code = version_of(study.function) if code is None else code
    engine = InProcess() if executor is None else executor
    if isinstance(engine, ProcessPoolExecutor):
        _check_is_sent(study)
    store = Store(folder)
    store.open(study.name)
    set_aside = _set_corrupt_aside(store, survey(study, store, code))
    found = survey(study, store, code)
    again = [*(found.failed if redo_failed else ()), *(found.changed if redo_changed else ())]
    wanted = [*found.missing, *again]
    computed = failed = 0
    if wanted:
        driver = _Driver(study, store, code, engine)
        with SURROUNDINGS:  # set here for threads, too: of several that come and go, only one may set it back
            driver.do(wanted, ahead, lambda: progress(found.trials - len(wanted) + driver.finished, found.trials))
        computed, failed = driver.computed, driver.failed
    return Ran(computed=computed, failed=failed, set_aside=set_aside, survey=survey(study, store, code))


def _set_corrupt_aside(store: Store, found: Survey) -> tuple[str, ...]:
    """Opens every result; one that is corrupt is moved away, and so missing. (sentences on those)"""
    said = []
    for entry in found.results.values():
        try:
            store.read(entry)
        except Corrupt as error:
            said.append(f"{error} It is now in {store.set_aside(entry)}, and the trial is done anew.")
    return tuple(said)


class _Driver:
    """One run: hands out, takes in, writes down."""

    def __init__(self, study: Study, store: Store, code: str, executor: Executor) -> None:
        self._study, self._store, self._code, self._executor = study, store, code, executor
        origin = provenance()
        self._commit = origin["commit"]
        about = {"study": study.name, "code": code, "executor": type(executor).__name__}
        self._log = RunLog(store.path, {**about, **origin})
        self.computed = self.failed = self.finished = 0

    def do(self, wanted: Sequence[Trial], ahead: int, told: Callable[[], None]) -> None:
        done: Done = SimpleQueue()
        flying = 0
        try:
            # In random order: the remaining time is told from a fair sample, and two runs at once seldom meet.
            order = (wanted[i] for i in np.random.default_rng().permutation(len(wanted)))
            for group in groups(order, self._study.together, self._study.alike):
                trials = [trial for trial in group if not self._store.has(trial.key, self._code)]
                self.finished += len(group) - len(trials)  # another run has finished these since this one began
                if not trials:
                    continue
                future = self._executor.submit(compute, self._study.function, trials, together=self._study.together > 1)
                future.add_done_callback(lambda future, trials=trials: done.put((trials, future)))  # type: ignore[misc]
                flying += 1
                while flying and (ready := _next(done, wait=flying >= ahead)):
                    flying -= 1
                    self._take(*ready)
                    told()
            while flying:
                flying -= 1
                self._take(*done.get())
                told()
        except BrokenExecutor as error:
            while ready := _next(done, wait=False):
                if not ready[1].cancelled() and ready[1].exception() is None:
                    self._take(*ready)
            raise _broken(error, self.finished) from None

    def _take(self, trials: list[Trial], future: Future[list[Outcome]]) -> None:
        for trial, outcome in zip(trials, _outcomes(future, len(trials)), strict=True):
            self._put_down(trial, outcome)

    def _put_down(self, trial: Trial, outcome: Outcome) -> None:
        key = trial.key
        if outcome.values is None:
            self.failed += 1
            told = {"error": outcome.error, "traceback": outcome.traceback}
            self._store.keep_failure(
                key, self._code, {"configuration": trial.configuration, "seed": trial.number, **told}
            )
        else:
            self.computed += 1
            self._store.keep(Record(trial, outcome.values, self._code, self._commit))
        self.finished += 1
        self._log.add({"key": key, "seconds": round(outcome.seconds, 6), "where": outcome.where})


def _next(done: Done, *, wait: bool) -> Task | None:
    try:
        return done.get(block=wait)
    except Empty:
        return None


def _outcomes(future: Future[list[Outcome]], count: int) -> list[Outcome]:
    """What the executor says of trials: their outcomes, or that it has given them up, which is their failure.

    Raises BrokenExecutor where the executor takes no more trials, and RunError where it cannot run any: its workers
    lack a module that the study's file imports, say. That is no trial's failure, and none is kept as one.
    """
    try:
        return future.result()
    except BrokenExecutor:
        raise
    except CancelledError:
        raise BrokenExecutor("the executor has cancelled what it was handed") from None
    except NotLoaded as error:
        raise RunError(
            f"A worker cannot run the study's trials. There, {error}. What the file imports has to be installed where "
            "the workers are; what was finished before is kept, and the same command does the rest."
        ) from None
    except Exception as error:
        if type(error).__name__ == KILLED:
            return [Outcome(None, said_by(error))] * count
        raise RunError(f"The executor cannot run the study's trials: {said_by(error)}") from error


def _broken(error: BrokenExecutor, finished: int) -> RunError:
    return RunError(
        f"A process of the executor has died (killed, out of memory?), and it takes no more trials: {said_by(error)} "
        f"{finished} of this run's are finished and kept; the same command does the rest. "
        "With --dask local a worker that dies is replaced, and a trial that kills four is told as failed."
    )


def _check_is_sent(study: Study) -> None:
    try:
        pickle.dumps(study.function)
    except (pickle.PicklingError, AttributeError, TypeError):
        raise InputError(
            f"The function of the study {study.name!r} cannot be sent to another process; write it with def, at the "
            "top level of a file."
        ) from None
