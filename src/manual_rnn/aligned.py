"""Rows of words as a table to be read: columns as wide as their widest word, two spaces between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def aligned(rows: Iterable[Sequence[str]], *, numbers_from: int | None = None) -> str:
    """The lines, with no space at their ends; the columns from ``numbers_from`` on stand at the right."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first = len(widths) if numbers_from is None else numbers_from
    return "\n".join(
        "  ".join(
            word.ljust(width) if k < first else word.rjust(width)
            for k, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
