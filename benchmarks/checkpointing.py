"""Memory and time of checkpointed BPTT beside plain: ``python benchmarks/checkpointing.py [--lengths 1000 100000]``.

Each run is a process of its own, on one thread, the two ways taken in turn; plain BPTT runs where it fits
(--plain-gib). Peak memory is what tracemalloc sees NumPy allocate during the pass: its inputs (x, y, parameters) are
there before it. Beside it stands a formula, whose parts are counted from shapes. Time is taken in runs without
tracemalloc. The numbers go to benchmarks/results/checkpointing.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tracemalloc
from math import prod
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from manual_rnn import cells, initialise, loss_and_gradients
from manual_rnn.network import parameter_shapes
from manual_rnn.provenance import provenance
from manual_rnn.ways import checkpointed_bptt
from manual_rnn.ways.schedule import square_root

RESULTS = Path(__file__).parent / "results" / "checkpointing.json"
BATCH, HIDDEN, VOCABULARY = 8, 128, 65


def formula(cell_name: str, T: int, way: str) -> dict[str, int]:
    """Bytes by part, float32. Arrays (steps, B, n) are counted by what their steps hold.

    The peak of plain BPTT is at the end of the walk back: every node and its gradient, Vᵀ∇o, and of the readout o, ŷ
    and ∇o. That of checkpointed BPTT is in the last sum over a block's steps, ∇U: there ŷ is gone, and the gradients of
    the block stand beside the sums. What it leaves out, 4 to 5 % (8 % at T = 1,000), is Python's: the views of these
    arrays that each step's calls are handed, made for all steps of a block at once, about a kilobyte a step and map.
    """
    cell = cells.get(cell_name)
    H, V, size = HIDDEN * BATCH, VOCABULARY * BATCH, 4
    nodes, states = len(NODES[cell_name]), len(cell.states)
    block = T if way == "plain" else square_root(T)
    of_readout = V * (3 if way == "plain" else 2) + BATCH  # and the loss of each sequence
    of_step = size * (H * (2 * nodes + 1) + of_readout)
    shapes = parameter_shapes(cell, n_in=VOCABULARY, n_hidden=HIDDEN, n_out=VOCABULARY)
    parameters = sum(prod(shape) for shape in shapes.values())
    kept = 0 if way == "plain" else (-(-T // block) - 1) * states * H * size
    return {
        "kept states": kept,
        "states of the block": (block + 1) * states * H * size,
        "scratch of the block": block * (of_step - states * H * size),
        "gradients of parameters, and Wᵀ": (2 if way == "plain" else 3) * size * parameters,
        "weights of the losses": T * BATCH * size,
    }


NODES = {
    "rnn": ("a", "h"),
    "lstm": ("a_i", "a_f", "a_g", "a_o", *"ifgosch"),
    "gru": ("a_r", "a_z", "n_x", "n_h", "a_n", *"rznh"),
}


def once(cell_name: str, T: int, way: str, *, traced: bool) -> dict[str, Any]:
    """One pass in this process: its seconds, or its peak, and the loss."""
    rng = np.random.default_rng(0)
    cell = cells.get(cell_name)
    params = initialise(cell, n_in=VOCABULARY, n_hidden=HIDDEN, n_out=VOCABULARY, seed=rng, dtype=np.float32)
    x, y = (rng.integers(0, VOCABULARY, (T, BATCH)) for _ in range(2))
    run = loss_and_gradients if way == "plain" else checkpointed_bptt
    with threadpool_limits(1, "blas"):
        run(cell, params, x[:200], y[:200])  # everything loaded
        if traced:
            tracemalloc.start()
        start = perf_counter()
        answer = run(cell, params, x, y)
        seconds = perf_counter() - start
    measured = {"peak": tracemalloc.get_traced_memory()[1]} if traced else {"seconds": seconds}
    return {"loss": answer.loss, "norm": float(np.linalg.norm(answer.gradients["c"])), **measured}


def in_its_own_process(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, "--one", *arguments], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(cell_name: str, T: int, rounds: int, *, with_plain: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"cell": cell_name, "T": T, "two_roots": 2 * T**0.5}
    block = square_root(T)
    found["states_kept_at_most"] = -(-T // block) - 1 + block
    ways = ("plain", "checkpointed") if with_plain else ("checkpointed",)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            seconds[way].append(in_its_own_process(cell_name, str(T), way, "time")["seconds"])
    for way in ways:
        peak = in_its_own_process(cell_name, str(T), way, "memory")
        parts = formula(cell_name, T, way)
        found[way] = {
            "peak_bytes": peak["peak"],
            "formula_bytes": sum(parts.values()),
            "formula": parts,
            "loss": peak["loss"],
            "seconds": {"median": statistics.median(seconds[way]), "all": [round(s, 3) for s in seconds[way]]},
        }
    if with_plain:
        found["time_ratio"] = found["checkpointed"]["seconds"]["median"] / found["plain"]["seconds"]["median"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", nargs="+", default=["rnn", "lstm", "gru"], choices=NODES)
    parser.add_argument("--lengths", nargs="+", type=int, default=[1000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain-gib", type=float, default=4.0, help="plain BPTT runs where its formula says less")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--one", nargs=4, metavar=("CELL", "T", "WAY", "WHAT"), help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.one:
        cell_name, T, way, what = told.one
        print(json.dumps(once(cell_name, int(T), way, traced=what == "memory")))
        return
    rows = []
    print("| cell | T | states kept, of 2√T | peak, checkpointed | formula | peak, plain | formula | time, × plain |")
    print("|---|---|---|---|---|---|---|---|")
    for cell_name in told.cells:
        for T in told.lengths:
            fits = sum(formula(cell_name, T, "plain").values()) <= told.plain_gib * 2**30
            found = row(cell_name, T, told.rounds, with_plain=fits)
            rows.append(found)
            print(line(found), flush=True)
    shape = {"B": BATCH, "n_hidden": HIDDEN, "vocabulary": VOCABULARY, "dtype": "float32", "threads": 1}
    told.results.parent.mkdir(exist_ok=True)
    told.results.write_text(
        json.dumps({**provenance(), "cores": os.cpu_count(), "shape": shape, "rows": rows}, indent=1) + "\n"
    )


def line(found: dict[str, Any]) -> str:
    cells_of_row = [found["cell"], f"{found['T']:,}", f"{found['states_kept_at_most']} of {found['two_roots']:.1f}"]
    for way in ("checkpointed", "plain"):
        of = found.get(way)
        cells_of_row += [f"{of[k] / 2**20:,.1f} MiB" for k in ("peak_bytes", "formula_bytes")] if of else ["—", "—"]
    cells_of_row.append(f"{found['time_ratio']:.2f}" if "time_ratio" in found else "plain does not fit")
    return f"| {' | '.join(cells_of_row)} |"


if __name__ == "__main__":
    main()
