r"""The latch, or two-sequence problem: the first inputs say which of two classes it is, all others are noise.

Bengio, Simard, Frasconi, "Learning long-term dependencies with gradient descent is difficult" (1994); in this form
Hochreiter, Schmidhuber, "Long short-term memory" (1997), experiment 3a, who found that random guessing of weights
solves it faster than the algorithms that it was meant to test.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.tasks.task import Batch, Task, at_ends, sigmoid_nearer_than
from manual_rnn.theory import floors
from manual_rnn.theory.arguments import whole

VARIANCE = 0.2


def latch(length: int, *, informative: int = 3) -> Task:
    r"""One input a step: +1 or −1 for the first ``informative`` steps, by class, then N(0, 0.2), 0.2 the variance.

    Each sequence has a length of its own, from T to T + T/10; behind its end stand zeros. The target at its last step
    is 1 or 0, and the loss here the binary cross-entropy (theirs was the squared error of a sigmoid), so the floor is
    ln 2. Solved: σ(o) within 0.2 of the target.
    Raises ValueError for a length T that is not above the number of informative steps, or none of these.
    """
    whole("number of informative steps", informative, 1)
    whole("length", length, informative + 1)

    def generate(B: int, rng: np.random.Generator) -> Batch:
        lengths, T = rng.integers(length, length + length // 10 + 1, B), length + length // 10
        x = np.where(np.arange(T)[:, None] < lengths, np.sqrt(VARIANCE) * rng.standard_normal((T, B)), 0)
        of_class = rng.integers(0, 2, B)
        x[:informative] = 2 * of_class - 1
        y = np.zeros((T, B, 1))
        y[lengths - 1, np.arange(B), 0] = of_class
        return Batch(x=x[..., None], y=y, weights=at_ends(lengths, T, 1 / B))

    return Task(name="latch", n_in=1, n_out=1, loss="bernoulli", floor=floors.exclusive_or(), generate=generate,
                right=sigmoid_nearer_than(0.2))  # fmt: skip
