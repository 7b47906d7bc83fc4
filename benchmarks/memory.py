"""Plain BPTT's peak memory against T, beside its formula: ``python benchmarks/memory.py``; some seconds.

What tracemalloc sees NumPy allocate during one pass, float32 and token inputs; the parameters, x and y are there before
it. The numbers go to benchmarks/results/memory.json, from which ``benchmarks/speed.py`` makes a section of its page.
"""

from __future__ import annotations

import argparse
import json
import tracemalloc
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from manual_rnn import cells, initialise, loss_and_gradients
from manual_rnn.network import parameter_shapes
from manual_rnn.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "memory.json"
B, H, VOCABULARY, SIZE = 32, 128, 65, 4
KEPT = {"rnn": "h", "lstm": "i f g o s c h", "gru": "r z n h n_h"}
"""What the way back reads."""
MAPS = {"rnn": "a", "lstm": "a_i a_f a_g a_o", "gru": "a_r a_z n_x n_h"}
NODES = {"rnn": "a h", "lstm": "a_i a_f a_g a_o i f g o s c h", "gru": "a_r a_z n_x n_h a_n r z n h"}


def formula(cell: str, T: int, *, every_node: bool) -> int:
    """Bytes: of each step B H (nodes + gradients + 1) for Vᵀ∇o, 3 B V for o, ŷ and ∇o; twice the parameters."""
    nodes, gradients = (NODES, NODES) if every_node else (KEPT, MAPS)
    of_step = B * H * (len(nodes[cell].split()) + len(gradients[cell].split()) + 1) + 3 * B * VOCABULARY
    shapes = parameter_shapes(cells.get(cell), n_in=VOCABULARY, n_hidden=H, n_out=VOCABULARY)
    return SIZE * (T * of_step + 2 * sum(map(prod, shapes.values())))


def measured(cell: str, T: int, *, every_node: bool) -> int:
    """Bytes at the peak of one pass."""
    rng = np.random.default_rng(0)
    params = initialise(cells.get(cell), n_in=VOCABULARY, n_hidden=H, n_out=VOCABULARY, dtype=np.float32)
    ids = rng.integers(0, VOCABULARY, (T + 1, B))
    given = cells.get(cell), params, ids[:-1], ids[1:]
    tracemalloc.start()
    loss_and_gradients(*given, every_node=every_node)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def section(results: dict[str, Any]) -> list[str]:
    """The lines of the page on speed that say what a pass takes."""
    shape, rows = results["shape"], results["rows"]
    lines = [
        "",
        "## Memory",
        "",
        "Made by `python benchmarks/memory.py`. What NumPy allocates at the peak of one pass of plain BPTT, in MiB,",
        "and what a formula says: for each step B H (nodes + gradients + 1) numbers, the one for Vᵀ ∇o, and 3 B n for",
        "o, ŷ and ∇o; then twice the parameters. In training only those nodes are kept that the way back reads, and of",
        "the gradients those of the maps.",
        "",
        f"B = {shape['B']}, H = {shape['n_hidden']}, n = {shape['vocabulary']}, float32; commit {results['commit']}.",
        "",
        "| cell | T | in training | formula | every node | formula |",
        "|---|---|---|---|---|---|",
    ]
    for cell, T in dict.fromkeys((row["cell"], row["T"]) for row in rows):
        of = {row["every_node"]: row for row in rows if (row["cell"], row["T"]) == (cell, T)}
        sizes = [f"{of[kind][what] / 2**20:.1f}" for kind in (False, True) for what in ("peak", "formula")]
        lines.append(f"| {cell} | {T:,} | {' | '.join(sizes)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--results", type=Path, default=RESULTS)
    told = parser.parse_args()
    rows = []
    for cell in NODES:
        for every_node in (False, True):
            measured(cell, 5, every_node=every_node)  # everything loaded
            for T in told.lengths:
                row = {"cell": cell, "T": T, "every_node": every_node}
                row |= {"peak": measured(**row), "formula": formula(**row)}
                rows.append(row)
                print(f"{cell} T={T} every_node={every_node} {row['peak'] / row['formula']:.3f} of its formula")
    told.results.parent.mkdir(exist_ok=True)
    shape = {"B": B, "n_hidden": H, "vocabulary": VOCABULARY}
    told.results.write_text(json.dumps({**provenance(), "shape": shape, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
