"""``manual-rnn sample``: text from a trained model, on stdout and nothing else."""

from __future__ import annotations

import io
import json as json_format
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from manual_rnn.errors import UsageError

BETWEEN = "\n---------------\n"
"""Several samples are parted by this line."""


def sample(
    run: Path,
    /,
    *,
    length: int = 500,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    prime: str = "",
    stop: str | None = None,
    samples: int = 1,
    seed: int = 0,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Sample text from a trained model, one character at a time, each drawn and fed back as the next input.

    Args:
        run: The run folder that 'manual-rnn train' made.
        length: Characters to draw, after the prime.
        temperature: 1: as learnt; below, the likelier characters more often; 0: always the likeliest.
        top_k: Draw among the K likeliest characters only.
        top_p: Draw among the fewest characters that have the probability P together.
        prime: Text that the model reads first and that is printed first. A character that the text of the training
            has not is an error that names it.
        stop: End a sample before this text where it is drawn; the prime does not count.
        samples: How many texts, side by side in one batch; printed one after the other, a line of dashes between.
        seed: Decides what is drawn.
        json: Print one JSON document: the settings, and of each sample its text after the prime and whether it ended
            at the stop.
    """
    for name, value, least in (("length", length, 1), ("samples", samples, 1), ("seed", seed, 0)):
        if value < least:
            raise UsageError(f"--{name} is {value}; it must be at least {least}.")
    if stop == "":
        raise UsageError("--stop is empty; give the text to end before, or leave it out.")

    import numpy as np
    from threadpoolctl import threadpool_limits

    from manual_rnn.runs import load
    from manual_rnn.sampling import Choice, Ending, sample_texts

    try:
        choice = Choice(temperature, top_k, top_p)
    except ValueError as error:
        raise UsageError(f"--{error}") from None
    model = load(run)
    model.vocabulary.encode(prime)  # unseen characters are told before anything is printed
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # as the text that was learnt, whatever the locale says

    def show(text: str) -> None:
        if not json:
            sys.stdout.write(text)
            sys.stdout.flush()  # as it is generated

    endings = [Ending(stop or "") for _ in range(samples)]
    parts: list[list[str]] = [[] for _ in endings]
    drawn = sample_texts(
        model.network, model.params, model.vocabulary, prime=prime, length=length, choice=choice,
        rngs=[np.random.default_rng((seed, i)) for i in range(samples)],
    )  # fmt: skip
    show(prime)
    with threadpool_limits(1, "blas"):
        for characters in drawn:
            for ending, character, known in zip(endings, characters, parts, strict=True):
                known.append(ending.take(character))
            show(parts[0][-1])
            if all(ending.found for ending in endings):
                break
    texts = ["".join(known) + ending.held for known, ending in zip(parts, endings, strict=True)]
    show(endings[0].held)
    for text in texts[1:]:
        show(f"{BETWEEN}{prime}{text}")
    if json:
        told = {
            "version": 1, "run": str(run), "prime": prime, "length": length, "temperature": temperature,
            "top_k": top_k, "top_p": top_p, "stop": stop, "seed": seed,
            "samples": [{"text": t, "stopped": ending.found} for t, ending in zip(texts, endings, strict=True)],
        }  # fmt: skip
        print(json_format.dumps(told))
    elif sys.stdout.isatty():
        show("\n")  # a terminal's prompt needs a line of its own
    return 0
