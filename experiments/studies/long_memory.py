r"""Which start remembers, and do the gradients of the first moment tell? Adding and copying by length, and digits.

    manual-rnn study run experiments/studies/long_memory.py               # the small form, in a minute
    manual-rnn study run experiments/studies/long_memory.py:HOURS
    manual-rnn study run experiments/studies/long_memory.py:RATES         # how the learning rates below were chosen
    manual-rnn study run experiments/studies/long_memory.py:FULL          # overnight
    manual-rnn study run experiments/studies/long_memory.py:DIGITS        # sequential digits; manual-rnn[digits]
    manual-rnn study run experiments/studies/long_memory.py:OTHER_RATES   # who fails: at another rate, too?

Eight networks of as many units: the IRNN (Le, Jaitly, Hinton 2015), tanh with an orthogonal W and with a Gaussian one,
the linear transition of Henaff, Szlam, LeCun (2016), which starts as 1 for adding and orthogonal for copying, the
AntisymmetricRNN (Chang et al. 2019), the GRU, the LSTM with forget bias 1 and with chrono biases (Tallec, Ollivier
2018). Adding is Arjovsky's, copying is of five symbols of eight kinds, digits are read pixel by pixel in two orders.

All learn by Adam with the gradient clipped to 1, in float32, each at the one of three rates that was best for it at 40
steps (RATES; DIGITS_RATES). Solved: nine validation sequences of ten are answered right. All have as many units; of
parameters a GRU has three times as many, an LSTM four times.

Before the first update: ``log_ratio``, log ‖∂L/∂(states)‖ at the first step less that at the last, natural, for the
loss of the last step; and ``slope``, twice that by step, which is a measured log χ (manual_rnn.theory).
"""

import math

import numpy as np

from manual_rnn import cells, initialise, loss_and_gradients, tasks
from manual_rnn.cell import Affine, Cell
from manual_rnn.optimisers import Adam
from manual_rnn.studies import Study, grid
from manual_rnn.tasks.learning import learn

UNITS, SYMBOLS = 50, 5
TASKS, ORDERS = ("adding", "copying"), ("digits_rows", "digits_permuted")
SMALL = 0.001
"""The standard deviation of the IRNN's U and V."""


def linear_transition(node, prev, tap):
    return {"h": tap("h", np.where(node.a > 0, node.a, 0) + node.m)}


def linear_transition_back(node, prev, grad, tap):
    return {"a": tap("a", np.where(node.a > 0, grad.h, 0)), "m": tap("m", grad.h)}


HENAFF = Cell(
    "linear_transition", linear_transition, linear_transition_back, kinks=("a",),
    maps=(Affine(W=None), Affine(node="m", U=None, b=None)),
)  # fmt: skip
"""h(t) = relu(U x(t) + b) + W h(t−1)."""

STARTS = {
    "IRNN": ("rnn_relu", {"recurrent": "identity"}),
    "Henaff": (HENAFF, {}),
    "orthogonal tanh": ("rnn", {"recurrent": "orthogonal"}),
    "Gaussian tanh": ("rnn", {}),
    "antisymmetric": ("antisymmetric_rnn", {}),
    "GRU": ("gru", {}),
    "LSTM": ("lstm", {"forget_bias": 1.0}),
    "chrono LSTM": ("lstm", {}),
}


RATE = {
    "adding": {"IRNN": 0.01, "Henaff": 0.01, "orthogonal tanh": 0.003, "Gaussian tanh": 0.001, "antisymmetric": 0.001,
               "GRU": 0.003, "LSTM": 0.01, "chrono LSTM": 0.01},
    "copying": {"IRNN": 0.01, "Henaff": 0.003, "orthogonal tanh": 0.001, "Gaussian tanh": 0.003, "antisymmetric": 0.01,
                "GRU": 0.01, "LSTM": 0.003, "chrono LSTM": 0.01},
    "digits": {"IRNN": 0.001, "Henaff": 0.001, "orthogonal tanh": 0.003, "Gaussian tanh": 0.003,
               "antisymmetric": 0.01, "GRU": 0.01, "LSTM": 0.01, "chrono LSTM": 0.01},
}  # fmt: skip
"""Of the three rates of RATES, at 40 steps: the one that solves it, the soonest; or else has the least loss. Of those
of DIGITS_RATES likewise, for both orders."""


