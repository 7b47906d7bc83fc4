"""Temporal order by length, the study file: its trials learn, fail and guess as their methods say."""

import csv
import math
import runpy

import numpy as np
import pytest

from manual_rnn import tasks
from manual_rnn.studies.compute import compute
from manual_rnn.studies.plain import canonical
from manual_rnn.studies.study_file import load
from manual_rnn.studies.trial import Trial
from pages import ROOT

FILE = ROOT / "experiments/studies/temporal_order.py"


def values(function, seed=0, **configuration):
    (found,) = compute(function, [Trial(canonical(configuration), seed)])
    assert found.error == ""
    return found.values


def test_what_is_run_in_each_form():
    forms = {name: load(f"{FILE}:{name}")[0] for name in ("STUDY", "HOURS", "FULL", "GUESSING")}
    assert {name: len(study.trials()) for name, study in forms.items()} == {
        "STUDY": 18, "HOURS": 81, "FULL": 225, "GUESSING": 15,
    }  # fmt: skip
    assert len({study.name for study in forms.values()}) == 4


@pytest.mark.parametrize("method", ["SGD", "SGD-C", "SGD-CR"])
def test_ten_steps_are_learnt_from_the_smart_start(method):
    study, _ = load(str(FILE))
    found = values(study.function, length=10, start="smart tanh", method=method, updates=1500, sequences=200)
    assert found["solved"] == 1
    assert 0 < found["updates_needed"] <= 1500
    assert found["wrong"] == 0
    assert found["loss"] < math.log(4) / 2


def test_what_has_no_time_to_learn_stays_on_the_floor():
    study, _ = load(str(FILE))
    found = values(study.function, length=50, start="sigmoid", method="SGD-C", updates=150, sequences=100)
    assert found["solved"] == 0
    assert found["updates_needed"] == math.inf
    assert found["loss"] == pytest.approx(math.log(4), abs=0.03)
    assert found["wrong"] > 0.5


def test_guessing_is_right_as_often_as_chance():
    study, _ = load(f"{FILE}:GUESSING")
    found = values(study.function, length=20, trials=60, sequences=50)
    assert found["right"] == pytest.approx(0.25, abs=0.03)
    assert found["solved"] == 0


def test_the_starts_are_those_of_the_paper():
    started, task = runpy.run_path(str(FILE))["started"], tasks.temporal_order(10)
    for start, deviation in (("sigmoid", 0.01), ("basic tanh", 0.1)):
        _, params = started(start, task, 0)
        assert params["W"].std() == pytest.approx(deviation, rel=0.05)
    _, smart = started("smart tanh", task, 0)
    assert (np.count_nonzero(smart["W"], axis=1) == 15).all()
    assert np.abs(np.linalg.eigvals(smart["W"])).max() == pytest.approx(0.95, rel=1e-5)



def test_the_table_of_the_page_is_that_of_the_saved_trials():
    page = (ROOT / "docs/sweeps.md").read_text(encoding="utf-8")
    with (ROOT / "experiments/studies/results/temporal_order_hours.csv").open(encoding="utf-8") as file:
        trials = list(csv.DictReader(file))
    assert len(trials) == 81
    for start in ("sigmoid", "basic tanh", "smart tanh"):
        for method in ("SGD", "SGD-C", "SGD-CR"):
            solved = []
            for length in ("20", "50", "100"):
                of = {"configuration.start": start, "configuration.method": method, "configuration.length": length}
                shares = [float(t["value.solved"]) for t in trials if of.items() <= t.items()]
                solved.append(f"{sum(shares):.0f} of {len(shares)}")
            assert f"| {start} | {method} | {' | '.join(solved)} |" in page
    stuck = [float(t["value.loss"]) for t in trials if float(t["value.wrong"]) > 0.7]
    assert np.median(stuck) == pytest.approx(math.log(4), abs=0.005)
