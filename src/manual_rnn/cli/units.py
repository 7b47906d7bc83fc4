"""``manual-rnn units``: what each hidden unit follows, and a text coloured by it."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from manual_rnn.errors import InputError, UsageError

if TYPE_CHECKING:
    from manual_rnn.runs import Run

READ = 10_000
"""Characters from which the shares are computed; a page shows fewer."""
VALUES = 20_000_000
"""The most values that a page holds: it has four bytes for three of them."""


def units(
    run: Path,
    text: Path | None = None,
    /,
    *,
    out: Path,
    length: int = 2000,
    state: str | None = None,
    layer: int | None = None,
    seed: int = 0,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Show which characters each hidden unit follows, as coloured text in one HTML page.

    What a unit follows is told by the text's first 10,000 characters, or --length if that is more.

    Args:
        run: The run folder that 'manual-rnn train' made.
        text: A text file in UTF-8 that the model reads, all of whose characters it must know; without one, the
            model's own sample.
        out: The page: one file that needs no network.
        length: Characters that the page shows.
        state: The state whose units they are, h or c; an LSTM's c by default, as its tanh.
        layer: The layer, from 1; the last by default.
        seed: Decides the sample.
        json: Print one JSON document: of each unit the shares and what it follows.
    """
    for name, value, least in (("length", length, 1), ("seed", seed, 0)):
        if value < least:
            raise UsageError(f"--{name} is {value}; it must be at least {least}.")

    from threadpoolctl import threadpool_limits

    from manual_rnn.html_report.place import check_place, write
    from manual_rnn.html_report.units import render_units
    from manual_rnn.runs import load
    from manual_rnn.text_files import first_characters
    from manual_rnn.unit_following import by_reading, following, states

    check_place(out)
    model = load(run)
    cells = model.network.cells
    if layer is not None and not 1 <= layer <= len(cells):
        raise UsageError(f"--layer is {layer}; the model has {len(cells)}, counted from 1.")
    cell = cells[(layer or len(cells)) - 1]
    if state is not None and state not in cell.states:
        raise UsageError(f"--state is {state}; the units of {cell.name} have {' and '.join(cell.states)}.")
    state = state or cell.states[-1]
    n_hidden = len(model.params["V"][0])
    if length * n_hidden > VALUES:
        most = VALUES // n_hidden
        raise UsageError(f"--length is {length}; a page of {n_hidden} units holds at most {most} characters.")
    needed = max(length, READ)
    with threadpool_limits(1, "blas"):
        if text is None:
            read = _sampled(model, needed, seed)
        else:
            read = first_characters(text, needed)
            if not read:
                raise InputError(f"{text} is empty; give a text for the units to follow.")
        values = states(model.network, model.params, model.vocabulary.encode(read), cell, state)
    try:
        found = following(values, read)
    except ValueError as error:
        raise InputError(str(error)) from None
    shown = state if state == cell.states[0] else f"tanh {state}"
    of_layer = f", layer {layer or len(cells)} of {len(cells)}" if len(cells) > 1 else ""
    title = f"{shown} of {cell.name}{of_layer}, {n_hidden} units"
    source = f"a sample of the model, seed {seed}" if text is None else str(text)
    facts = {"run": str(run), "text": source, "shares of": f"{len(read)} characters"}
    write(out, render_units(read[:length], values[:length], found, title=title, facts=facts))
    ordered = by_reading(found)
    if json:
        told = [{"unit": u.unit, "follows": u.best, "detail": u.detail, "shares": u.shares} for u in ordered]
        document = {"version": 1, "run": str(run), "text": source, "characters": len(read), "state": state,
                    "layer": layer or len(cells), "page": str(out), "units": told}  # fmt: skip
        print(json_format.dumps(document))
    else:
        first = {u.best: u for u in reversed(ordered) if u.best}
        for one in reversed(first.values()):
            print(f"unit {one.unit}: {one.name}")
        print(f"{out}: {title}, at {min(length, len(read))} characters")
    return 0


def _sampled(model: Run, length: int, seed: int) -> str:
    import numpy as np

    from manual_rnn.sampling import sample_texts

    rngs = [np.random.default_rng((seed, 0))]  # as the first of 'manual-rnn sample'
    return "".join(c for (c,) in sample_texts(model.network, model.params, model.vocabulary, length=length, rngs=rngs))
