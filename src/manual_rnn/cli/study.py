"""``manual-rnn study run|status|report``: a study file, its folder of results, and what they say."""

from __future__ import annotations

import json as json_format
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter, validators

from manual_rnn.errors import InputError, UsageError

if TYPE_CHECKING:
    from manual_rnn.studies.executors import Engine
    from manual_rnn.studies.store import Store
    from manual_rnn.studies.study import Study
    from manual_rnn.studies.survey import Survey

app = App(name="study", help="Run one function over many configurations and seeds; resume; report.")

Flag = Annotated[bool, Parameter(negative=())]
Workers = Annotated[int | None, Parameter(validator=validators.Number(gte=1))]


@app.command
def run(
    file: str,
    /,
    *,
    out: Path | None = None,
    workers: Workers = None,
    dask: str | None = None,
    redo_failed: Flag = False,
    redo_changed: Flag = False,
    json: Flag = False,
) -> int:
    """Run what is missing of a study. Each result is kept at once; after any end, the same command does the rest.

    Exit code 0: every trial has a result. 4: the function raised in some; their tracebacks are kept.

    Args:
        file: The study file, with STUDY = Study(...) in it; FILE.py:NAME for another name.
        out: The folder of the results; out/NAME, after the study's name, if not given.
        workers: Processes; by default one for each core. 1: none besides this one.
        dask: The address of a Dask scheduler, such as tcp://host:8786, or local: a cluster on this machine.
        redo_failed: Do the trials again that have failed.
        redo_changed: Do the trials anew whose results are of the function as it was before it was changed.
        json: One JSON document on stdout.
    """
    from manual_rnn.cli.counting import counting
    from manual_rnn.cli.task import cores
    from manual_rnn.studies import run as run_study
    from manual_rnn.studies.study_file import load
    from manual_rnn.studies.version import UNKNOWN

    if dask is not None and dask != "local" and workers is not None:
        raise UsageError("--workers is given with the address of a scheduler, which has workers of its own.")
    study, code = load(file)
    store = store_of(study, out)
    begun = time.monotonic()
    if code == UNKNOWN:
        tell("the source of the study's function is not to be had; that it has changed will not be noticed.")
    total = len(study.trials())
    with counting(f"study {study.name}:", total, "trials") as advance, _engine(dask, workers or cores()) as engine:
        shown = 0

        def progress(done: int, trials: int) -> None:
            nonlocal shown
            advance(done - shown)
            shown = done

        ran = run_study(
            study, store.path, executor=engine.executor, ahead=engine.ahead, code=code,
            redo_failed=redo_failed, redo_changed=redo_changed, progress=progress,
        )  # fmt: skip
    for sentence in ran.set_aside:
        tell(sentence)
    if json:
        done = {"computed": ran.computed, "set_aside": list(ran.set_aside), "seconds": time.monotonic() - begun}
        print(json_format.dumps({**_document(study, store, ran.survey, code), **done}))
    else:
        print("\n".join([_counts(study, store, ran.survey), *_remarks(ran.survey, store)]))
    first = next(iter(ran.survey.failed.values()), None)
    if first is not None and not json and (told := store.read_failure(first)["traceback"]):
        print(told, file=sys.stderr)
    return 4 if ran.survey.failed else 0


@app.command
def status(file: str, /, *, out: Path | None = None, json: Flag = False) -> int:
    """How far a study is; at any time, also while it runs.

    Args:
        file: The study file.
        out: The folder of the results; out/NAME, after the study's name, if not given.
        json: One JSON document on stdout.
    """
    from manual_rnn.studies import survey
    from manual_rnn.studies.study_file import load

    study, code = load(file)
    store = store_of(study, out)
    found = survey(study, store, code)
    if json:
        last, remaining = found.last_result(), found.remaining()
        times = {"seconds_since_last_result": last, "seconds_remaining": remaining}
        print(json_format.dumps({**_document(study, store, found, code), **times}))
        return 0
    print("\n".join([_counts(study, store, found), *_pace(found), *_remarks(found, store)]))
    return 0


def store_of(study: Study, out: Path | None) -> Store:
    """The folder of a study's results. Raises UsageError where it is another's, InputError where it is no folder."""
    from manual_rnn.studies.store import Store

    store = Store(Path("out") / study.name if out is None else out)
    held = store.holds()
    if held is not None and held != study.name:
        raise UsageError(f"{store.path} holds the study {held!r}, not {study.name!r}; name another folder with --out.")
    if os.path.exists(store.path) and not store.path.is_dir():  # noqa: PTH110 (Path.exists raises of a name too long)
        raise InputError(f"{store.path} is no folder.")
    return store


@contextmanager
def _engine(dask: str | None, workers: int) -> Iterator[Engine]:
    from manual_rnn.studies import executors

    if dask is not None:
        with executors.dask(None if dask == "local" else dask, workers) as engine:
            yield engine
    elif workers > 1:
        with executors.processes(workers) as engine:
            yield engine
    else:
        yield executors.Engine(executors.InProcess(), 1)


def tell(sentence: str) -> None:
    """A remark on stderr, which is no result."""
    print(f"manual-rnn: {sentence}", file=sys.stderr)


def _document(study: Study, store: Store, found: Survey, code: str) -> dict[str, Any]:
    counts = {
        "trials": found.trials, "done": len(found.done), "changed": len(found.changed),
        "failed": len(found.failed), "missing": len(found.missing),
    }  # fmt: skip
    failures = [
        {"configuration": trial.configuration, "seed": trial.number, **_reason(store, entry)}
        for trial, entry in found.failed.items()
    ]
    return {"version": 1, "study": study.name, "folder": str(store.path), "code": code, **counts, "failures": failures}


def _reason(store: Store, entry: Any) -> dict[str, str]:
    told = store.read_failure(entry)
    return {"error": told["error"], "traceback": told["traceback"]}


def _counts(study: Study, store: Store, found: Survey) -> str:
    parts = [f"{len(found.done) + len(found.changed)} of {found.trials} trials done"]
    parts += [f"{len(found.failed)} failed"] if found.failed else []
    parts += [f"{len(found.missing)} missing"] if found.missing else []
    return f"{study.name} in {store.path}: {', '.join(parts)}."


def _pace(found: Survey) -> list[str]:
    last, remaining = found.last_result(), found.remaining()
    if last is None or not found.missing:
        return []
    to_go = "" if remaining is None else f"; at the pace of the latest, the missing ones take {_duration(remaining)}"
    return [f"The last result came {_duration(last)} ago{to_go}."]


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _remarks(found: Survey, store: Store) -> list[str]:
    said = []
    if found.changed:
        said.append(
            f"{len(found.changed)} of the results were made before the study's function was changed (or manual_rnn); "
            "'study run --redo-changed' does them anew."
        )
    if found.failed:
        trial, entry = next(iter(found.failed.items()))
        why = store.read_failure(entry)["error"].rstrip(".")
        said.append(
            f"The first of the failed, {trial.text} with seed {trial.number}: {why}. "
            "'study run --redo-failed' does them again; a function that is changed is tried without it."
        )
    return said
