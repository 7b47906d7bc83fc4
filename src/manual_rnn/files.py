"""A file that is there whole or not at all: whoever reads finds the new content, or the one before."""

from __future__ import annotations

import os
from pathlib import Path


def beside(path: Path) -> Path:
    """The temporary file of this process beside a file's place."""
    return path.with_name(f".{path.name[:100]}.{os.getpid()}.tmp")


def write_whole(path: Path, content: bytes) -> None:
    """Puts the whole content in the place of what was there or, where that raises OSError, leaves what was there."""
    temporary = beside(path)
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
