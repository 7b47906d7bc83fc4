"""``manual-rnn sample``: text from a trained model, on stdout and nothing else."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path

from manual_rnn.errors import UsageError


def sample(
    run: Path, /, *, length: int = 500, temperature: float = 1.0, prime: str = "", seed: int = 0
) -> int:
    """Sample text from a trained model, one character at a time, each drawn and fed back as the next input.

    Args:
        run: The run folder that 'manual-rnn train' made.
        length: Characters to draw, after the prime.
        temperature: 1: as learnt; below, the likelier characters more often; 0: always the likeliest.
        prime: Text that the model reads first and that is printed first.
        seed: Decides what is drawn.
    """
    if length < 1:
        raise UsageError(f"--length is {length}; it must be at least 1.")
    if not (temperature >= 0 and math.isfinite(temperature)):
        raise UsageError(f"--temperature is {temperature}; it must be zero or a positive, finite number.")
    if seed < 0:
        raise UsageError(f"--seed is {seed}; it must be zero or more.")

    import numpy as np
    from threadpoolctl import threadpool_limits

    from manual_rnn.runs import load
    from manual_rnn.sampling import sample_text

    model = load(run)
    model.vocabulary.encode(prime)  # unseen characters are told before anything is printed
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as the text that was learnt, whatever the locale says
    rng = np.random.default_rng(seed)
    end = "\n" if sys.stdout.isatty() else ""  # a terminal's prompt needs a line of its own
    sys.stdout.write(prime)
    characters = sample_text(
        model.network,
        model.params,
        model.vocabulary,
        prime=prime,
        length=length,
        temperature=temperature,
        rng=rng,
    )
    with threadpool_limits(1, "blas"):
        for character in characters:
            sys.stdout.write(character)
    sys.stdout.write(end)
    return 0