def started(start, task, length, seed):
    """The cell, and its parameters."""
    cell, options = STARTS[start]
    cell = cells.get(cell) if isinstance(cell, str) else cell
    if start == "chrono LSTM":
        options = {"chrono": length}
    elif start == "Henaff":
        options = {"recurrent": "identity" if task.name == "adding_sum" else "orthogonal"}
    params = initialise(cell, n_in=task.n_in, n_hidden=UNITS, n_out=task.n_out, seed=seed, **options)
    if start == "IRNN":
        for name in "UV":
            params[name] *= SMALL / params[name].std()
    return cell, params


def task_of(name, length):
    """Sequences of ``length`` steps, which are 64 for digits."""
    if name == "adding":
        return tasks.adding_sum(length)
    return tasks.copying(length - 2 * SYMBOLS, length=SYMBOLS) if name == "copying" else tasks.get(name)


def log_ratio(cell, params, task, seed):
    """log ‖∂L/∂states(1)‖ less that of the last step, L the last step's loss: root mean squares over sequences."""
    batch = task.draw(100, seed=seed)
    weights = np.zeros_like(batch.weights)
    weights[-1] = 1
    result = loss_and_gradients(cell, params, batch.x, batch.y, weights=weights, loss=task.loss)
    first, last = (
        math.hypot(*(float(np.linalg.norm(result.node_gradients[cell.full(state)][t])) for state in cell.states))
        for t in (0, -1)
    )
    return math.log(first / last) if first else -math.inf


def tried(configuration, seed):
    """Whether and when it was solved, the loss at the end and the floor, and what the gradients were at the start."""
    task = task_of(configuration["task"], configuration["length"])
    of_start, of_task, of_gradients = np.random.SeedSequence(seed).generate_state(3).tolist()
    cell, params = started(configuration["start"], task, configuration["length"], of_start)
    ratio = log_ratio(cell, params, task, of_gradients)
    params = {name: array.astype(np.float32) for name, array in params.items()}
    found = learn(task, cell, params, updates=configuration["updates"], seed=of_task, optimiser=Adam(),
                  lr=configuration["rate"], clip=1.0, every=250, sequences=500, enough=0.9)  # fmt: skip
    solved = found.solved_at is not None
    return {
        "solved": float(solved),
        "updates_needed": float(found.solved_at if solved else math.inf),
        "failed": float(found.failure is not None),
        "loss": float(np.mean(found.losses[-100:])),
        "floor": task.floor,
        "wrong": found.wrong[-1][1],
        "log_ratio": ratio,
        "slope": 2 * ratio / (configuration["length"] - 1),
    }


def learnt(configuration, seed):
    """The same with the rate chosen for the task and the start."""
    of_task = RATE[configuration["task"].partition("_")[0]]
    return tried({**configuration, "rate": of_task[configuration["start"]]}, seed)


def study(name, *, lengths, updates, seeds):
    return Study(
        name=name, function=learnt, seeds=range(seeds), floors={"loss": "floor"},
        configurations=grid(task=TASKS, length=lengths, start=STARTS, updates=(updates,)),
    )  # fmt: skip


STUDY = study("long_memory", lengths=(20,), updates=1000, seeds=2)
HOURS = study("long_memory_hours", lengths=(20, 40, 80), updates=5000, seeds=3)
FULL = study("long_memory_full", lengths=(40, 80, 160), updates=50_000, seeds=5)
DIGITS = Study(
    name="long_memory_digits", function=learnt, seeds=range(3), floors={"loss": "floor"},
    configurations=grid(task=ORDERS, length=(64,), start=STARTS, updates=(1500,)),
)  # fmt: skip
DIGITS_RATES = Study(
    name="long_memory_digits_rates", function=tried, seeds=(100,),
    configurations=grid(task=ORDERS[:1], length=(64,), start=STARTS, rate=(0.001, 0.003, 0.01), updates=(750,)),
)  # fmt: skip
RATES = Study(
    name="long_memory_rates", function=tried, seeds=(100,),
    configurations=grid(task=TASKS, length=(40,), start=STARTS, rate=(0.001, 0.003, 0.01), updates=(3000,)),
)  # fmt: skip
OTHER_RATES = Study(
    name="long_memory_other_rates", function=tried, seeds=(100,),
    configurations=grid(
        task=("adding",), length=(80,), start=("IRNN", "orthogonal tanh", "Gaussian tanh", "antisymmetric"),
        rate=(0.001, 0.003, 0.01), updates=(5000,),
    ),
)  # fmt: skip
"""Those that do not solve adding at 80 steps: would they at another rate?"""
