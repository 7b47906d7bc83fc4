"""Draws the figures of docs/sweeps.md from the trials that are saved beside their studies.

    python docs/draw_sweeps.py [FOLDER]

The trials are rows of experiments/studies/results/NAME.csv, as ``manual-rnn study report … --csv`` writes them, and the
figures are those of that command, so that a study of hours need not be run again to be drawn. One is made for the page:
what the gradients were before the first update, against what was learnt.
"""

import csv
import sys
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn.figures import headline, write_figure
from manual_rnn.studies import summarise
from manual_rnn.studies.drawing import drawings
from manual_rnn.studies.record import Record
from manual_rnn.studies.study_file import load

ROOT = Path(__file__).parents[1]
STUDIES = ROOT / "experiments" / "studies"
DRAWN = {
    "temporal_order.py:HOURS": ("solved", "loss"),
    "long_memory.py:HOURS": ("updates_needed",),
}
"""By study, the numbers whose figures the page shows."""
LONGEST = 80
BESIDE = {"orthogonal tanh": (0, 11), "Gaussian tanh": (0, -14), "chrono LSTM": (0, -13), "LSTM": (0, -15),
          "GRU": (0, -14), "IRNN": (-26, 0)}  # fmt: skip
"""Where a name stands, in points from its seeds; the others at the right."""


def records(study):
    """The saved trials, in the study's order. Raises KeyError for one that is not saved."""
    with (STUDIES / "results" / f"{study.name}.csv").open(encoding="utf-8") as file:
        rows = {}
        for row in csv.DictReader(file):
            settings = {name: text for name, text in row.items() if name.startswith("configuration.")}
            rows[frozenset(settings.items()), row["seed"]] = row
    found = []
    for trial in study.trials():
        settings = {f"configuration.{name}": str(value) for name, value in trial.configuration.items()}
        row = rows[frozenset(settings.items()), str(trial.number)]
        values = {name.removeprefix("value."): float(text) for name, text in row.items() if name.startswith("value.")}
        found.append(Record(trial, values, row["code"], None))
    return found


def start_and_end(found, theme):
    """A panel for each task: every seed, and the name of each start beside the middle of its seeds."""
    figure = Figure(figsize=(5.6, 7.2), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True, sharey=True)
    for axes, task in zip(panels, ("adding", "copying"), strict=True):
        axes.axhline(1, ls="--", lw=1, color=theme.ink)
        by_start = {}
        for record in found:
            configuration = record.trial.configuration
            if (configuration["task"], configuration["length"]) == (task, LONGEST):
                by_start.setdefault(configuration["start"], []).append(record.values)
        for start, seeds in by_start.items():
            x = np.exp([values["log_ratio"] for values in seeds])
            y = np.array([values["loss"] / values["floor"] for values in seeds])
            colour = theme.colours[0 if "tanh" in start else 2 if start.endswith(("LSTM", "GRU")) else 4]
            axes.plot(x, y, "o", ms=5, mew=0, alpha=0.8, color=colour)
            at = np.exp(np.log(x).mean()), np.exp(np.log(y).mean())
            axes.annotate(start, at, BESIDE.get(start, (8, 0)), textcoords="offset points", va="center", color=colour,
                          ha="center" if start in BESIDE else "left")  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
    panels[0].set_xlim(1e-12, 1e4)
    panels[0].set_ylim(0.0015, 4)
    panels[0].annotate("remembers nothing", (1e-12, 1), (4, -12), textcoords="offset points", size=9.5)
    headline(panels[0], "Gradients that vanish do not tell who learns", f"adding, {LONGEST} steps: loss / floor")
    panels[1].set_title(f"copying, {LONGEST} steps: loss / floor", loc="left", size=11)
    panels[1].set_xlabel("‖∂L/∂h(1)‖ / ‖∂L/∂h(T)‖ before the first update")
    return figure


def main(folder=ROOT / "docs" / "figures"):
    for name, wanted in DRAWN.items():
        study, _ = load(str(STUDIES / name))
        found = records(study)
        drawn = drawings(study.name, summarise(found), study.floors)
        for value in wanted:
            write_figure(drawn[value], folder / f"{study.name}-{value}", png=False)
    write_figure(partial(start_and_end, found), folder / "long_memory_hours-start", png=False)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
