"""A finished trial as the bytes of its file: what was run, what came out, by which code, and a checksum of it all.

The same trial gives the same bytes wherever it ran; when, where and how long stands in the record of the run
(:mod:`manual_rnn.studies.run_log`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manual_rnn.studies.plain import Value, canonical, read_back, written
from manual_rnn.studies.trial import Trial

FORMAT = 1


class Corrupt(Exception):
    """A file of results does not hold what was written to it."""


@dataclass(frozen=True)
class Record:
    """One result."""

    trial: Trial
    values: Mapping[str, Value]
    code: str
    """The version of the study's function (:mod:`manual_rnn.studies.version`)."""
    commit: str | None
    """The git commit of manual_rnn, None where it is no checkout."""

    def to_bytes(self) -> bytes:
        """The file's content: one JSON document."""
        content = {
            "version": FORMAT,
            "configuration": self.trial.configuration,
            "seed": self.trial.number,
            "values": {name: written(value) for name, value in self.values.items()},
            "code": self.code,
            "commit": self.commit,
        }
        return (canonical({**content, "sha256": _checksum(content)}) + "\n").encode()

    @classmethod
    def from_bytes(cls, given: bytes, key: str) -> Record:
        """What the bytes hold. Raises Corrupt where they are not whole, were changed, or are another trial's."""
        try:
            content: dict[str, Any] = json.loads(given)
            checksum = content.pop("sha256")
            if checksum != _checksum(content):
                raise Corrupt("its checksum does not fit its content")
            trial = Trial(canonical(content["configuration"]), content["seed"])
            values = {name: read_back(value) for name, value in content["values"].items()}
            record = cls(trial, values, content["code"], content["commit"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Corrupt("it is not the JSON that a study writes") from error
        if trial.key != key:
            raise Corrupt("it is the result of another trial")
        return record


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(content).encode()).hexdigest()
