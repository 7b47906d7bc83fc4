"""Training a character model beside PyTorch: ``python benchmarks/training_beside_torch.py TEXT [--hidden 128 256]``.

The same initial weights, windows, carried state, Adam, schedule and clipping, in float32 on one thread, in one process:
the engines take turns, a block of updates each, and a ratio is of two blocks of the same turn. It is one of processor
times, which on one thread are the wall clock's but for what other programs take. Our side is the step of ``manual-rnn
train``; PyTorch's is nn.RNN, nn.LSTM or nn.GRU and nn.Linear on one-hot input, and its Adam the fused one.

PyTorch has two biases where the derivation has their sum. Both trained, Adam moves their sum twice as fast, which is
another training. So in ``torch`` the second is held at zero (but the GRU's d_n, a parameter here as well), and the
curves can be compared. ``torch, two biases`` is the module as its user has it, and only timed, as ``ours, compiled``
is. The loss on the validation set is computed by one function for all, from the weights, between the turns.

Numbers go to benchmarks/results/training_beside_torch.json after each configuration; those that are there are not
measured again. ``--table`` only prints them. ``--disturbed`` adds how far our own training goes from itself where its
initial weights are changed by one rounding, which is how far two right trainings may be apart.
"""

from __future__ import annotations

import argparse
import json
import os
from itertools import product
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from manual_rnn import layers, readout, training
from manual_rnn.losses import softmax
from manual_rnn.network import start_states
from manual_rnn.optimisers import Adam
from manual_rnn.options import TrainingOptions
from manual_rnn.provenance import provenance
from manual_rnn.schedule import decay
from manual_rnn.tape import Tape
from manual_rnn.text import Vocabulary, split
from manual_rnn.weights import from_torch, to_torch
from manual_rnn.windows import Windows

RESULTS = Path(__file__).parent / "results" / "training_beside_torch.json"
MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
UPDATES = {128: 900, 256: 450, 512: 180}
"""By width."""
TURNS, EVALUATIONS, STREAMS = 30, 5, 64


class Ours:
    """The step of ``manual-rnn train``."""

    def __init__(self, options: TrainingOptions, n: int) -> None:
        self.model, self.clip = training.start(options, n), options.clip

    def update(self, window, lr: float) -> float:
        return training.one_update(self.model, window, lr=lr, clip=self.clip).nats

    def params(self) -> dict[str, np.ndarray]:
        return self.model.params

    def size(self) -> int:
        return sum(array.size for array in self.model.params.values())


class Torch:
    """The same in PyTorch, with the weights that ours starts from; with the second bias held, or not."""

    def __init__(self, options: TrainingOptions, n: int, *, two_biases: bool) -> None:
        start = training.start(options, n)
        self.network, self.clip = start.network, options.clip
        self.module, self.decoder = MODULES[options.cell](n, options.hidden), torch.nn.Linear(options.hidden, n)
        self.named = dict(self.module.named_parameters())
        self.named |= {f"decoder.{name}": p for name, p in self.decoder.named_parameters()}
        with torch.no_grad():
            for name, array in to_torch(self.network, start.params).items():
                self.named[name].copy_(torch.from_numpy(array))
        second, self.held = self.named["bias_hh_l0"], 0
        if not two_biases and options.cell == "gru":
            self.held, learns = 2 * options.hidden, torch.ones_like(second)
            learns[: self.held] = 0
            second.register_hook(lambda gradient: gradient * learns)
        elif not two_biases:
            second.requires_grad_(False)
        self.free = [p for p in self.named.values() if p.requires_grad]
        adam = Adam()
        betas = (adam.beta_1, adam.beta_2)
        self.optimiser = torch.optim.Adam(self.free, lr=1.0, betas=betas, eps=adam.epsilon, fused=True)
        self.one_hot, self.state = torch.eye(n), None

    def update(self, window, lr: float) -> float:
        self.optimiser.param_groups[0]["lr"] = lr
        self.optimiser.zero_grad(set_to_none=True)
        x, y = (torch.from_numpy(np.ascontiguousarray(ids)) for ids in (window.x, window.y))
        h, state = self.module(self.one_hot[x], None if window.starts else self.state)
        loss = torch.nn.functional.cross_entropy(self.decoder(h).flatten(0, 1), y.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.free, self.clip)
        self.optimiser.step()
        self.state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        return loss.item()

    def params(self) -> dict[str, np.ndarray]:
        return from_torch(self.network, {name: p.detach().numpy() for name, p in self.named.items()})

    def size(self) -> int:
        return sum(p.numel() for p in self.free) - self.held


