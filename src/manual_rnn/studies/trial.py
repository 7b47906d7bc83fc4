"""One configuration with one of the study's seeds: what is run once, and kept under one key.

"Trial", as tuners of hyper-parameters have it; a "cell" is a recurrent cell everywhere in this package.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_rnn.studies.plain import canonical

KEY_DIGITS = 32
"""Hexadecimal digits of a key: 128 bits, so that no two configurations will ever meet."""


@dataclass(frozen=True)
class Trial:
    """What is run once."""

    text: str
    """The configuration as canonical JSON."""
    number: int
    """Which of the study's seeds: 0, 1, 2, …"""

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration, a new mapping each time."""
        read: dict[str, Any] = json.loads(self.text)
        return read

    @property
    def key(self) -> str:
        """The hash of configuration and seed, under which the result is kept; nothing else enters it."""
        content = canonical({"configuration": self.configuration, "seed": self.number})
        return hashlib.sha256(content.encode()).hexdigest()[:KEY_DIGITS]

    @property
    def seed(self) -> int:
        """The seed that the function is given, of 63 bits: spread by NumPy's SeedSequence from the key.

        So it hangs on the configuration and the number alone: not on what other trials there are, nor on their order.
        """
        spread = np.random.SeedSequence(int(self.key, 16)).generate_state(1, np.uint64)
        return int(spread[0] >> np.uint64(1))
