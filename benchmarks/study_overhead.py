"""What a study costs beside its function: ``python benchmarks/study_overhead.py [--trials 10000] [--out FILE]``.

The trials do nothing, so that all time is the engine's: hand out, take in, check, write. Measured in process, on a pool
and on Dask (where it is installed); beside it the writing of as many such files alone, how long a rerun takes that
finds nothing missing, and how long the question for the status does, while the folder has all of them.
"""

import argparse
import importlib.util
import json
import os
import tempfile
import time
from pathlib import Path

from manual_rnn.files import write_whole
from manual_rnn.provenance import provenance
from manual_rnn.studies import Study, grid, run, survey
from manual_rnn.studies.executors import Engine, InProcess, dask, processes
from manual_rnn.studies.store import Store

WORKERS = 2


def nothing(configuration, seed):
    return {"x": 0.5}


def seconds(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def of_engine(study, engine, folder):
    """Milliseconds a trial, with the workers' start left out; a rerun, and the status, in seconds."""
    first = Study(name="first", function=nothing, configurations=grid(i=range(2 * WORKERS)))
    run(first, folder / "first", executor=engine.executor, ahead=engine.ahead)
    place, n = folder / "all", len(study.trials())
    took = seconds(lambda: run(study, place, executor=engine.executor, ahead=engine.ahead))
    return {
        "milliseconds_a_trial": round(1e3 * took / n, 3),
        "rerun_seconds": round(seconds(lambda: run(study, place, executor=engine.executor, ahead=engine.ahead)), 3),
        "status_seconds": round(seconds(lambda: survey(study, Store(place), "")), 3),
    }


def of_files(trials, folder):
    """Milliseconds for each file of the size of a result that is written by a rename."""
    folder.mkdir()
    took = seconds(lambda: [write_whole(folder / f"{i}.json", b"x" * 260) for i in range(trials)])
    return round(1e3 * took / trials, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    study = Study(name="nothing", function=nothing, configurations=grid(i=range(given.trials)))
    found = {"trials": given.trials, "workers": WORKERS, "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found["files_alone_milliseconds"] = of_files(given.trials, folder / "files")
        found["in_process"] = of_engine(study, Engine(InProcess(), 1), folder / "in_process")
        with processes(WORKERS) as engine:
            found["processes"] = of_engine(study, engine, folder / "processes")
        if importlib.util.find_spec("distributed"):
            with dask(None, WORKERS) as engine:
                found["dask"] = of_engine(study, engine, folder / "dask")
    print(json.dumps(found, indent=1))
    if given.out:
        given.out.write_text(json.dumps({**found, **provenance()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