def disturbed(options: TrainingOptions, ids: np.ndarray, n: int) -> dict[str, float]:
    """How far our own training goes from itself where every initial weight is changed by some rounding: 10⁻⁷."""
    assert options.steps is not None
    assert options.lr is not None
    windows = Windows.of(split(ids)[0], T=options.seq_len, B=options.batch)
    ours, other = Ours(options, n), Ours(options, n)
    for array in other.params().values():
        np.multiply(array, np.float32(1 + 2.0**-23), out=array)
    rates = [options.lr * decay(options.schedule, k / options.steps) for k in range(options.steps)]
    losses = [[engine.update(windows[k], lr) for k, lr in enumerate(rates)] for engine in (ours, other)]
    network, kept = ours.model.network, split(ids)[1]
    ends = [nats(network, engine.params(), kept) for engine in (ours, other)]
    return {
        "loss_of_an_update": float(np.abs(np.subtract(*losses)).max()), "val_nats_at_the_end": abs(ends[0] - ends[1])
    }  # fmt: skip


def nats(network, params, ids: np.ndarray) -> float:
    """Nats per character of a validation set, cut into STREAMS, each from a fresh state."""
    T = (len(ids) - 1) // STREAMS
    x, y = (part[: T * STREAMS].reshape(STREAMS, T).T for part in (ids[:-1], ids[1:]))
    state, total = start_states(network, params, STREAMS), 0.0
    for first in range(0, T, 200):
        part = slice(first, first + 200)
        shown, state = layers.up(network, params, x[part], state, Tape(len(x[part])))
        o = readout.forward(params["V"], params["c"], shown)
        losses, _ = softmax.forward(o, y[part], np.ones(y[part].shape, o.dtype))
        total += float(losses.sum(dtype=np.float64))
    return total / x.size


