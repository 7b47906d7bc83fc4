"""The study file of the repository: it loads, its trials are those of the library, and near what theory says."""

import pytest

from manual_rnn import diagnostics
from manual_rnn.studies.compute import compute
from manual_rnn.studies.study_file import load
from pages import ROOT

FILE = ROOT / "experiments/studies/gain_and_noise.py"


def test_a_trial_is_the_librarys_measurement_and_near_the_theory():
    study, _ = load(str(FILE))
    trials = study.trials()
    assert (study.name, len(trials)) == ("gain_and_noise", 11 * 6 * 4)
    (found,) = compute(study.function, [next(t for t in trials if t.configuration["gain"] == 1.4)])
    assert found.error == ""
    norms = diagnostics.norms_by_lag(
        100, networks=4, gain=1.4, input_std=0.05, steps=60,
        seed=next(t for t in trials if t.configuration["gain"] == 1.4).seed,
    )  # fmt: skip
    assert found.values["slope"] == diagnostics.typical_slope(norms[:, 10:]).value  # the same bits
    assert found.values["deviation"] == pytest.approx(0, abs=0.15)  # O(1/n) and the spread of four networks
