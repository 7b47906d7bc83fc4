r"""Adding: two of many numbers are marked, and their sum is asked for at the end. Three variants, named by the target.

The input of a step is a number and a mark, n_in = 2. The floor is the variance of the target, which no single step
knows anything of. The three differ in the numbers, the places of the marks, the target, and what counts as solved.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.tasks.task import Batch, Task, at_ends, nearer_than
from manual_rnn.theory import floors
from manual_rnn.theory.arguments import whole


def adding_sum(length: int) -> Task:
    r"""Arjovsky, Shah, Bengio, "Unitary evolution recurrent neural networks" (ICML 2016): X₁ + X₂, floor 1/6.

    Numbers from U[0, 1], one mark of 1 in the first half of ``length`` steps and one in the second. They report the
    error only; for solved, ``|error| < 0.04`` is taken over from Hochreiter and Schmidhuber.
    Raises ValueError for a length below 2.
    """
    whole("length", length, 2)

    def generate(B: int, rng: np.random.Generator) -> Batch:
        marked = np.stack([rng.integers(0, length // 2, B), rng.integers(length // 2, length, B)])
        return _batch(rng.random((length, B)), marked, np.full(B, length), lambda X: X.sum(axis=0))

    return _task("adding_sum", floors.adding_sum(), generate, bound=0.04)


def adding_mean(length: int) -> Task:
    r"""Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks" (ICML 2013): (X₁ + X₂)/2,
    floor 1/24.

    Numbers from U[0, 1]; all sequences of a batch have one length l, drawn from T up to below 1.1 T; one mark in the
    first tenth of it and one in the next four. Solved: squared error < 0.04. As in the code that came with the paper.
    Raises ValueError for a length T below 10.
    """
    whole("length", length, 10)

    def generate(B: int, rng: np.random.Generator) -> Batch:
        T = int(rng.integers(length, length + length // 10))
        marked = np.stack([rng.integers(0, T // 10, B), T // 10 + rng.integers(0, 4 * T // 10, B)])
        return _batch(rng.random((T, B)), marked, np.full(B, T), lambda X: X.mean(axis=0))

    return _task("adding_mean", floors.adding_mean(), generate, bound=0.2)


def adding_scaled(length: int) -> Task:
    r"""Hochreiter, Schmidhuber, "Long short-term memory" (1997), experiment 4: ½ + (X₁ + X₂)/4.

    Numbers from U[−1, 1]; each sequence has a length of its own, from T to T + T/10. Marks of 1: one among the first
    ten pairs, the other among the first T/2 − 1 pairs not yet marked. The first and the last pair have the mark −1;
    where the first of them is one of the two marked, its mark stays −1 and its number counts as zero, so that the
    floor is a little under 1/24. Solved: ``|error| < 0.04``. Behind the end of a sequence stand zeros.
    Raises ValueError for a length T below 11.
    """
    whole("length", length, 11)
    candidates = length // 2 - 1

    def generate(B: int, rng: np.random.Generator) -> Batch:
        lengths, T = rng.integers(length, length + length // 10 + 1, B), length + length // 10
        first, second = rng.integers(0, 10, B), rng.integers(0, candidates, B)
        numbers = np.where(np.arange(T)[:, None] < lengths, rng.uniform(-1, 1, (T, B)), 0)
        marked = np.stack([first, second + (second >= first)])

        def target(X: Array) -> Array:
            return np.asarray(0.5 + np.where(marked == 0, 0, X).sum(axis=0) / 4)

        batch = _batch(numbers, marked, lengths, target)
        batch.x[0, :, 1] = batch.x[lengths - 1, np.arange(B), 1] = -1
        return batch

    return _task("adding_scaled", floors.adding_scaled(0.1 + 0.9 / candidates), generate, bound=0.04)


def _batch(numbers: Array, marked: Array, lengths: Array, target: Callable[[Array], Array]) -> Batch:
    """Of numbers (T, B), the places of the two marks (2, B), and the target (B,) as a function of the two (2, B)."""
    (T, B), each = numbers.shape, np.arange(numbers.shape[1])
    marks = np.zeros((T, B))
    marks[marked, each] = 1
    y = np.zeros((T, B, 1))
    y[lengths - 1, each, 0] = target(numbers[marked, each])
    # The squared error of this library has a ½.
    return Batch(x=np.stack([numbers, marks], axis=-1), y=y, weights=at_ends(lengths, T, 2 / B))


def _task(name: str, floor: float, generate: Callable[[int, np.random.Generator], Batch], *, bound: float) -> Task:
    return Task(name=name, n_in=2, n_out=1, loss="squared", floor=floor, generate=generate, right=nearer_than(bound))
