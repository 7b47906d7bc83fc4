"""``manual-rnn study report``: the table, the figures, every trial as a row of CSV or Parquet."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING

from manual_rnn.cli.study import Flag, store_of, tell
from manual_rnn.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from manual_rnn.studies.record import Record
    from manual_rnn.studies.store import Store
    from manual_rnn.studies.study import Study
    from manual_rnn.studies.summary import Summary
    from manual_rnn.studies.survey import Survey


def report(
    file: str,
    /,
    *,
    out: Path | None = None,
    csv: Path | None = None,
    parquet: Path | None = None,
    figures: bool = True,
    json: Flag = False,
) -> int:
    """Print means over seeds with their 95 % intervals by configuration; draw them into the folder's figures/.

    Args:
        file: The study file.
        out: The folder of the results; out/NAME, after the study's name, if not given.
        csv: Write every trial as a row of a CSV file.
        parquet: Write every trial as a row of a Parquet file; needs manual-rnn[parquet].
        figures: Draw the figures; needs manual-rnn[figures].
        json: One JSON document on stdout.
    """
    from manual_rnn.studies import export, summarise, survey
    from manual_rnn.studies.run_log import seconds_by_key
    from manual_rnn.studies.study_file import load
    from manual_rnn.studies.table import rows, table

    study, code = load(file)
    store = store_of(study, out)
    found = survey(study, store, code)
    records, unusable = _read(study, store, found)
    if not records:
        sentence = f"{store.path} has no results of the study {study.name!r}; 'manual-rnn study run {file}' makes some."
        raise InputError(sentence)
    for sentence in unusable:
        tell(f"{sentence} 'manual-rnn study run {file}' does it anew.")
    if missing := found.trials - len(records):
        tell(f"{missing} of {found.trials} trials have no result and are left out.")
    if found.changed:
        tell(f"{len(found.changed)} of the results were made before the study's function was changed (or manual_rnn).")
    summaries = summarise(records)
    if csv is not None or parquet is not None:
        exported = export.rows(records, seconds_by_key(store.path))
        if csv is not None:
            export.write_csv(exported, csv)
        if parquet is not None:
            export.write_parquet(exported, parquet)
    if json:
        counts = {"trials": found.trials, "results": len(records), "changed": len(found.changed)}
        told = {"version": 1, "study": study.name, **counts, "configurations": rows(summaries)}
        print(json_format.dumps(told, allow_nan=False))
    else:
        print(table(summaries))
    if figures:
        drawn = _draw(study.name, summaries, study.floors, store)
        if drawn and not json:
            print(f"{', '.join(drawn)}: figures in {store.path / 'figures'}.")
    return 0


def _read(study: Study, store: Store, found: Survey) -> tuple[list[Record], list[str]]:
    """(the results in the study's order, a sentence for each file that is corrupt)"""
    from manual_rnn.studies.record import Corrupt

    records, unusable = [], []
    results = found.results
    for entry in [results[trial] for trial in study.trials() if trial in results]:
        try:
            records.append(store.read(entry))
        except Corrupt as error:
            unusable.append(str(error))
    return records, unusable


def _draw(name: str, summaries: list[Summary], floors: Mapping[str, float | str], store: Store) -> list[str]:
    """The names of what was drawn."""
    from manual_rnn.figures import write_figure
    from manual_rnn.studies.drawing import drawings

    drawn = []
    try:
        for value, draw in drawings(name, summaries, floors).items():
            stem = "".join(letter if letter.isalnum() or letter in "_-." else "_" for letter in value)
            write_figure(draw, store.path / "figures" / stem)
            drawn.append(value)
    except ModuleNotFoundError as error:
        tell(f"{error} --no-figures leaves them out.")
    except OSError as error:
        raise InputError(f"{store.path / 'figures'} cannot be written: {error.strerror}.") from None
    return drawn
