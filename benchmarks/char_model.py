"""How well and how fast a character model learns: ``python benchmarks/char_model.py TEXT --updates 10000``.

Trains with the defaults of ``manual-rnn train`` (hidden 256, 32 streams, windows of 50, Adam, float32, one
thread) and prints the loss on the validation set, which is the last tenth of the text, and the time of an
update. Updates are timed one by one, evaluations left out; the spread says how quiet the machine was. The
numbers go to benchmarks/results/char_model.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from manual_rnn import training
from manual_rnn.evaluation import last_ids
from manual_rnn.options import TrainingOptions
from manual_rnn.provenance import provenance
from manual_rnn.text import Vocabulary, read_text, split
from manual_rnn.windows import Windows

RESULTS = Path(__file__).parent / "results" / "char_model.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="a text file in UTF-8")
    parser.add_argument("--updates", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    told = parser.parse_args()

    options = TrainingOptions(steps=told.updates, seed=told.seed, eval_every=2500).filled()
    text, source = read_text(told.text, seq_len=options.seq_len, batch=options.batch)
    vocabulary = Vocabulary.of(text)
    ids = vocabulary.encode(text)
    learnt, kept = split(ids)
    model = training.start(options, len(vocabulary))
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
        print(f"update {metrics.update}: {nats}", flush=True)
        began = perf_counter()

    with threadpool_limits(options.threads, "blas"):
        validation = last_ids(ids, len(kept))
        last = training.run(model, windows, validation, options, on_step=stepped, on_evaluation=evaluated)

    low, median, high = (float(q) for q in np.quantile(np.array(times) * 1000, [0.1, 0.5, 0.9]))
    origin = provenance()
    versions = origin["versions"]
    result = {
        "val_nats": last.val_nats,
        "val_bits_per_char": last.val_bits_per_char,
        "train_nats": last.train_nats,
        "ms_per_update": {"median": median, "p10": low, "p90": high},
        "options": asdict(options),
        "text": {
            "name": Path(source).name,
            "characters": len(text),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        },
        "cores": os.cpu_count(),
        **origin,
    }
    told.results.parent.mkdir(parents=True, exist_ok=True)
    told.results.write_text(json.dumps(result, indent=2) + "\n")

    rows = {
        "text": f"{Path(source).name}, {len(text)} characters",
        "network": f"{options.cell}, hidden {options.hidden}, {options.dtype}",
        "updates": f"{last.update} of {options.batch} × {options.seq_len} characters, {options.optimizer}",
        "validation loss": f"{last.val_nats:.4f} nats, {last.val_bits_per_char:.4f} bits a character",
        "an update": f"{median:.2f} ms (a tenth below {low:.2f}, a tenth above {high:.2f})",
        "machine": f"{origin['platform']}, {os.cpu_count()} cores, {options.threads} thread",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    print()
    for name, value in rows.items():
        print(f"| {name:15} | {value} |")


if __name__ == "__main__":
    main()