def measure(options: TrainingOptions, ids: np.ndarray, n: int) -> dict[str, Any]:
    """Both trainings, turn by turn, and the blocks of the engines that are only timed."""
    assert options.steps is not None
    assert options.lr is not None
    learnt, kept = split(ids)
    windows = Windows.of(learnt, T=options.seq_len, B=options.batch)
    compiled = TrainingOptions(cell=options.cell, layers=1, hidden=options.hidden, compiled=True, steps=1).filled()
    engines = {
        "ours": Ours(options, n), "torch": Torch(options, n, two_biases=False),
        "ours, compiled": Ours(compiled, n), "torch, two biases": Torch(options, n, two_biases=True),
    }  # fmt: skip
    for warm in (Ours(options, n), Torch(options, n, two_biases=False), engines["ours, compiled"]):
        for k in range(3):
            warm.update(windows[k], options.lr)
    block, network = options.steps // TURNS, training.start(options, n).network
    losses: dict[str, list[float]] = {name: [] for name in engines}
    walls: dict[str, list[float]] = {name: [] for name in engines}
    processor: dict[str, list[float]] = {name: [] for name in engines}
    curve = []
    for turn in range(TURNS):
        order = list(engines) if turn % 2 else list(reversed(engines))
        for name in order:
            updates = range(turn * block, (turn + 1) * block)
            if name not in ("ours", "torch"):
                updates = updates[: max(2, block // 5)]
            wall, used = perf_counter(), process_time()
            for k in updates:
                lr = options.lr * decay(options.schedule, k / options.steps)
                losses[name].append(engines[name].update(windows[k], lr))
            walls[name].append((perf_counter() - wall) / len(updates))
            processor[name].append((process_time() - used) / len(updates))
        if (turn + 1) % (TURNS // EVALUATIONS) == 0:
            point: dict[str, Any] = {"update": (turn + 1) * block}
            for name in ("ours", "torch"):
                point[name] = {
                    "val_nats": nats(network, engines[name].params(), kept),
                    "train_nats": float(np.mean(losses[name][-block:])),
                    "seconds": block * sum(walls[name]),
                }
            curve.append(point)
    return {
        "cell": options.cell, "hidden": options.hidden, "updates": options.steps,
        "parameters": {name: engine.size() for name, engine in engines.items()},
        "ms_per_update": {name: spread(1000 * np.array(of)) for name, of in walls.items()},
        "processor_ms_per_update": {name: spread(1000 * np.array(of)) for name, of in processor.items()},
        "by_ours": {name: spread(np.array(of) / processor["ours"]) for name, of in processor.items()},
        "by_compiled": {name: spread(np.array(of) / processor["ours, compiled"]) for name, of in processor.items()},
        **apart(losses["ours"], losses["torch"], curve), "curve": curve,
    }  # fmt: skip


def spread(values: np.ndarray) -> dict[str, float]:
    """The median, and what a tenth lies below and above."""
    return dict(zip(("p10", "median", "p90"), map(float, np.quantile(values, [0.1, 0.5, 0.9])), strict=True))


def apart(ours: list[float], theirs: list[float], curve: list[dict[str, Any]]) -> dict[str, Any]:
    """How far two trainings are from each other, in nats per character."""
    by_step = np.abs(np.array(ours) - theirs)
    above = np.flatnonzero(by_step > 1e-3)
    return {
        "largest_difference": {
            "loss_of_an_update": float(by_step.max()),
            "loss_of_the_first_100_updates": float(by_step[:100].max()),
            "train_nats": max(abs(p["ours"]["train_nats"] - p["torch"]["train_nats"]) for p in curve),
            "val_nats": max(abs(p["ours"]["val_nats"] - p["torch"]["val_nats"]) for p in curve),
        },
        "first_update_apart_by_a_thousandth": int(above[0]) + 1 if above.size else None,
    }


def table(rows: list[dict[str, Any]]) -> list[str]:
    def shown(of: dict[str, float]) -> str:
        return "{median:.2f} ({p10:.2f}–{p90:.2f})".format(**of)

    lines = [
        "| cell, hidden | updates | nats, ours | PyTorch | apart at most | ms, ours | ms, PyTorch | PyTorch / ours "
        "| PyTorch / compiled | two biases / ours | two biases / compiled |",
        "| --- " + "| ---: " * 10 + "|",
    ]
    for row in sorted(rows, key=lambda row: (list(MODULES).index(row["cell"]), row["hidden"])):
        end, ms = row["curve"][-1], row["processor_ms_per_update"]
        ratios = [row[by][engine] for engine in ("torch", "torch, two biases") for by in ("by_ours", "by_compiled")]
        lines.append(
            f"| {row['cell']}, {row['hidden']} | {row['updates']} | {end['ours']['val_nats']:.4f} "
            f"| {end['torch']['val_nats']:.4f} | {row['largest_difference']['val_nats']:.4f} "
            f"| {ms['ours']['median']:.1f} | {ms['torch']['median']:.1f} | {' | '.join(map(shown, ratios))} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="a text file in UTF-8")
    parser.add_argument("--cells", nargs="+", default=list(MODULES), choices=MODULES)
    parser.add_argument("--hidden", nargs="+", type=int, default=list(UPDATES))
    parser.add_argument("--updates", type=int, help="in place of those that UPDATES has for a width")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--disturbed", action="store_true", help="time nothing: our trainings beside themselves")
    parser.add_argument("--table", action="store_true", help="measure nothing: print what there is")
    told = parser.parse_args()

    text = told.text.read_text(encoding="utf-8")
    vocabulary = Vocabulary.of(text)
    ids, n = vocabulary.encode(text), len(vocabulary)
    found = json.loads(told.results.read_text(encoding="utf-8")) if told.results.exists() else {"rows": []}
    done = {(row["cell"], row["hidden"]) for row in found["rows"]}
    torch.set_num_threads(1)
    for row in found["rows"] if told.disturbed else []:
        if row["cell"] in told.cells and row["hidden"] in told.hidden:
            options = TrainingOptions(cell=row["cell"], layers=1, hidden=row["hidden"], steps=row["updates"]).filled()
            with threadpool_limits(1):
                row["ours_beside_itself"] = disturbed(options, ids, n)
            told.results.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(row["cell"], row["hidden"], row["ours_beside_itself"], row["largest_difference"], flush=True)
    for hidden, cell in [] if told.table or told.disturbed else product(told.hidden, told.cells):
        if (cell, hidden) in done:
            continue
        updates = told.updates or UPDATES[hidden]
        options = TrainingOptions(cell=cell, layers=1, hidden=hidden, steps=updates // TURNS * TURNS).filled()
        with threadpool_limits(1):
            found["rows"].append(measure(options, ids, n))
        about = {"text": told.text.name, "characters": len(text), "batch": options.batch, "seq_len": options.seq_len,
                 "lr": options.lr, "cores": os.cpu_count(), "turns": TURNS, **provenance()}  # fmt: skip
        about["versions"] |= {"torch": torch.__version__}
        told.results.write_text(json.dumps(found | about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(table(found["rows"][-1:])[-1], found["rows"][-1]["largest_difference"], flush=True)
    print("\n".join(table(found["rows"])))


if __name__ == "__main__":
    main()
