"""Characters drawn in a second, one sample and many: ``python benchmarks/sampling.py [--rounds 5] [--out FILE]``.

Ours beside PyTorch's loop (where torch is installed): nn.RNN, nn.LSTM or nn.GRU, a linear readout, softmax, a draw,
in inference mode. 65 characters, float32, one thread each; each engine in a process of its own, taken in turn, and the
ratios are of medians. The weights are random: what is drawn does not matter to the time.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from statistics import median

CELLS, HIDDEN, SAMPLES, VOCABULARY = ("rnn", "lstm", "gru"), (128, 256, 512), (1, 16), 65
STEPS, WARM_UP = 1000, 100


def ours(cell, H, B):
    import numpy as np

    from manual_rnn import cells, initialise
    from manual_rnn.sampling import sample_ids

    params = initialise(cells.get(cell), n_in=VOCABULARY, n_hidden=H, n_out=VOCABULARY, seed=0, dtype=np.float32)
    rngs = [np.random.default_rng(i) for i in range(B)]
    ids = sample_ids(cells.get(cell), params, np.array([0]), rngs=rngs)
    return lambda: next(ids)


def pytorch(cell, H, B):
    import torch

    torch.set_num_threads(1)
    module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](VOCABULARY, H)
    readout, state, ids = torch.nn.Linear(H, VOCABULARY), None, torch.zeros(B, dtype=torch.long)

    @torch.inference_mode()
    def step():
        nonlocal state, ids
        x = torch.nn.functional.one_hot(ids, VOCABULARY).float()[None]
        h, state = module(x, state)
        ids = torch.multinomial(torch.softmax(readout(h[0]), dim=-1), 1)[:, 0]
        return ids.tolist()

    return step


ENGINES = {"ours": ours, "pytorch": pytorch}


def timed(engine, cell, H, B):
    """Microseconds a step, the median of five stretches."""
    step, took = ENGINES[engine](cell, H, B), []
    for _ in range(WARM_UP):
        step()
    for _ in range(5):
        begun = time.perf_counter()
        for _ in range(STEPS // 5):
            step()
        took.append((time.perf_counter() - begun) / (STEPS // 5) * 1e6)
    return median(took)


def in_a_process(engine, case):
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--one", engine, *map(str, case)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | threads).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        engine, cell, H, B = given.one
        print(timed(engine, cell, int(H), int(B)))
        return
    engines = [name for name in ENGINES if name == "ours" or importlib.util.find_spec("torch")]
    rows = []
    for case in product(CELLS, HIDDEN, SAMPLES):
        by_round = [{engine: in_a_process(engine, case) for engine in engines} for _ in range(given.rounds)]
        row = dict(zip(("cell", "hidden", "samples"), case, strict=True))
        for engine in engines:
            of_engine = [found[engine] for found in by_round]
            row[engine] = {
                "microseconds_a_step": round(median(of_engine), 1),
                "spread": [round(min(of_engine), 1), round(max(of_engine), 1)],
                "characters_a_second": round(case[2] / median(of_engine) * 1e6),
            }
        if "pytorch" in row:
            row["ratio"] = round(row["pytorch"]["microseconds_a_step"] / row["ours"]["microseconds_a_step"], 2)
        rows.append(row)
        print(row, flush=True)
    if given.out:
        from manual_rnn.provenance import provenance

        record = {"rounds": given.rounds, "steps": STEPS, "rows": rows, **provenance()}
        given.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
