"""A text coloured by a hidden unit, as one HTML page: every unit by click or arrow key, a dozen without a script.

After Karpathy, Johnson, Fei-Fei, *Visualizing and understanding recurrent networks*, 2015, figure 2.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.html_report.environment import environment
from manual_rnn.unit_following import Followed, by_reading

STEPS = 8
"""Colours on either side of zero."""
STATIC_UNITS, STATIC_CHARACTERS = 12, 600
"""What a reader without a script sees."""


def visible(character: str) -> str:
    """A character as the page shows it: what cannot be seen has a sign."""
    if character in "\n\t\r":
        return {"\n": "↵\n", "\t": "⇥\t", "\r": "␍"}[character]
    return character if character.isprintable() else chr(0x2400 + ord(character)) if character < " " else "\ufffd"


def coloured(text: str, steps: Array) -> list[tuple[int, str]]:
    """Runs of characters of one colour, (its step from zero, what is shown), of a unit's steps (N,)."""
    pairs = zip(steps.tolist(), text, strict=False)
    return [(k, "".join(visible(c) for _, c in run)) for k, run in groupby(pairs, key=lambda pair: pair[0])]


def render_units(
    text: str, values: Array, found: Sequence[Followed], *, title: str, facts: Mapping[str, str]
) -> str:
    """The page as text.

    Args:
        text: what is shown, N characters.
        values: the units' values at these characters, (N, n), finite.
        found: what each unit follows, in the order of the units, perhaps by a longer text.
        title: what the values are of: ``c of lstm, 128 units``.
        facts: how the page came about.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    jinja = Environment(
        loader=PackageLoader("manual_rnn.html_report", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    scale = np.abs(values).max(axis=0)  # each unit has all the colours, whatever its size
    relative = values / np.where(scale > 0, scale, 1)
    ordered = by_reading(list(found))
    steps = np.rint(relative[:STATIC_CHARACTERS] * STEPS).astype(int)
    units = [
        {"unit": one.unit, "name": one.name, "scale": f"{scale[one.unit]:.2g}",
         "shares": [[name, round(value, 2)] for name, value in sorted(one.shares.items(), key=lambda s: -s[1])]}
        for one in ordered
    ]  # fmt: skip
    groups = [
        (name or "none of these", len(list(members))) for name, members in groupby(ordered, key=lambda one: one.best)
    ]
    data = {
        "characters": [visible(c) for c in text],
        "units": units,
        "bytes": base64.b64encode(np.rint(relative * 127).astype(np.int8).T.tobytes()).decode(),
        "steps": STEPS,
    }
    return jinja.get_template("units.html").render(
        title=title, data=data, groups=groups, facts={**facts, **environment()}, step_range=range(-STEPS, STEPS + 1),
        STEPS=STEPS, characters=len(text),
        static=[(one, f"{scale[one.unit]:.2g}", coloured(text, steps[:, one.unit])) for one in _telling(ordered)],
    )  # fmt: skip


def _telling(ordered: Sequence[Followed]) -> list[Followed]:
    """The first of every reading, then the second of every, and so on: a dozen."""
    ranked = [
        (rank, one) for _, run in groupby(ordered, key=lambda one: one.best) for rank, one in enumerate(run)
    ]
    return [one for _, one in sorted(ranked, key=lambda pair: (pair[1].best is None, pair[0]))][:STATIC_UNITS]
