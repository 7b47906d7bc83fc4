r"""Does it help to push the Lyapunov exponents to zero before training? Delayed XOR by delay, flossed and not.

    manual-rnn study run experiments/studies/gradient_flossing.py            # the small form, in a minute
    manual-rnn study run experiments/studies/gradient_flossing.py:FULL       # overnight

Engelken, "Gradient flossing: improving gradient descent through dynamic control of Jacobians" (NeurIPS 2023): vanilla
networks of 80 units whose W is Gaussian of gain 1, sequences of 300 bits, batches of 16, Adam at .001. Flossed are,
for 500 updates of W, U and b, the 75 largest exponents, each time of one sequence of 55 steps, of which 16 do not count
(so in the code that the paper points to). Beside them a W that begins orthogonal, which is the cheap way to exponents
near zero. The floor, for who remembers nothing, is ln 2 = .693 nats.

Not as there: the readout sees h = tanh a, not a; its weights begin as initialise has them; nothing is clipped. And the
delay d asks for the bits of d/2 and of d steps ago, where that code's delay of 10 asks for those of 10 and of 20.
"""

import math

import numpy as np

from manual_rnn import cells, initialise, loss_and_gradients, tasks
from manual_rnn.flossing import flossing
from manual_rnn.lyapunov_gradient import lyapunov_gradient
from manual_rnn.optimisers import Adam
from manual_rnn.studies import Study, grid
from manual_rnn.tasks.learning import answers, learn

RNN = cells.get("rnn")
STARTS = {"gaussian": "gaussian", "orthogonal": "orthogonal", "flossed": "gaussian"}
"""How W begins; the last is flossed."""
STEPS, WARM_UP = 55, 16
LR = 1e-3


def bits(rng, T, B):
    return rng.integers(0, 2, (T, B, 1)).astype(float)


def flossed(params, *, updates, directions, rng):
    """Moves W, U and b in place, so that the exponents of the directions come to zero."""
    optimiser, moved = Adam(beta_2=0.999), {name: params[name] for name in ("W", "U", "b")}
    for _ in range(updates):
        found = flossing(RNN, params, bits(rng, STEPS, 1), count=directions, warm_up=WARM_UP)
        optimiser.update(moved, found.gradients, LR)


def measured(params, when, *, delay, directions):
    """Powers of ten, over as many steps as the delay has, the mean or median of 8 sequences.

    ``kept``: what is left of a gradient that begins at the last step; ``condition``: how much better the best of the
    directions keeps it than the worst, the condition number by the exponents, infinite where one is lost.
    """
    params, rng = {name: array.astype(float) for name, array in params.items()}, np.random.default_rng(0)
    x = bits(rng, STEPS + delay, 8)
    y = rng.integers(0, 2, x.shape).astype(float)
    found = loss_and_gradients(RNN, params, x, y, loss="bernoulli", reduction="last")
    norms = np.linalg.norm(found.node_gradients["h"], axis=-1)
    try:
        exponents, _ = lyapunov_gradient(RNN, params, x, count=directions, warm_up=WARM_UP)
        condition = delay * float(np.ptp(exponents, axis=1).mean()) / math.log(10)
    except ValueError:
        condition = math.inf
    with np.errstate(divide="ignore"):
        kept = float(np.median(np.log10(norms[-1 - delay] / norms[-1])))
    return {f"kept_{when}": kept, f"condition_{when}": condition}


def learnt(configuration, seed):
    """What flossing made of the Jacobians; when the loss was half of the floor and the task solved, and what is right.

    ``begin`` is before flossing, ``start`` after it, ``end`` after training.
    """
    delay, directions, start = (configuration[name] for name in ("delay", "directions", "start"))
    rng, over = np.random.default_rng(seed), {"delay": delay, "directions": directions}
    params = initialise(RNN, n_in=1, n_hidden=configuration["units"], n_out=1, seed=rng, recurrent=STARTS[start])
    values = measured(params, "begin", **over)
    if start == "flossed":
        flossed(params, updates=configuration["flossing"], directions=directions, rng=rng)
    values |= measured(params, "start", **over)
    params = {name: array.astype(np.float32) for name, array in params.items()}
    task = tasks.delayed_xor(configuration["length"], delay=delay)
    found = learn(task, RNN, params, updates=configuration["updates"], seed=seed, batch=16, lr=LR,
                  optimiser=Adam(beta_2=0.999), every=250, sequences=100)  # fmt: skip
    batch = task.draw(100, seed=rng, dtype=np.float32)
    right = task.right(answers(RNN, params, batch.x), batch.y)[batch.weights > 0]
    solved, losses = found.solved_at is not None, np.array(found.losses)
    means = np.convolve(losses, np.ones(50) / 50, mode="valid")
    halved = np.flatnonzero(means < task.floor / 2)
    return values | measured(params, "end", **over) | {
        "solved": float(solved),
        "updates_needed": float(found.solved_at if solved else math.inf),
        "updates_to_half": float(halved[0] + 50 if halved.size else math.inf),
        "failed": float(found.failure is not None),
        "loss": float(means[-1]),
        "right": float(right.mean()),
        "norm_start": float(np.mean(found.norms[:50])),
        "norm_end": float(np.mean(found.norms[-50:])),
    }  # fmt: skip


def study(name, *, delays, length, units, directions, flossing, updates, seeds):
    return Study(
        name=name, function=learnt, seeds=range(seeds),
        configurations=grid(delay=delays, start=STARTS, length=(length,), units=(units,), directions=(directions,),
                            flossing=(flossing,), updates=(updates,)),
    )  # fmt: skip


STUDY = study("gradient_flossing", delays=(10, 20), length=100, units=40, directions=37, flossing=250, updates=1000,
              seeds=1)  # fmt: skip
HOURS = study("gradient_flossing_hours", delays=(10, 20, 30), length=300, units=80, directions=75, flossing=500,
              updates=3000, seeds=5)  # fmt: skip
FULL = study("gradient_flossing_full", delays=(10, 20, 30, 40, 60, 80), length=300, units=80, directions=75,
             flossing=500, updates=20_000, seeds=10)  # fmt: skip
