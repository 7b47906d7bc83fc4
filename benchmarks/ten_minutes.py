"""The best character model that ten minutes on two cores give: ``python benchmarks/ten_minutes.py TEXT time``.

On a quiet machine, ``time`` measures an update of each candidate with one thread and with two, which says how many
updates ten minutes hold, the evaluations left out. ``train CANDIDATE`` then makes that many updates, its schedule ends
there, and keeps the loss on the validation set; the machine need not be quiet for it, as what counts is the number of
updates. Both add to benchmarks/results/ten_minutes.json. A candidate is written as option=value,… with one layer and
the defaults of ``manual-rnn train`` for the rest.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from manual_rnn import training
from manual_rnn.evaluation import last_ids
from manual_rnn.options import TrainingOptions
from manual_rnn.provenance import provenance
from manual_rnn.text import Vocabulary, split
from manual_rnn.windows import Windows

RESULTS = Path(__file__).parent / "results" / "ten_minutes.json"
SECONDS = 600
CANDIDATES = (
    "cell=rnn,hidden=256", "cell=rnn,hidden=512", "cell=gru,hidden=256", "cell=gru,hidden=512", "cell=lstm,hidden=512",
    "cell=gru,hidden=256,layers=2,dropout=0.3", "cell=gru,hidden=384,layers=2,dropout=0.3",
)  # fmt: skip


def options_of(candidate: str, **others: Any) -> TrainingOptions:
    """The options of a candidate: each value as the default of the option is, a word, a whole number or another."""
    kinds = {"cell": str, "schedule": str, "init": str, "dropout": float, "lr": float, "forget_bias": float}
    pairs = (pair.split("=", 1) for pair in candidate.split(","))
    others = {"layers": 1} | others
    return TrainingOptions(**others | {name: kinds.get(name, int)(value) for name, value in pairs}).filled()


def time_of_update(options: TrainingOptions, ids: np.ndarray, n: int, seconds: float) -> float:
    """Seconds of an update, the median of those that some seconds hold."""
    assert options.lr is not None
    model, times = training.start(options, n), []
    windows = Windows.of(split(ids)[0], T=options.seq_len, B=options.batch)
    with threadpool_limits(options.threads, "blas"):
        began = perf_counter()
        while len(times) < 5 or perf_counter() - began < seconds:
            before = perf_counter()
            training.one_update(model, windows[model.update], lr=options.lr, clip=options.clip)
            times.append(perf_counter() - before)
    return float(np.median(times[2:]))


def trained(options: TrainingOptions, ids: np.ndarray, n: int) -> list[dict[str, float]]:
    """The evaluations of a training, the last one at its end."""
    assert options.steps is not None
    options = replace(options, eval_every=-(-options.steps // 5))
    model, (learnt, kept) = training.start(options, n), split(ids)
    curve = []

    def evaluated(metrics: training.Metrics) -> None:
        curve.append({name: getattr(metrics, name) for name in ("update", "train_nats", "val_nats")})
        print(curve[-1], flush=True)

    windows = Windows.of(learnt, T=options.seq_len, B=options.batch)
    with threadpool_limits(options.threads, "blas"):
        training.run(model, windows, last_ids(ids, len(kept)), options, on_evaluation=evaluated)
    return curve


def kept_so_far() -> dict[str, Any]:
    found: dict[str, Any] = {"times": {}, "trained": []}
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="a text file in UTF-8")
    parser.add_argument("job", choices=["time", "train"])
    parser.add_argument("candidates", nargs="*", default=CANDIDATES, help="option=value,… for each")
    parser.add_argument("--seconds", type=float, default=3, help="that an update is measured for")
    parser.add_argument("--updates", type=int, help="train for so many, not for those that ten minutes hold")
    told = parser.parse_args()

    text = told.text.read_text(encoding="utf-8")
    vocabulary = Vocabulary.of(text)
    ids, n = vocabulary.encode(text), len(vocabulary)
    about = {"text": told.text.name, "characters": len(text), "cores": os.cpu_count(), **provenance()}
    for candidate in told.candidates:
        if told.job == "time":
            times = {t: time_of_update(options_of(candidate, threads=t), ids, n, told.seconds) for t in (1, 2)}
            updates = {threads: int(SECONDS / seconds) for threads, seconds in times.items()}
            row = {"ms_per_update": {t: 1000 * seconds for t, seconds in times.items()}, "updates": updates}
            found = kept_so_far() | about
            found["times"][candidate] = row
            print(candidate, row, flush=True)
        else:
            updates = told.updates or max(kept_so_far()["times"][candidate]["updates"].values())
            curve = trained(options_of(candidate, steps=updates), ids, n)
            found = kept_so_far() | about  # a training takes minutes: what has come in meanwhile stays
            found["trained"].append({"candidate": candidate, "updates": updates, "curve": curve})
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
