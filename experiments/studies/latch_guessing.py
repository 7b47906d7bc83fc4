r"""Is a task of long memory hard to learn where it is easy to guess? The latch, by weights that are drawn at random.

    manual-rnn study run experiments/studies/latch_guessing.py            # in a minute

Hochreiter and Schmidhuber (1997, experiment 3) found that the latch of Bengio, Simard, Frasconi (1994) is solved sooner
by drawing the weights than by the algorithms that it was to test, whatever its length. Here it is guessed by one tanh
unit of three parameters, w, u and b from U[−10, 10], whose state is read as σ(4 h). The same for temporal order, of
50 units, is temporal_order.py:GUESSING.
"""

import math

import numpy as np

from manual_rnn import cells, tasks
from manual_rnn.studies import Study, grid
from manual_rnn.tasks.learning import answers

WIDTH, READOUT = 10.0, 4.0


def guessed(configuration, seed):
    """The share of guesses that answer all sequences right, and how many it took until the first of them."""
    task, rng = tasks.latch(configuration["length"]), np.random.default_rng(seed)
    few, all_of_them = (task.draw(count, seed=rng) for count in (20, configuration["sequences"]))
    found = []
    for guess in range(configuration["guesses"]):
        w, u, b = rng.uniform(-WIDTH, WIDTH, 3)
        params = {"W": [[w]], "U": [[u]], "b": [b], "V": [[READOUT]], "c": [0.0]}
        params = {name: np.array(value) for name, value in params.items()}
        if all(task.solved(answers(cells.get("rnn"), params, drawn.x), drawn).all() for drawn in (few, all_of_them)):
            found.append(guess + 1)
    return {"share": len(found) / configuration["guesses"], "guesses_needed": float(min(found, default=math.inf))}


STUDY = Study(
    name="latch_guessing", function=guessed, seeds=range(5),
    configurations=grid(length=(50, 100, 500), guesses=(1000,), sequences=(1000,)),
)  # fmt: skip
