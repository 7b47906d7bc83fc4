"""What the dear diagnostics cost: ``python benchmarks/diagnostics.py [--rounds 9] [--results FILE]``.

The T × T matrix of losses and states (vanilla cell, B = 1) at T = 200, n = 100, and at T = 1000 by blocks of losses;
the largest Lyapunov exponent at n = 1600. Each is a process of its own, on one thread; time and memory are taken in
different runs. Memory is the peak of what tracemalloc sees NumPy allocate. The numbers go to
benchmarks/results/diagnostics.json, with how busy the machine was when they were taken.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tracemalloc
from pathlib import Path
from time import perf_counter
from typing import Any

from threadpoolctl import threadpool_limits

from manual_rnn import cells, diagnostics
from manual_rnn.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "diagnostics.json"
TASKS: dict[str, dict[str, Any]] = {
    "matrix, T = 200, n = 100": {"what": "matrix", "n": 100, "T": 200, "block": 256},
    "matrix, T = 1000, n = 100, blocks of 64": {"what": "matrix", "n": 100, "T": 1000, "block": 64},
    "matrix, T = 1000, n = 100, blocks of 256": {"what": "matrix", "n": 100, "T": 1000, "block": 256},
    "matrix, T = 1000, n = 100, one block": {"what": "matrix", "n": 100, "T": 1000, "block": 1000},
    "largest exponent, n = 1600, T = 500": {"what": "exponent", "n": 1600, "T": 500},
}


def once(task: dict[str, Any], rounds: int) -> dict[str, Any]:
    """The seconds of some rounds in this process, after one that is not counted, and the peak of one more."""
    n, T = task["n"], task["T"]
    net = diagnostics.driven_network(n, gain=2.0, input_std=0.5, steps=T, seed=0)
    problem = (cells.get("rnn"), net.params, net.x)

    def run() -> Any:
        if task["what"] == "matrix":
            return diagnostics.loss_by_state(*problem, net.y, initial=net.initial, block=task["block"])
        return diagnostics.lyapunov_exponents(*problem, count=1, initial=net.initial)

    seconds = []
    with threadpool_limits(1, "blas"):
        run()
        for _ in range(rounds):
            start = perf_counter()
            found = run()
            seconds.append(perf_counter() - start)
        tracemalloc.start()
        run()
    value = found.exponent if task["what"] == "exponent" else found.sel(loss=T, step=0)
    return {"seconds": seconds, "peak_bytes": tracemalloc.get_traced_memory()[1], "value": float(value.values[0])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--one", choices=TASKS, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.one:
        print(json.dumps(once(TASKS[told.one], told.rounds)))
        return
    rows, load = [], os.getloadavg()[0]
    print("| what | seconds, median | fastest to slowest | peak of memory |\n|---|---|---|---|")
    for name, task in TASKS.items():
        command = [sys.executable, __file__, "--one", name, "--rounds", str(told.rounds)]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        s = found.pop("seconds")
        rows.append({"name": name, **task, **found, "seconds": {
            "median": statistics.median(s), "fastest": min(s), "slowest": max(s), "rounds": len(s)}})  # fmt: skip
        print(f"| {name} | {statistics.median(s):.3f} | {min(s):.3f} to {max(s):.3f} | "
              f"{found['peak_bytes'] / 2**20:.1f} MiB |", flush=True)  # fmt: skip
    about = {**provenance(), "cores": os.cpu_count(), "threads": 1, "dtype": "float64", "load_before": round(load, 2)}
    told.results.parent.mkdir(exist_ok=True)
    told.results.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
