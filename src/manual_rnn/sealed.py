"""Arrays and a JSON document in one safetensors file, with a checksum of all of it; reading runs no code of the file.

The document is one entry of the file's metadata: safetensors writes several in random order, and equal content is to
give equal bytes. The checksum is of what the file means, each array with its name, dtype and shape, and the document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np

from manual_rnn.cell import Array

KEY = "manual_rnn"
UNSEALED = {"format", "update"}
"""What the metadata of a file without a document may hold: torch writes the one, runs of before had the other."""


class Corrupt(Exception):
    """A file does not hold what was written to it; says what it is instead, in words that follow a colon."""


def sealed(tensors: Mapping[str, Array], document: Mapping[str, Any]) -> bytes:
    """The content of a file with these arrays and this document, whose entries are JSON's types."""
    from safetensors.numpy import save

    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    document = {**document, "sha256": _checksum(tensors, document)}
    return save(tensors, metadata={KEY: _json(document)})


def unsealed(content: bytes) -> tuple[dict[str, Array], dict[str, Any] | None]:
    """The arrays and the document, None where the file has none: it is somebody else's, and has no checksum.

    Raises Corrupt where the content is no safetensors file, or is not what was written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
        if set(metadata) <= UNSEALED:
            return tensors, None
        document = json.loads(metadata[KEY])
        checksum = document.pop("sha256")
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error).rstrip(".") if isinstance(error, SafetensorError) else "it is not what a training writes"
        raise Corrupt(why) from None
    if checksum != _checksum(tensors, document):
        raise Corrupt("its checksum does not fit its content")
    return tensors, document


def _checksum(tensors: Mapping[str, Array], document: Mapping[str, Any]) -> str:
    total = sha256(_json(document).encode())
    for name in sorted(tensors):
        array = tensors[name]
        total.update(_json([name, array.dtype.str, array.shape]).encode())
        total.update(array.tobytes())
    return total.hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False)  # in the order that it has, which reading keeps
