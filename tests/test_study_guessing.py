"""Random guessing, the control: what the page says is what was saved, and a guess that solves the latch does."""

import csv
import math
import runpy
import statistics

import numpy as np
import pytest

from manual_rnn import cells, tasks
from manual_rnn.studies.compute import compute
from manual_rnn.studies.plain import canonical
from manual_rnn.studies.study_file import load
from manual_rnn.studies.trial import Trial
from manual_rnn.tasks.learning import answers
from pages import ROOT

FILE = ROOT / "experiments/studies/latch_guessing.py"
PAGE = (ROOT / "docs/sweeps.md").read_text(encoding="utf-8")


def saved(name, length):
    with (ROOT / f"experiments/studies/results/{name}.csv").open(encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file) if row["configuration.length"] == str(length)]
    assert len(found) == 5
    return found


@pytest.mark.parametrize("length", [10, 20, 50])
def test_temporal_order_is_not_guessed(length):
    trials = saved("temporal_order_guessing", length)
    right = 100 * statistics.mean(float(trial["value.right"]) for trial in trials)
    assert sum(float(trial["value.solved"]) for trial in trials) == 0
    assert {trial["configuration.trials"] for trial in trials} == {"1000"}
    assert f"| {length} | {right:.1f} % | 0 of 5,000 |" in PAGE


@pytest.mark.parametrize("length", [50, 100, 500])
def test_the_latch_is(length):
    trials = saved("latch_guessing", length)
    solved = round(1000 * sum(float(trial["value.share"]) for trial in trials))
    needed = statistics.median(float(trial["value.guesses_needed"]) for trial in trials)
    assert f"| {length} | {solved} of 5,000 | {needed:.0f} |" in PAGE


def test_one_in_140_is_what_the_tables_say():
    shares = [float(trial["value.share"]) for length in (50, 100, 500) for trial in saved("latch_guessing", length)]
    assert 1 / statistics.mean(shares) == pytest.approx(140, rel=0.02)
    assert "about one guess in 140" in " ".join(PAGE.split())


def test_a_trial_counts_and_is_what_its_seed_decides():
    study, _ = load(str(FILE))
    trial = Trial(canonical({"length": 50, "guesses": 60, "sequences": 100}), 0)
    (found,), (again,) = (compute(study.function, [trial]) for _ in range(2))
    assert found.error == ""
    assert found.values == again.values
    assert 60 * found.values["share"] == pytest.approx(round(60 * found.values["share"]))
    assert (found.values["share"] == 0) == (found.values["guesses_needed"] == math.inf)


def test_one_unit_that_holds_what_it_saw_first_is_a_latch():
    params = {"W": [[9.0]], "U": [[3.0]], "b": [0.0], "V": [[runpy.run_path(str(FILE))["READOUT"]]], "c": [0.0]}
    task = tasks.latch(200)
    batch = task.draw(500, seed=1)
    o = answers(cells.get("rnn"), {name: np.array(value) for name, value in params.items()}, batch.x)
    assert task.solved(o, batch).all()
