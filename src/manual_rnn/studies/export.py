"""Every trial as a row: CSV, or Parquet with the extra "parquet".

Columns: ``configuration.NAME``, ``seed``, ``value.NAME``, ``seconds`` (the time that it took) and ``code``. Lists are
lists in Parquet and JSON in CSV; mappings, and what no column of one type holds, are JSON in both.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manual_rnn.errors import InputError
from manual_rnn.files import write_whole
from manual_rnn.studies.plain import canonical, written
from manual_rnn.studies.record import Record

Row = dict[str, Any]


def rows(records: Sequence[Record], seconds: Mapping[str, float]) -> list[Row]:
    """A row for each result; each has all columns, None where a trial has nothing for one."""
    found = [
        {f"configuration.{name}": value for name, value in record.trial.configuration.items()}
        | {"seed": record.trial.number}
        | {f"value.{name}": value for name, value in record.values.items()}
        | {"seconds": seconds.get(record.trial.key), "code": record.code}
        for record in records
    ]
    order = ("configuration.", "seed", "value.", "seconds", "code")
    names = sorted(dict.fromkeys(name for row in found for name in row), key=lambda n: _place(n, order))
    return [{name: row.get(name) for name in names} for row in found]


def _place(name: str, order: Sequence[str]) -> int:
    return next(i for i, begin in enumerate(order) if name.startswith(begin))


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Raises InputError where the file cannot be written."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow([_text(value) if isinstance(value, list | dict) else value for value in row.values()])
    _write(path, text.getvalue().encode(errors="backslashreplace"))


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Raises InputError where pyarrow is not installed, or the file cannot be written."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise InputError(
            'Parquet needs pyarrow, which is not installed; it comes with: pip install "manual-rnn[parquet]". '
            "--csv needs nothing."
        ) from None
    columns = {}
    for name in rows[0]:
        column = [row[name] for row in rows]
        told = [None if value is None else _text(value) for value in column]
        if any(map(_has_mapping, column)):  # Parquet knows no empty mapping, and fills the names of all into each
            columns[name] = arrow.array(told)
            continue
        try:
            columns[name] = arrow.array(column)
        except (arrow.ArrowException, OverflowError, UnicodeEncodeError):
            columns[name] = arrow.array(told)  # numbers in one trial and something else in another, or of over 64 bits
    buffer = io.BytesIO()
    parquet.write_table(arrow.table(columns), buffer)
    _write(path, buffer.getvalue())


def _has_mapping(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_has_mapping, value)))


def _text(value: Any) -> str:
    return canonical(written(value))


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None
