"""One trial, computed: what every process of every executor runs."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import threadpoolctl

from manual_rnn.errors import said_by
from manual_rnn.studies.plain import Value, values_of
from manual_rnn.studies.study import Function
from manual_rnn.studies.trial import Trial
from manual_rnn.tracebacks import own_traceback


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


def compute(function: Function, trial: Trial) -> Outcome:
    """Calls the function; what it raises, and values that are none, are an outcome too.

    Matrix products use one thread while it runs: the sums of several threads are added in another order, and the last
    bit of a result would hang on the number of cores. A library with a BLAS of its own is seen if it is loaded before
    the function is called: import it at the top of the study's file.
    """
    begun = time.perf_counter()
    values, error, told = None, "", ""
    try:
        # What a user's function prints is no result of ours.
        with contextlib.redirect_stdout(sys.stderr), _thread_pools(len(sys.modules)).limit(limits=1):
            values = values_of(function(trial.configuration, trial.seed))
    except (Exception, SystemExit) as raised:
        error, told = said_by(raised), own_traceback(raised)
    where = f"{platform.node()}:{os.getpid()}"
    return Outcome(values, error, told, time.perf_counter() - begun, where)


@lru_cache(maxsize=1)
def _thread_pools(modules: int) -> threadpoolctl.ThreadpoolController:
    """The libraries that have threads, looked for anew when there are more modules than before."""
    return threadpoolctl.ThreadpoolController()
