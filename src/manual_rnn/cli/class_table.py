"""The verdicts on a class: one row a file on stdout, and the same as CSV."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from manual_rnn.cli.failed import Failed
from manual_rnn.cli.verdict import Verdict, word_of
from manual_rnn.errors import InputError
from manual_rnn.files import write_whole

FIRST = 3
"""Wrong equations, or gradients, that a row names."""
WIDTH_IN_A_PIPE = 160
COLUMNS = ("target", "verdict", "wrong_equations", "diagnosis", "examples")
STYLES = {"agrees": None, "WRONG": "bold red", "failed": "yellow"}


def in_one_sentence(target: Verdict) -> str:
    """What a row says: what happened, or the mistake if it was found, or else what is wrong."""
    said = [" ".join(sentence.split()) for sentence in target.diagnosis]
    only_that = re.compile(r"\w+ \(\w+\) is wrong: fed with|.* came out wrong too, but only from wrong input")
    return next((sentence for sentence in said if not only_that.match(sentence)), said[0] if said else "")


def show_class(targets: Sequence[Verdict], seconds: float, setting: str) -> None:
    """Prints the table, and how many of each verdict below; above it ``setting``, where that is not as by default."""
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=WIDTH_IN_A_PIPE)
    if setting:
        console.print(f"judged with {setting}")
    table = Table(box=None, pad_edge=False)
    table.add_column("target", overflow="fold", no_wrap=not console.is_terminal)
    table.add_column("verdict")
    table.add_column("wrong by itself", overflow="fold")
    table.add_column("what is to be said", overflow="fold")
    for target in targets:
        word = word_of(target)
        cells = (target.name, word, _first_wrong(target), _without_name(in_one_sentence(target), target.name))
        table.add_row(*map(Text, cells), style=STYLES[word])
    console.print(table)
    words = [word_of(target) for target in targets]
    counts = ", ".join(
        f"{words.count(word)} {said}"
        for word, said in (("agrees", "agree"), ("WRONG", "WRONG"), ("failed", "failed"))
        if word in words
    )
    all_agree = set(words) <= {"agrees"}
    console.print(
        f"{len(words)} targets: {counts}, {seconds:.1f} s", style="bold green" if all_agree else "bold red"
    )


def check_csv(path: Path) -> None:
    """Raises InputError if no such file can be written: before anything is judged."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; --csv is given a file.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} for the file of --csv.")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"The folder {path.parent} for the file of --csv cannot be written to.")


def write_csv(path: Path, targets: Iterable[Verdict], setting: str) -> None:
    """A row a target, in UTF-8; the file is there whole or not at all.

    ``setting`` is what all of them were judged with, in words, where it is not as by default.
    """
    file = io.StringIO()
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    for target in targets:
        examples = 0 if isinstance(target, Failed) else target.total.examples
        sentence = in_one_sentence(target)
        name = f"{target.name} with {setting}" if setting else target.name  # as above the table of a cell
        rows.writerow((name, word_of(target), " ".join(target.blame), sentence, examples))
    try:
        write_whole(path, file.getvalue().encode())
    except OSError as error:
        raise InputError(f"{path} could not be written: {error.strerror or error}.") from error


def _first_wrong(target: Verdict) -> str:
    wrong = target.blame
    return ", ".join(wrong[:FIRST]) + (f" and {len(wrong) - FIRST} more" if len(wrong) > FIRST else "")


def _without_name(sentence: str, name: str) -> str:
    """The row begins with the name: its sentence need not."""
    return sentence.removeprefix(f"{name} ")
