"""Gradient flossing on delayed XOR, the study file: what it measures, and that flossing does what it is for."""

import csv
import math
import runpy

import numpy as np
import pytest

from manual_rnn import initialise
from manual_rnn.studies.compute import compute
from manual_rnn.studies.plain import canonical
from manual_rnn.studies.study_file import load
from manual_rnn.studies.trial import Trial
from pages import ROOT

FILE = ROOT / "experiments/studies/gradient_flossing.py"
SMALL = {"delay": 4, "length": 30, "units": 16, "directions": 14, "flossing": 60, "updates": 400}


def values(seed=0, **configuration):
    study, _ = load(str(FILE))
    (found,) = compute(study.function, [Trial(canonical(SMALL | configuration), seed)])
    assert found.error == ""
    return found.values


def test_what_is_run_in_each_form():
    forms = {name: load(f"{FILE}:{name}")[0] for name in ("STUDY", "HOURS", "FULL")}
    assert {name: len(study.trials()) for name, study in forms.items()} == {"STUDY": 6, "HOURS": 45, "FULL": 180}
    assert len({study.name for study in forms.values()}) == 3


def test_flossing_makes_the_jacobians_better_conditioned_and_leaves_the_others_alone():
    for start in ("gaussian", "orthogonal"):
        found = values(start=start, updates=50)
        assert found["condition_start"] == found["condition_begin"] > 0.5
        assert found["kept_start"] == found["kept_begin"] < -0.1
    found = values(start="flossed", updates=50)
    assert found["condition_start"] < 0.8 * found["condition_begin"]
    assert found["kept_start"] > found["kept_begin"]
    assert 0 < found["right"] < 1


def test_a_short_delay_is_learnt():
    found = values(delay=2, start="gaussian", updates=750)
    assert found["solved"] == 1
    assert found["updates_to_half"] < found["updates_needed"] <= 750
    assert found["right"] > 0.99
    assert found["loss"] < math.log(2) / 2
    assert found["failed"] == 0


def test_what_has_no_time_to_learn_stays_on_the_floor():
    found = values(start="gaussian", delay=20, updates=60)
    assert found["solved"] == 0
    assert found["updates_needed"] == found["updates_to_half"] == math.inf
    assert found["loss"] == pytest.approx(math.log(2), abs=0.05)
    assert found["right"] == pytest.approx(0.5, abs=0.1)


def test_what_is_measured_is_known_of_a_multiple_of_an_orthogonal_matrix():
    """Where the states are near zero, ten steps keep gain¹⁰ of a gradient, in every direction alike."""
    of = runpy.run_path(str(FILE))
    params = initialise(of["RNN"], n_in=1, n_hidden=12, n_out=1, seed=0, recurrent="orthogonal", gain=0.9)
    params["U"] *= 1e-5
    found = of["measured"](params, "now", delay=10, directions=9)
    assert found["kept_now"] == pytest.approx(10 * math.log10(0.9), rel=1e-6)
    assert found["condition_now"] == pytest.approx(0, abs=1e-6)
    params["W"][1] = params["W"][0]
    assert math.isinf(of["measured"](params, "now", delay=10, directions=12)["condition_now"])


def rows():
    with (ROOT / "experiments/studies/results/gradient_flossing_hours.csv").open(encoding="utf-8") as file:
        trials = list(csv.DictReader(file))
    assert len(trials) == 45
    for delay in ("10", "20", "30"):
        for start in ("gaussian", "orthogonal", "flossed"):
            of = {"configuration.start": start, "configuration.delay": delay}
            these = [t for t in trials if of.items() <= t.items()]
            yield delay, start, lambda name, these=these: np.array([float(t[f"value.{name}"]) for t in these])


def test_the_table_of_the_page_is_that_of_the_saved_trials():
    page = (ROOT / "docs/sweeps.md").read_text(encoding="utf-8")
    for delay, start, of in rows():
        learnt, solved = of("updates_to_half"), of("solved")
        np.testing.assert_array_equal(np.isfinite(learnt), solved == 1)
        when = f"{np.median(learnt[solved == 1]):.0f}" if solved.any() else ""
        cells = [delay, start, f"{np.median(of('kept_start')):.1f}", f"{np.median(of('condition_start')):.1f}", when,
                 f"{solved.sum():.0f} of {solved.size}"]  # fmt: skip
        assert f"| {' | '.join(cells)} |" in page


def test_what_is_said_below_it_too():
    """That the others are on the floor, what a gradient keeps over 30 steps, and where the conditioning ends."""
    ends = []
    for delay, start, of in rows():
        assert not of("failed").any()
        stuck = of("solved") == 0
        np.testing.assert_allclose(of("loss")[stuck], math.log(2), atol=0.001)
        np.testing.assert_allclose(of("right")[stuck], 0.5, atol=0.01)
        ends += [*of("condition_end")] if start == "flossed" else []
        if delay == "30" and start != "orthogonal":
            kept = 10 ** np.median(of("kept_start"))
            assert kept == pytest.approx(0.4 if start == "flossed" else 1 / 30_000, rel=0.15)
    assert (round(min(ends)), round(max(ends))) == (7, 46)
