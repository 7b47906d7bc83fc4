"""How well and how fast a character model learns: ``python benchmarks/char_model.py TEXT --updates 10000``.

Trains one layer (hidden 256, 32 streams, windows of 50, Adam, float32, one thread) and prints the loss on the
validation set, which is the last tenth of the text, and the time of an update. Updates are timed one by one,
evaluations left out; the spread says how quiet the machine was. The numbers go to benchmarks/results/char_model.json,
one entry a run. The cells side by side, started in several ways:

    python benchmarks/char_model.py TEXT --updates 2000 --hidden 128 --results benchmarks/results/char_cells.json \
        --runs rnn rnn,init=orthogonal lstm lstm,forget_bias=1 gru gru,forget_bias=1
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from manual_rnn import training
from manual_rnn.corpus import read_corpus
from manual_rnn.evaluation import last_ids
from manual_rnn.options import TrainingOptions
from manual_rnn.provenance import provenance
from manual_rnn.text import split
from manual_rnn.windows import Windows

RESULTS = Path(__file__).parent / "results" / "char_model.json"


def options_of(run: str, **others: Any) -> TrainingOptions:
    """The options of a run that is written as CELL,option=value,…"""
    cell, *pairs = run.split(",")
    of_run = dict(pair.split("=", 1) for pair in pairs)
    kinds = {"forget_bias": float, "gain": float, "lr": float, "chrono": int}
    others |= {name: kinds.get(name, str)(value) for name, value in of_run.items()}
    return TrainingOptions(cell=cell, layers=1, **others).filled()


def measure(options: TrainingOptions, ids: np.ndarray, n: int) -> dict[str, Any]:
    """One training on ids of n characters: its last losses, and the time of its updates."""
    learnt, kept = split(ids)
    model = training.start(options, n)
    windows = Windows.of(learnt, T=options.seq_len, B=options.batch)

    times: list[float] = []
    began = perf_counter()

    def stepped(step: training.Step, done: float) -> None:
        nonlocal began
        times.append(perf_counter() - began)
        began = perf_counter()

    def evaluated(metrics: training.Metrics) -> None:
        nonlocal began
        nats = f"{metrics.train_nats:.4f} nats, {metrics.val_nats:.4f} on the validation set"
        print(f"{options.cell}, update {metrics.update}: {nats}", flush=True)
        began = perf_counter()

    with threadpool_limits(options.threads, "blas"):
        validation = last_ids(ids, len(kept))
        last = training.run(model, windows, validation, options, on_step=stepped, on_evaluation=evaluated)

    low, median, high = (float(q) for q in np.quantile(np.array(times) * 1000, [0.1, 0.5, 0.9]))
    return {
        "val_nats": last.val_nats,
        "val_bits_per_char": last.val_bits_per_char,
        "train_nats": last.train_nats,
        "parameters": sum(array.size for array in model.params.values()),
        "ms_per_update": {"median": median, "p10": low, "p90": high},
        "options": asdict(options),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="a text file in UTF-8")
    parser.add_argument("--runs", nargs="+", default=["rnn"], help="CELL,option=value,… for each run")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--updates", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    told = parser.parse_args()

    others = {"hidden": told.hidden, "steps": told.updates, "seed": told.seed, "eval_every": 2500}
    runs = [options_of(run, **others) for run in told.runs]
    corpus = read_corpus([told.text], place=Path(), advice="Name a text file in UTF-8.")
    text = {"name": told.text.name, "characters": len(corpus.ids), "sha256": corpus.sha256}
    result: dict[str, Any] = {
        "runs": [],
        "text": text,
        "cores": os.cpu_count(),
        **provenance(),
    }
    told.results.parent.mkdir(parents=True, exist_ok=True)
    for options in runs:
        result["runs"].append(measure(options, corpus.ids, len(corpus.vocabulary)))
        told.results.write_text(json.dumps(result, indent=2) + "\n")  # after each, for a run takes minutes

    first = runs[0]
    print(f"\n{told.text.name}, {len(corpus.ids)} characters; {told.updates} updates of "
          f"{first.batch} × {first.seq_len} characters, "
          f"{first.optimizer}, {first.dtype}, {first.threads} thread; {result['platform']}, "
          f"{result['cores']} cores; {', '.join(f'{k} {v}' for k, v in result['versions'].items())}\n")
    print("| network | parameters | nats on the validation set | bits | ms an update (a tenth below, above) |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for run, row in zip(told.runs, result["runs"], strict=True):
        ms = "{median:.1f} ({p10:.1f}, {p90:.1f})".format(**row["ms_per_update"])
        bits = row["val_bits_per_char"]
        print(f"| {run}, hidden {told.hidden} | {row['parameters']:,} | {row['val_nats']:.3f} | {bits:.3f} | {ms} |")


if __name__ == "__main__":
    main()
