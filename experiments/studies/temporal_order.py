r"""Who learns what lies far back? Temporal order by length: SGD, clipping, clipping and Pascanu's penalty.

    manual-rnn study run experiments/studies/temporal_order.py            # the small form, in a minute
    manual-rnn study run experiments/studies/temporal_order.py:FULL       # as published, overnight

Figure 7 of Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks" (ICML 2013): vanilla
networks of 50 units, batches of 20, learning rate .01, gradients clipped to 1, the penalty's α 2 (there it went down
from 2 where the loss rose; here it stays), three ways to start. A trial trains one network until none of the validation
sequences is answered wrong, or ``updates`` are over. The floor, for who remembers nothing, is ln 4 = 1.386 nats.
Besides, random guessing (Hochreiter, Schmidhuber 1997 ask for it): how often weights drawn anew solve it at once.
"""

import math

import numpy as np

from manual_rnn import cells, initialise, tasks
from manual_rnn.studies import Study, grid
from manual_rnn.tasks.learning import answers, learn

UNITS = 50
METHODS = {"SGD": {}, "SGD-C": {"clip": 1.0}, "SGD-CR": {"clip": 1.0, "penalty": 2.0}}
STARTS = {"sigmoid": 0.01, "basic tanh": 0.1, "smart tanh": 0.1}
"""The standard deviation of all weights; the smart start has a sparse W besides, of spectral radius .95."""


def started(start, task, seed):
    """The cell, and its parameters in float32."""
    cell, rng = cells.get("rnn_sigmoid" if start == "sigmoid" else "rnn"), np.random.default_rng(seed)
    params = initialise(cell, n_in=task.n_in, n_hidden=UNITS, n_out=task.n_out, seed=rng, recurrent="sparse")
    for name in "WUV":
        if name != "W" or start != "smart tanh":
            params[name] = STARTS[start] * rng.standard_normal(params[name].shape)
    return cell, {name: array.astype(np.float32) for name, array in params.items()}


def learnt(configuration, seed):
    """Whether and when it was solved, the loss at the end, and the mean norm of the gradient there."""
    task = tasks.temporal_order(configuration["length"])
    cell, params = started(configuration["start"], task, seed)
    found = learn(task, cell, params, updates=configuration["updates"], seed=seed, sequences=configuration["sequences"],
                  **METHODS[configuration["method"]])  # fmt: skip
    solved = found.solved_at is not None
    return {
        "solved": float(solved),
        "updates_needed": float(found.solved_at if solved else math.inf),
        "failed": float(found.failure is not None),
        "loss": float(np.mean(found.losses[-100:])),
        "norm": float(np.mean(found.norms[-100:])) if found.norms else math.nan,
        "wrong": found.wrong[-1][1],
    }


def guessed(configuration, seed):
    """The share of drawn networks that answer all of the validation sequences right, and of the right answers."""
    task = tasks.temporal_order(configuration["length"])
    shares, rng = [], np.random.default_rng(seed)
    batch = task.draw(configuration["sequences"], seed=rng, dtype=np.float32)
    for _ in range(configuration["trials"]):
        cell, params = started("basic tanh", task, rng)
        guess = {name: (10 * array).astype(np.float32) for name, array in params.items()}  # of standard deviation 1
        shares.append(task.solved(answers(cell, guess, batch.x), batch).mean())
    return {"solved": float(np.mean(np.equal(shares, 1))), "right": float(np.mean(shares))}


def study(name, *, lengths, starts, updates, sequences, seeds):
    return Study(
        name=name, function=learnt, seeds=range(seeds), floors={"loss": math.log(4)},
        configurations=grid(length=lengths, start=starts, method=METHODS, updates=(updates,), sequences=(sequences,)),
    )  # fmt: skip


STUDY = study("temporal_order", lengths=(10, 20), starts=("smart tanh",), updates=2000, sequences=1000, seeds=3)
HOURS = study("temporal_order_hours", lengths=(20, 50, 100), starts=STARTS, updates=10_000, sequences=2000, seeds=3)
FULL = study("temporal_order_full", lengths=(50, 100, 150, 200, 250), starts=STARTS, updates=500_000, sequences=10_000,
             seeds=5)  # fmt: skip
GUESSING = Study(
    name="temporal_order_guessing", function=guessed, seeds=range(5),
    configurations=grid(length=(10, 20, 50), trials=(1000,), sequences=(50,)),
)  # fmt: skip
