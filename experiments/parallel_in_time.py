"""What do the ways parallel in time cost, and how accurate are they? ``python experiments/parallel_in_time.py``.

The way back as a scan over blocks, and the states by Newton's method, beside BPTT and the walk: seconds on this
machine, which has no T processors, the steps that are one after the other, and the largest error relative to each
array's largest number. A gain of 4 is a chaotic network; the column "rounding" is how far BPTT is from itself in 80
bits.

Found: the scan is as accurate as BPTT, and faster in NumPy too where n_hidden is 4, as its blocks are one call.
Newton's method takes 6 or 7 rounds for 1000 steps of a network that forgets, and 100 are too few for a chaotic one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from manual_rnn import cells, initialise, loss_and_gradients, ways
from manual_rnn.provenance import provenance


def off(found: dict[str, Any], truth: dict[str, Any]) -> float:
    return max(float(np.abs(found[n] - truth[n]).max() / np.abs(truth[n]).max()) for n in truth)


def row(name: str, n_hidden: int, gain: float, T: int, blocks: int) -> dict[str, Any]:
    rng, cell = np.random.default_rng(0), cells.get(name)
    params = initialise(cell, n_in=3, n_hidden=n_hidden, n_out=4, gain=gain, seed=rng)
    x, y = rng.standard_normal((T, 1, 3)), rng.integers(0, 4, (T, 1))
    start = perf_counter()
    truth = loss_and_gradients(cell, params, x, y)
    walked = perf_counter()
    scanned = ways.parallel_bptt(cell, params, x, y, blocks=blocks)
    done = perf_counter()
    states, changes = ways.newton_states(cell, params, x)
    newton = perf_counter()
    wide = {n: p.astype(np.longdouble) for n, p in params.items()}
    exact = loss_and_gradients(cell, wide, x.astype(np.longdouble), y).gradients
    h = {s: truth.tape[cell.full(s)] for s in cell.states}
    return {
        "cell": name, "n_hidden": n_hidden, "gain": gain, "T": T, "blocks": blocks,
        "seconds": {"bptt": walked - start, "scan": done - walked, "newton": newton - done},
        "steps in a row": {"bptt": T, "scan": 2 * -(-T // blocks) + blocks, "newton": len(changes)},
        "error": {
            "rounding": off(truth.gradients, exact),
            "scan": off(scanned.gradients, exact),
            "newton": off(states, h),
        },
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000, help="the length of the sequences")
    parser.add_argument("--quick", action="store_true", help="100 steps, within seconds")
    parser.add_argument("--out", type=Path, default=Path("out/parallel_in_time"), help="the folder of the numbers")
    told = parser.parse_args()
    steps = 100 if told.quick else told.steps
    rows = []
    print("| cell | H | gain | BPTT | scan | Newton | rounds | rounding | error of the scan | of Newton |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in ("rnn", "gru"):
        for n_hidden in (4, 16):
            for gain in (0.8, 4.0):
                with np.errstate(all="ignore"):
                    r = row(name, n_hidden, gain, steps, 30)
                rows.append(r)
                times = " | ".join(f"{r['seconds'][k]:.2f} s" for k in ("bptt", "scan", "newton"))
                errors = " | ".join(f"{r['error'][k]:.0e}" for k in ("rounding", "scan", "newton"))
                rounds = r["steps in a row"]["newton"]
                print(f"| {name} | {n_hidden} | {gain} | {times} | {rounds} | {errors} |", flush=True)
    told.out.mkdir(parents=True, exist_ok=True)
    (told.out / "numbers.json").write_text(json.dumps({**provenance(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
