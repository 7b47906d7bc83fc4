r"""The learning rate of an update: a linear warmup, then from the peak down to the floor, as nanoGPT has it.

.. math::
    \alpha(k) = \begin{cases}
        \alpha\,\frac{k + 1}{N + 1} & k < N \\
        \alpha_{\min} + (\alpha - \alpha_{\min})\, f(d) & \text{else}
    \end{cases}

after k updates, with N of warmup, d the fraction that is over of what comes after them, and f of :func:`decay`.
"""

from __future__ import annotations

import math

from manual_rnn.options import TrainingOptions


def learning_rate(options: TrainingOptions, *, update: int, done: float) -> float:
    """That of the next update, after ``update`` updates and with the fraction ``done`` of the training over.

    ``options`` are filled. Where they tell a time and not a number of updates, nobody knows which part of it the warmup
    takes: the schedule then counts from the beginning.
    """
    assert options.lr is not None
    if update < options.warmup:
        return options.lr * (update + 1) / (options.warmup + 1)
    warm = options.warmup / options.steps if options.steps else 0.0
    return options.min_lr + (options.lr - options.min_lr) * decay(options.schedule, (done - warm) / (1 - warm))


def decay(schedule: str, done: float) -> float:
    r"""The factor on α when the fraction ``done``, 0 … 1, is over.

    "constant": 1; "linear": $1 - d$; "cosine": $(1 + \cos \pi d) / 2$ (Loshchilov, Hutter 2017, no restarts).
    """
    if schedule == "constant":
        return 1.0
    return 1 - done if schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
