"""One trial, computed: what every process of every executor runs."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import threadpoolctl

from manual_rnn.errors import said_by
from manual_rnn.studies.plain import Value, values_of
from manual_rnn.studies.study import Function
from manual_rnn.studies.trial import Trial
from manual_rnn.tracebacks import own_traceback


class NotLoaded(Exception):
    """This process cannot load the study's function; no trial's failure, for none was begun. It says why."""


class Surroundings:
    """What a trial finds around it: one thread for matrix products, and stderr for what it prints.

    The sums of several threads are added in another order, and the last bit of a result would hang on the number of
    cores. What a user's function prints is no result of ours. Both belong to the whole process, and the number of
    threads is not to be changed while another thread multiplies: so whoever enters first sets them, and the last that
    leaves sets them back. OpenBLAS hears only the thread that has set it: a run is inside for as long as its trials.
    OpenMP, which scikit-learn and PyTorch bring, keeps a number for each thread: everyone who enters sets their own.

    What it does not see: a library with a BLAS of its own that the first call loads. Import it at the top of the
    study's file.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._modules = threading.Lock(), 0, 0
        self._blas: Any = None
        self._openmp: Any = None
        self._here = threading.local()  # what this thread found, each time that it entered
        self._set = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                if self._modules != len(sys.modules):  # something was loaded since; to look takes a third of a ms
                    pools, self._modules = threadpoolctl.ThreadpoolController(), len(sys.modules)
                    self._blas, self._openmp = pools.select(user_api="blas"), pools.select(user_api="openmp")
                self._set.enter_context(self._blas.limit(limits=1))
                self._set.enter_context(contextlib.redirect_stdout(sys.stderr))
            self._inside += 1
            openmp = self._openmp
        self._here.__dict__.setdefault("found", []).append(openmp.limit(limits=1))

    def __exit__(self, *error: object) -> None:
        self._here.found.pop().restore_original_limits()
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._set.close()


SURROUNDINGS = Surroundings()


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: values, or an error. It can be sent from one process to another."""

    values: Mapping[str, Value] | None
    error: str = ""
    """The exception's type and what it says."""
    traceback: str = ""
    seconds: float = 0.0
    where: str = ""
    """The machine and the process."""


def compute(function: Function, trials: Sequence[Trial], *, together: bool = False) -> list[Outcome]:
    """Calls the function; what it raises, and values that are none, are an outcome too.

    It is called in its :class:`Surroundings`. Trials that are taken together are called one by one where the call of
    all raises: so only those fail that do so by themselves.

    Raises NotLoaded where this process cannot load the function.
    """
    if not together:
        return [_outcomes(partial(_alone, function, trial), 1)[0] for trial in trials]
    found = _outcomes(lambda: function([t.configuration for t in trials], [t.seed for t in trials]), len(trials))
    if len(trials) > 1 and any(outcome.values is None for outcome in found):
        return [compute(function, [trial], together=True)[0] for trial in trials]
    return found


def _alone(function: Function, trial: Trial) -> list[Any]:
    return [function(trial.configuration, trial.seed)]


def _outcomes(call: Callable[[], Any], count: int) -> list[Outcome]:
    """What one call says of so many trials."""
    begun = time.perf_counter()
    found: list[Any] = [None] * count
    error = told = ""
    try:
        with SURROUNDINGS:
            given = list(call())
        if len(given) != count:
            raise ValueError(f"The function returned {len(given)} results for {count} trials; expected one for each.")
        found = [values_of(one) for one in given]
    except (KeyboardInterrupt, NotLoaded):  # no trial's failure
        raise
    except BaseException as raised:  # an exit, a panic in Rust, a cancelled coroutine: none ends the other trials
        error, told = said_by(raised), own_traceback(raised)
    where = f"{platform.node()}:{os.getpid()}"
    seconds = (time.perf_counter() - begun) / count
    return [Outcome(values, error, told, seconds, where) for values in found]
