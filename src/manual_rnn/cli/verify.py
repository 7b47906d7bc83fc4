"""``manual-rnn verify``: each equation of a cell against the reference, and whole gradients end to end."""

from __future__ import annotations

import json as jsonlib
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

if TYPE_CHECKING:
    from manual_rnn.cli.verdict import Judged


def verify(
    *targets: str,
    examples: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    seed: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 0,
    loss: str = "softmax",
    layers: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    bidirectional: Annotated[bool, Parameter(negative=())] = False,
    learned_initial: Annotated[bool, Parameter(negative=())] = False,
    resets: Annotated[bool, Parameter(negative=())] = False,
    dropout: Annotated[bool, Parameter(negative=())] = False,
    json: bool = False,
    csv: Path | None = None,
    time_limit: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 30.0,
    memory_limit: Annotated[float | None, Parameter(validator=validators.Number(gte=0))] = None,
    report: Annotated[Path | None, Parameter(negative=())] = None,
) -> int:
    """Compare hand-derived gradients with exact ones: of a cell, every equation alone, at every step, and the whole
    gradient; of a backward pass of any form, the whole gradient.

    Exit code 0: all agree. 1: some gradient disagrees; the table says which, where, and by how much.
    4: none disagrees, but the code of a target failed: an exception, a crash, the time limit.

    Parameters
    ----------
    targets
        Built-in cells (rnn, rnn_relu, ...), path/to/file.py:NAME or module:NAME, NAME being a manual_rnn.Cell, a
        manual_rnn.testing.Target (a whole backward pass) or StepTarget (a step). None: all built-in cells.
        ``students/*.py:NAME`` stands for each file that matches. Code of your own runs in a process of its own; several
        files, or a pattern, are a class: one row each, and one that fails spoils no other.
    examples
        Cases drawn for each target, in even shares over the families. By default 300 for a cell, and for a whole
        backward pass 12, two of each shape.
    seed
        The same seed draws the same cases.
    loss
        The loss that a cell is judged with: softmax, squared, or bernoulli. A Target says its own.
    layers
        How many layers of the cell are judged, one above the other.
    bidirectional
        Each layer goes through the sequence in both directions.
    learned_initial
        The states that sequences start from are parameters.
    resets
        Sequences begin in mid-array, and have lengths of their own.
    dropout
        What a layer hands to the one above is masked.
    json
        One JSON document on stdout, and no table.
    csv
        A file for the verdicts, a row a target, beside the table or the JSON document. Behind the target's
        name stands what it was judged with, where that is not as by default: gru with 2 layers.
    time_limit
        Seconds that code of your own may take to load, and again for each group of up to 64 cases of a cell, or for
        each call of a backward pass and each case of the forward pass that it is held against. 0: no limit.
    memory_limit
        Gigabytes that each process with code of your own may take, on Linux. 0: no limit. Unless you say otherwise, an
        even share of the machine's memory, and not less than 2.
    report
        Also write the verdict as a page, FILE.html: equations, error by time step, diagnosis. One file that needs no
        network; a file that is there is replaced.
    """
    from manual_rnn.cli.class_table import check_csv, show_class, write_csv
    from manual_rnn.cli.class_targets import expand
    from manual_rnn.cli.counting import counting
    from manual_rnn.cli.failed import Failed
    from manual_rnn.cli.judge_cell import EXAMPLES
    from manual_rnn.cli.setting import Setting
    from manual_rnn.cli.verdict import exit_code
    from manual_rnn.cli.verify_own import judge_all
    from manual_rnn.cli.verify_table import show
    from manual_rnn.html_report.place import check_place

    setting = Setting(loss, layers, bidirectional, learned_initial, resets, dropout)
    setting.check()
    chosen = expand(targets)  # what can be wrong about a target's name is said before the first one is judged
    if csv is not None:
        check_csv(csv)
    if report is not None:
        check_place(report)
    start = time.monotonic()
    with counting("judging", (examples or EXAMPLES) * len(chosen.names), "cases") as progress:
        verdicts = judge_all(
            chosen,
            examples=examples,
            seed=seed,
            setting=setting,
            time_limit=time_limit,
            memory_limit=memory_limit,
            progress=progress,
        )
    seconds = time.monotonic() - start
    if csv is not None:
        write_csv(csv, verdicts, setting.words)
    judged = [found for found in verdicts if not isinstance(found, Failed)]
    if report is not None:
        _write_page(report, judged, [found.name for found in verdicts if isinstance(found, Failed)], seed, seconds)
        if len(judged) < len(verdicts):
            print(f"Not in it: {len(verdicts) - len(judged)} targets that failed.", file=sys.stderr)
    if json:
        document = {
            "version": 1,
            "agree": all(found.agree for found in verdicts),
            "seconds": round(seconds, 3),
            "targets": [found.as_dict() for found in verdicts],
        }
        print(jsonlib.dumps(document, allow_nan=False))
    elif chosen.are_a_class:
        show_class(verdicts, seconds, setting.words)
    else:
        show(judged, seconds)
    return exit_code(verdicts)


def _write_page(path: Path, reports: Sequence[Judged], failed: Sequence[str], seed: int, seconds: float) -> None:
    from manual_rnn.html_report import render, write

    facts = {
        "command": shlex.join(["manual-rnn", *sys.argv[1:]]),
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "seed": str(seed),
        "BLAS threads while judging": "1",
    }
    if failed:
        facts["failed, so not on this page"] = ", ".join(failed)
    write(path, render(reports, facts=facts, seconds=seconds))
    print(f"The report is in {path}", file=sys.stderr)
