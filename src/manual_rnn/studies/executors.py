"""Who runs the trials: this process, a pool of processes, or Dask; each an executor of ``concurrent.futures``.

Queues, restarts of dead workers and their limits are the engines'. A pool of processes gives up when one of them is
killed, and the same command then does the rest; Dask starts a worker anew, and gives a trial up that has killed four.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from manual_rnn.errors import InputError

ANSWER_SECONDS = 10
"""How long a Dask scheduler may take to answer."""


class Engine(NamedTuple):
    """An executor, and how many trials it is handed at a time."""

    executor: Executor
    ahead: int


class InProcess(Executor):
    """Runs each trial in this process, when it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def processes(workers: int) -> Iterator[Engine]:
    """Processes of this machine, begun anew (spawn): JAX forbids fork. They end with the block, however it ends."""
    others = set(multiprocessing.active_children())
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start_worker)
    try:
        yield Engine(pool, 2 * workers)
    except BaseException:
        # Nobody waits for trials that are in flight: they may take hours, and a rerun does them.
        for worker in set(multiprocessing.active_children()) - others:
            worker.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Ctrl-C is the driver's to hear. And a worker whose driver is killed waits for ever, if nobody ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_driver, daemon=True).start()


def _end_with_driver() -> None:
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)


@contextmanager
def dask(address: str | None, workers: int) -> Iterator[Engine]:
    """Dask distributed: the scheduler at an address, or, without one, a cluster on this machine for this block.

    Raises InputError where Dask is not installed and where nobody answers at the address.
    """
    try:
        from distributed import Client, LocalCluster
        from distributed.comm import get_address_host_port
    except ModuleNotFoundError:
        raise InputError('Dask is not installed; it comes with: pip install "manual-rnn[dask]".') from None

    if address is None:
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL,
                preload=[__name__],
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):  # fmt: skip
            yield from _engine(client)
        return
    try:
        get_address_host_port(address)  # a client that fails on it is not closed
        client = Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"No Dask scheduler answers at {address!r} ({error}); start one with 'dask scheduler', or say --dask local."
        ) from None
    with client:
        yield from _engine(client)


def dask_setup(worker: Any) -> None:
    """Dask calls this in each worker of a cluster that was started here, by the name that Dask has for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _engine(client: Any) -> Iterator[Engine]:
    executor = client.get_executor(pure=False)
    try:
        yield Engine(executor, max(64, 4 * sum(client.nthreads().values())))
    finally:
        executor.shutdown(wait=False)
