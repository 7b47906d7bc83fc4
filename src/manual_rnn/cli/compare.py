"""``manual-rnn compare``: trained models beside each other."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from manual_rnn.aligned import aligned
from manual_rnn.errors import InputError, UsageError

if TYPE_CHECKING:
    from manual_rnn.run_history import History


def compare(
    *runs: Path,
    figure: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Compare trained models: what they were told that is not the same, and how well they learnt; the best first.

    Losses are of the validation set, in nats per character, at the evaluation where they were lowest.

    Args:
        runs: Run folders that 'manual-rnn train' made, two or more.
        figure: A stem: writes the learning curves to STEM-light.svg, STEM-dark.svg and STEM.png.
        json: Print one JSON document, with every evaluation.
    """
    from manual_rnn.figures import write_figure
    from manual_rnn.run_history import read

    if len(runs) < 2:
        raise UsageError(f"{len(runs) or 'No'} run folder{'' if len(runs) == 1 else 's'} to compare; name two or more.")
    histories = sorted((read(run) for run in runs), key=lambda history: history.best["val_nats"])
    if figure:
        try:
            write_figure(lambda theme: _drawn(histories, theme), figure)
        except ModuleNotFoundError as error:
            raise InputError(str(error)) from None
        except OSError as error:
            raise InputError(f"{figure} cannot be written: {error.strerror}.") from None
    of_one_text = len({history.text for history in histories}) == 1
    if json:
        told = [{"run": str(h.path), "options": h.options, "parameters": h.parameters, "best": h.best,
                 "evaluations": h.lines} for h in histories]  # fmt: skip
        print(json_format.dumps({"version": 1, "same_text": of_one_text, "runs": told}))
        return 0
    print(_table(histories))
    if not of_one_text:
        print("\nThe texts are not the same, so neither are the validation sets: the losses cannot be compared.")
    elif "eval_chars" in varying(histories):
        print("\n--eval-chars is not the same: the losses are of different parts of the validation set.")
    return 0


def _table(histories: Sequence[History]) -> str:
    different = varying(histories)
    told = [name.replace("_", "-") for name in different]
    rows = [["run", *told, "parameters", "nats", "bits", "at update", "after s"]]
    for history in histories:
        best = history.best
        rows.append([
            str(history.path), *(_shown(history.options.get(name)) for name in different), f"{history.parameters:,}",
            f"{best['val_nats']:.3f}", f"{best['val_bits_per_char']:.3f}", f"{best['update']:.0f} of "
            f"{history.lines[-1]['update']:.0f}", f"{best['seconds']:.0f}",
        ])  # fmt: skip
    return aligned(rows, numbers_from=1 + len(different))


def varying(histories: Sequence[History]) -> list[str]:
    """The options that are not the same in all."""
    names = dict.fromkeys(name for history in histories for name in history.options)
    return [name for name in names if len({_shown(history.options.get(name)) for history in histories}) > 1]


def _shown(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _drawn(histories: Sequence[History], theme: Any) -> Any:
    """Validation loss by update and by time; each curve's name stands at its end."""
    from matplotlib.figure import Figure

    from manual_rnn.figures import headline, label_ends

    drawing = Figure(figsize=(5.6, 7.2), layout="constrained")
    titles = {"update": ("Learning by update", "updates"), "seconds": ("Learning by time", "seconds of training")}
    for axes, (of, (title, label)) in zip(drawing.subplots(2, 1), titles.items(), strict=True):
        headline(axes, title, "validation loss (nats per character)")
        ends, last = [], max(history.lines[-1][of] for history in histories)
        for k, history in enumerate(histories):
            colour = theme.colours[k % len(theme.colours)]
            x, y = ([line[name] for line in history.lines] for name in (of, "val_nats"))
            axes.plot(x, y, "o-", ms=3, lw=2, color=colour)
            axes.plot([x[-1], last], [y[-1], y[-1]], ":", lw=1, color=colour)
            ends.append(y[-1])
        axes.set(xlabel=label, xlim=(0, last))
        axes.set_ylim(*axes.get_ylim())
        colours = [theme.colours[k % len(theme.colours)] for k in range(len(histories))]
        label_ends(axes, last, ends, [history.path.name or str(history.path) for history in histories], colours)
    return drawing
