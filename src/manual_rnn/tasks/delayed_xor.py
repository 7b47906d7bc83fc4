r"""Delayed XOR: at each step, do the bits of d/2 and of d steps ago differ? Memory and a nonlinear answer at once.

Engelken, "Gradient flossing: improving gradient descent through dynamic control of Jacobians" (NeurIPS 2023):
y(t) = |x(t − d/2) − x(t − d)| of fair bits x(t).
"""

from __future__ import annotations

import numpy as np

from manual_rnn.tasks.task import Batch, Task, sigmoid_nearer_than
from manual_rnn.theory import floors
from manual_rnn.theory.arguments import whole


def delayed_xor(length: int, *, delay: int = 10) -> Task:
    r"""One bit a step, 0.0 or 1.0, and one logit: the binary cross-entropy, whose mean over all steps from d on counts.

    The floor is ln 2, for every step. Solved: σ(o) on the right side of ½ at each of them.
    Raises ValueError for a delay that is not even and at least 2, or a length T that is not above it.
    """
    whole("delay", delay, 2)
    if delay % 2:
        raise ValueError(f"The delay is {delay}; it must be even, for half of it is a number of steps too.")
    whole("length", length, delay + 1)

    def generate(B: int, rng: np.random.Generator) -> Batch:
        x = rng.integers(0, 2, (length, B)).astype(float)
        y, weights = np.zeros((length, B, 1)), np.zeros((length, B))
        y[delay:, :, 0] = np.abs(x[delay // 2 : length - delay // 2] - x[: length - delay])
        weights[delay:] = 1 / (B * (length - delay))
        return Batch(x=x[..., None], y=y, weights=weights)

    return Task(name="delayed_xor", n_in=1, n_out=1, loss="bernoulli", floor=floors.exclusive_or(), generate=generate,
                right=sigmoid_nearer_than(0.5))  # fmt: skip
