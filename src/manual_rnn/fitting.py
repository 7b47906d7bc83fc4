"""Streams and windows that fit a short text: where they are not given, their defaults get smaller."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from manual_rnn.options import TrainingOptions
from manual_rnn.text import characters_needed


def fitted(options: TrainingOptions, given: Collection[str], characters: int) -> TrainingOptions:
    """The options with fewer streams and then, when one is left, shorter windows, so far as neither was given.

    Raises ValueError where the text is too short even so.
    """
    if characters < least(options, given):
        raise ValueError(f"{characters} characters are less than {least(options, given)}")
    steps = characters - characters // 10 - 1  # of the training part, that have a target
    batch, seq_len = options.batch, options.seq_len
    if "batch" not in given:
        batch = min(batch, max(steps // seq_len, 1))
    if "seq_len" not in given:
        seq_len = min(seq_len, steps // batch)
    return replace(options, batch=batch, seq_len=seq_len)


def least(options: TrainingOptions, given: Collection[str]) -> int:
    """The characters of the shortest text that there is a fit for."""
    T, B = (getattr(options, name) if name in given else 1 for name in ("seq_len", "batch"))
    return characters_needed(T, B)


def advice(options: TrainingOptions, given: Collection[str]) -> str:
    """What training needs, in a sentence."""
    told = []
    if "seq_len" in given:
        told.append(f"windows of {options.seq_len} (--seq-len)")
    if "batch" in given:
        told.append(f"{options.batch} streams (--batch)")
    reason = f", for {' and '.join(told)}" if told else ""
    return f"Training needs a text in UTF-8 of at least {least(options, given)} characters{reason}."
