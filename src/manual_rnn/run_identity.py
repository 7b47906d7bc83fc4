"""Which run a file belongs to: a hash of what decides a run's numbers, in every file that is read again.

It is what keeps the files of two runs from being taken for one: weights beside another vocabulary would be a model
that nobody trained. Two runs with the same options on the same text are the same to the last bit, and have one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from manual_rnn.options import ADDED, CHANGEABLE


def identity(config: Mapping[str, Any], characters: str) -> str:
    """Of config.json's content and the vocabulary's characters. Raises KeyError or TypeError: it is no such content."""
    options = {
        name: value for name, value in config["options"].items()
        # An option that came later is told where it says something else than what was done before it came.
        if name not in CHANGEABLE and not (name in ADDED and value == ADDED[name])
    }  # fmt: skip
    told = {"options": options, "text": config["text"]["sha256"], "characters": characters}
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
