r"""Copying: ten symbols are shown, then nothing for a long time, and after a marker they are to be said again.

Hochreiter, Schmidhuber, "Long short-term memory" (1997); in this form Arjovsky, Shah, Bengio, "Unitary evolution
recurrent neural networks" (ICML 2016). The sequence has ``delay`` + 2 · ``length`` steps: ``length`` symbols, uniform,
delay − 1 blanks, the marker, ``length`` blanks. The target is blank at all steps but the last ``length``.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.tasks.task import Batch, Task, likeliest
from manual_rnn.theory import floors


def copying(delay: int, *, symbols: int = 8, length: int = 10) -> Task:
    r"""Token ids 0 … symbols − 1, the blank ``symbols``, the marker ``symbols`` + 1; the loss is the mean over steps.

    The floor is length · ln symbols / (delay + 2 · length). Solved: every step of a sequence right.
    Raises ValueError for a delay below 1, or fewer than one symbol or length.
    """
    floor, blank = floors.copy(delay, symbols=symbols, length=length), symbols

    def generate(B: int, rng: np.random.Generator) -> Batch:
        T = delay + 2 * length
        shown = rng.integers(0, symbols, (length, B))
        x, y = np.full((T, B), blank), np.full((T, B), blank)
        x[:length] = y[-length:] = shown
        x[length + delay - 1] = blank + 1
        return Batch(x=x, y=y, weights=np.full((T, B), 1 / (T * B)))

    return Task(name="copying", n_in=symbols + 2, n_out=symbols + 1, loss="softmax", floor=floor, generate=generate,
                right=likeliest)  # fmt: skip
