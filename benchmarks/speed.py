"""How fast is a pass (loss and all gradients) beside JAX, PyTorch, min-char-rnn and the matrix products alone?

    python benchmarks/speed.py --page docs/speed.md

Each engine has a process of its own; they are asked in turn, round after round, and what counts is the ratio of two
engines in the same round. Numbers go to benchmarks/results/speed.json and the page is made of them; ``--page`` with
``--from-results`` only writes the page anew. About ten minutes; ``--quick`` is a smoke test of a few seconds.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from threadpoolctl import threadpool_limits

import memory
from engines.page import NAMES, clock, page_of, ratio
from manual_rnn.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "speed.json"
NEEDS = {"jax_scan": "jax", "torch_modules": "torch", "ours_compiled": "numba"}
ENGINES = {name: NEEDS.get(name) for name in ("ours", "ours_compiled", *NAMES)}
"""By name, what has to be installed for it."""
CELLS = ("rnn", "lstm", "gru")
SHAPES = (
    (25, 1, 65, 100), (50, 50, 65, 128), (50, 32, 65, 256), (64, 64, 96, 512), (100, 16, 65, 1024),
    (256, 32, 65, 128), (1000, 1, 65, 100),
)  # fmt: skip
"""T, B, vocabulary, H."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="the page to write, docs/speed.md")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--from-results", action="store_true", help="run nothing: the page of the numbers there are")
    parser.add_argument("--quick", action="store_true", help="one small shape, one round: do all engines run?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1, help="of an engine in a round, at least")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--shared", action="store_true", help="other programs run: take processor time at one thread")
    parser.add_argument("--engine", help=argparse.SUPPRESS)  # what a process of its own is started with
    told = parser.parse_args()
    if told.engine:
        serve(told.engine, *told.threads)
        return
    if not told.from_results:
        told.results.parent.mkdir(parents=True, exist_ok=True)
        write(told, run_all(told))
    if told.page:
        lines = page_of(json.loads(told.results.read_text(encoding="utf-8")))
        if memory.RESULTS.is_file():
            lines += memory.section(json.loads(memory.RESULTS.read_text(encoding="utf-8")))
        told.page.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"Wrote {told.page}.", file=sys.stderr)


def write(told: argparse.Namespace, results: dict) -> None:
    told.results.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def serve(engine: str, threads: int) -> None:
    """In a process of its own: for each line, a problem or a number of seconds, answers with a line."""
    on_cores(threads)
    prepare = importlib.import_module(f"engines.{engine}").prepare
    one_pass = None
    for line in sys.stdin:
        told = json.loads(line)
        if isinstance(told, list):
            one_pass = prepare(*told)
            first = one_pass() if one_pass else None
            choose_threads(one_pass, threads)
            answer = {"runs": one_pass is not None, "loss": first}
        else:
            answer = timed(one_pass, told)
        print(json.dumps(answer), flush=True)


def timed(one_pass, seconds: float) -> dict:
    """Medians of the passes of some seconds: of the wall clock, and of the processor time of all threads."""
    one_pass()
    walls, processor, begun = [], [], time.perf_counter()
    while not walls or time.perf_counter() - begun < seconds:
        wall, cpu = time.perf_counter(), time.process_time()
        one_pass()
        walls.append(time.perf_counter() - wall)
        processor.append(time.process_time() - cpu)
    return {"wall": statistics.median(walls), "processor": statistics.median(processor)}


def on_cores(threads: int) -> None:
    """As many cores as threads: XLA has a pool of as many threads as it sees cores, whatever its flags say."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def choose_threads(one_pass: Callable[[], object] | None, most: int) -> None:
    """Leaves the pools of BLAS and OpenMP with one thread or with all there may be, whichever was faster.

    Small products are better left to one. XLA's pool cannot be set.
    """
    if one_pass is None or most == 1:
        return
    medians = {}
    for number in (1, most):
        threadpool_limits(number)
        medians[number] = timed(one_pass, 0.2)["wall"]
    threadpool_limits(min(medians, key=medians.__getitem__))


class Engine:
    """An engine in its process."""

    def __init__(self, name: str, threads: int) -> None:
        number = str(threads)
        settings = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), number)
        settings["JAX_PLATFORMS"] = "cpu"
        # For all alike: memory that is given back is kept for the next array, not returned to the system.
        settings |= {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
        command = [sys.executable, __file__, "--engine", name, "--threads", number]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | settings
        )

    def ask(self, what) -> dict:
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def run_all(told: argparse.Namespace) -> dict:
    present = [name for name, needs in ENGINES.items() if needs is None or importlib.util.find_spec(needs)]
    shapes = [(3, 2, 5, 4)] if told.quick else SHAPES
    threads = [1] if told.quick else told.threads
    rounds, seconds = (1, 0.0) if told.quick else (told.rounds, told.seconds)
    results = {**provenance(), "cores": os.cpu_count(), "shared": told.shared, "rounds": rounds, "rows": []}
    results["versions"] |= {name: version(name) for name in ("jax", "torch", "numba") if importlib.util.find_spec(name)}
    for number in threads:
        engines = {name: Engine(name, number) for name in present}
        try:
            for shape in shapes:
                for cell in CELLS:
                    row = {"threads": number, "shape": shape, "cell": cell}
                    row |= measured(engines, cell, shape, rounds, seconds)
                    results["rows"].append(row)
                    print(number, cell, shape, summary(row, told.shared), file=sys.stderr, flush=True)
                    write(told, results)
        finally:
            for engine in engines.values():
                engine.close()
    return results


def measured(engines: dict[str, Engine], cell: str, shape, rounds: int, seconds: float) -> dict:
    """By engine, its loss and its times, a round each. Raises ValueError where two engines' losses differ."""
    begun = {name: engine.ask([cell, *shape]) for name, engine in engines.items()}
    running = [name for name in engines if begun[name]["runs"]]
    losses = {name: begun[name]["loss"] for name in running if begun[name]["loss"] is not None}
    if max(losses.values()) - min(losses.values()) > 1e-4 * max(losses.values()):
        raise ValueError(f"The engines compute different losses of {cell} at {shape}: {losses}.")
    times = [{name: engines[name].ask(seconds) for name in running} for _ in range(rounds)]
    return {"losses": losses, "times": {name: [of[name] for of in times] for name in running}}


def summary(row: dict, shared: bool) -> str:
    kind = clock(row, shared)
    others = [name for name in row["times"] if name != "ours"]
    return " ".join(f"{name} {ratio(row, name, kind)[0]:.2f}" for name in others)


if __name__ == "__main__":
    main()
