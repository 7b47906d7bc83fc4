"""Which planted bugs do other gradient checkers detect, and how long do they take? Writes a page of tables.

    python benchmarks/peers.py --page docs/comparison.md

Runs torch's gradcheck (slow and fast), jax's check_vjp, two tests by central differences, numpy-ml's way and this
project's judge on the planted bugs of tests/mistakes.py that concern the backward pass: same arrays, same loss, same
wrong gradients for all, float64, and each with its own default tolerances. Every checker, and every timing, has a
process of its own, one after another. The numbers go to benchmarks/results/peers.json, the page is made of them.
About ten minutes; ``--page`` with ``--from-results`` only writes the page anew.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from manual_rnn.provenance import provenance
from peer_checks import planted_bugs, timing
from peer_checks.checkers import CHECKERS, MISSING_TORCH
from peer_checks.page import page_of

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "peers.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="the page to write, docs/comparison.md")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--from-results", action="store_true", help="run nothing: the page of the numbers there are")
    parser.add_argument("--job", help=argparse.SUPPRESS)  # what a process of its own is started with
    told = parser.parse_args()
    if told.job:
        print(json.dumps(do(*json.loads(told.job))))
        return
    if not told.from_results:
        told.results.parent.mkdir(parents=True, exist_ok=True)
        told.results.write_text(json.dumps(run_all(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if told.page:
        told.page.write_text(page_of(json.loads(told.results.read_text(encoding="utf-8"))), encoding="utf-8")
        print(f"Wrote {told.page}.", file=sys.stderr)


def do(kind: str, *arguments: Any) -> Any:
    """One job, in this process."""
    jobs = {
        "detections": planted_bugs.detections,
        "effects": planted_bugs.effects,
        "magnitudes": planted_bugs.magnitudes,
        "explanations": planted_bugs.explanations,
        "time": timing.measure,
    }
    return jobs[kind](*arguments)


def in_a_process(*job: Any, limit: float | None = None, environment: dict[str, str] | None = None) -> Any:
    """The result of one job in a process of its own; None where it did not end within the limit (seconds)."""
    print("…", *job, file=sys.stderr, flush=True)
    command = [sys.executable, __file__, "--job", json.dumps(job)]
    settings = {**os.environ, **(environment or {}), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=limit, check=True, text=True, env=settings)
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout.splitlines()[-1])


def run_all() -> dict[str, Any]:
    present = [name for name, checker in CHECKERS.items() if checker.available]
    if len(present) < len(CHECKERS):
        print(MISSING_TORCH, file=sys.stderr)
    origin = provenance()
    names = ["jax", "scipy", *(["torch"] if "gradcheck" in present else [])]
    origin["versions"] |= {name: version(name) for name in names if _installed(name)}
    return {
        **origin,
        "cores": os.cpu_count(),
        "processor": _processor(),
        "magnitudes": in_a_process("magnitudes"),
        "effects": in_a_process("effects"),
        "explanations": in_a_process("explanations"),
        "checkers": {name: in_a_process("detections", name) for name in present},
        "times": times_of(present),
        "whole_command": whole_command(),
    }


def times_of(present: list[str]) -> list[dict[str, Any]]:
    """By checker and hidden size. The compile cache is warm; this project's judge is also timed with a cold one."""
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        environment = {"JAX_COMPILATION_CACHE_DIR": cache}
        for checker in present:
            for hidden in timing.HIDDEN:
                cold = _with_a_cold_cache(checker, hidden) if checker == "judge" else None
                if checker in timing.WITH_ORACLE:
                    in_a_process("time", checker, hidden, environment=environment)  # fills the cache
                row = in_a_process("time", checker, hidden, limit=timing.LIMIT, environment=environment)
                if row is None:
                    numbers = sum(array.size for array in timing.subject_of(hidden).arrays.values())
                    row = {"checker": checker, "hidden": hidden, "numbers": numbers, "median": None}
                rows.append(row | ({"cold": cold["first"]} if cold else {}))
    return rows


def _with_a_cold_cache(checker: str, hidden: int) -> Any:
    with tempfile.TemporaryDirectory() as empty:
        return in_a_process("time", checker, hidden, environment={"JAX_COMPILATION_CACHE_DIR": empty})


def whole_command() -> dict[str, Any]:
    """The wall time of ``manual-rnn verify rnn``: 300 cases of all families, compile cache warm."""
    command, seconds = [sys.executable, "-m", "manual_rnn", "verify", "rnn", "--json"], []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(4):
            start = time.perf_counter()
            environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": cache}
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
            seconds.append(time.perf_counter() - start)
    return {"cold": seconds[0], "warm": seconds[1:], "median": statistics.median(seconds[1:])}


def _installed(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


def _processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
