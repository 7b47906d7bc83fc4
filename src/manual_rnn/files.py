"""A file that is there whole or not at all: whoever reads finds the new content, or the one before."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4


def beside(path: Path) -> Path:
    """A temporary file beside a file's place that no other writer has: no thread, process or machine on the folder."""
    return path.with_name(f".{path.name[:100]}.{uuid4().hex}.tmp")


def write_whole(path: Path, content: bytes) -> None:
    """Puts the whole content in the place of what was there or, where that raises OSError, leaves what was there."""
    temporary = beside(path)
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
