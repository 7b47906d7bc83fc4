r"""Temporal order: two or three symbols that matter stand among many that do not; which were they, in their order?

Token ids: 0 and 1 matter (A and B, or X and Y), 2 … 5 are any. The class is Σ_k 2ᵏ v_k, v_k being 0 or 1 at the k-th
place; all are as likely, so the floor is ln 4 or ln 8. Solved: the right class has the largest logit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.tasks.task import Batch, Task, at_ends, likeliest
from manual_rnn.theory import floors
from manual_rnn.theory.arguments import whole

ANY = (2, 6)
BEGIN, END = 6, 7


def temporal_order(length: int, *, relevant: int = 2) -> Task:
    r"""Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks" (ICML 2013).

    All sequences have ``length`` T steps; the places lie in tenths of it that are T/10 wide, from T/10 and T/2 on
    (two symbols), or T/10, 3T/10 and 6T/10 (three), as in the code that came with the paper. n_in = 6.
    Raises ValueError for a length below 10, or other numbers of symbols than two and three.
    """
    tenths = _by_count(relevant, two=(1, 5), three=(1, 3, 6))
    whole("length", length, 10)

    def generate(B: int, rng: np.random.Generator) -> Batch:
        places = np.stack([k * length // 10 + rng.integers(0, length // 10, B) for k in tenths])
        return _batch(rng.integers(*ANY, (length, B)), places, np.full(B, length), rng)

    return _task("temporal_order", 6, relevant, generate)


def temporal_order_framed(length: int = 100, *, relevant: int = 2) -> Task:
    r"""Hochreiter, Schmidhuber, "Long short-term memory" (1997), experiments 6a and 6b, which have ``length`` T = 100.

    Each sequence has a length of its own, from T to T + T/10, and begins with a B (id 6) and ends with an E (7). The
    places lie from 10 to 20 and 50 to 60 hundredths of T (two symbols), or 10 to 20, 33 to 43 and 66 to 76 (three).
    n_in = 8; what stands behind the end of a sequence is E.
    Raises ValueError for a length below 10, or other numbers of symbols than two and three.
    """
    hundredths = _by_count(relevant, two=(10, 50), three=(10, 33, 66))
    whole("length", length, 10)

    def generate(B: int, rng: np.random.Generator) -> Batch:
        lengths, T = rng.integers(length, length + length // 10 + 1, B), length + length // 10
        x = np.where(np.arange(T)[:, None] < lengths - 1, rng.integers(*ANY, (T, B)), END)
        x[0] = BEGIN
        places = np.stack([k * length // 100 + rng.integers(0, length // 10 + 1, B) for k in hundredths])
        return _batch(x, places, lengths, rng)

    return _task("temporal_order_framed", 8, relevant, generate)


def _by_count(relevant: int, *, two: tuple[int, ...], three: tuple[int, ...]) -> tuple[int, ...]:
    if relevant not in (2, 3):
        raise ValueError(f"relevant is {relevant!r}; the task has 2 or 3 symbols that matter.")
    return two if relevant == 2 else three


def _batch(x: Array, places: Array, lengths: Array, rng: np.random.Generator) -> Batch:
    (T, B), bits = x.shape, rng.integers(0, 2, places.shape)
    x[places, np.arange(B)] = bits
    y = np.zeros((T, B), int)
    y[lengths - 1, np.arange(B)] = (bits << np.arange(len(bits))[:, None]).sum(axis=0)
    return Batch(x=x, y=y, weights=at_ends(lengths, T, 1 / B))


def _task(name: str, n_in: int, relevant: int, generate: Callable[[int, np.random.Generator], Batch]) -> Task:
    return Task(name=name, n_in=n_in, n_out=2**relevant, loss="softmax", floor=floors.temporal_order(relevant),
                generate=generate, right=likeliest)  # fmt: skip
