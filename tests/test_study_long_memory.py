"""Which start remembers, the study file: its cell, its starts, what it measures, how its rates were chosen."""

import csv
import math
import runpy
import statistics

import jax.numpy as jnp
import numpy as np
import pytest

from manual_rnn import diagnostics, tasks, theory
from manual_rnn.studies.compute import compute
from manual_rnn.studies.intervals import interval
from manual_rnn.studies.plain import canonical
from manual_rnn.studies.study_file import load
from manual_rnn.studies.trial import Trial
from manual_rnn.testing import verify
from pages import ROOT
from reference import autodiff

FILE = ROOT / "experiments/studies/long_memory.py"
MODULE = runpy.run_path(str(FILE))
every_start = pytest.mark.parametrize("start", MODULE["STARTS"])


def saved(name):
    with (ROOT / f"experiments/studies/results/{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def values(form, seed=0, **configuration):
    study, _ = load(f"{FILE}:{form}")
    (found,) = compute(study.function, [Trial(canonical(configuration), seed)])
    assert found.error == ""
    return found.values


def test_what_is_run_in_each_form():
    counts = {"STUDY": 32, "HOURS": 144, "FULL": 240, "RATES": 48, "DIGITS": 48, "DIGITS_RATES": 24,
              "OTHER_RATES": 12}  # fmt: skip
    forms = {name: load(f"{FILE}:{name}")[0] for name in counts}
    assert {name: len(study.trials()) for name, study in forms.items()} == counts
    assert len({study.name for study in forms.values()}) == len(counts)


def test_the_linear_transition_has_the_gradients_of_autodiff():
    def step(p, prev, x, tap):
        a, m = tap("a", p["U"] @ x + p["b"]), tap("m", p["W"] @ prev["h"])
        return {"h": tap("h", jnp.where(a > 0, a, 0) + m)}

    assert verify(MODULE["HENAFF"], autodiff(step), examples=16).agree


@every_start
@pytest.mark.parametrize("name", ["adding", "copying"])
def test_all_start_as_their_sources_say(start, name):
    task = MODULE["task_of"](name, 40)
    _, params = MODULE["started"](start, task, 40, 0)
    assert params["V"].shape == (task.n_out, 50)
    expected = {"IRNN": "identity", "Henaff": "identity" if name == "adding" else "orthogonal",
                "orthogonal tanh": "orthogonal"}.get(start)  # fmt: skip
    if expected == "identity":
        np.testing.assert_array_equal(params["W"], np.eye(50))
    if expected == "orthogonal":
        np.testing.assert_allclose(params["W"] @ params["W"].T, np.eye(50), atol=1e-12)
        assert np.abs(params["W"] - np.eye(50)).max() > 0.1
    if start == "IRNN":
        assert params["U"].std() == pytest.approx(0.001)
    if start == "LSTM":
        assert (params["b_f"] == 1).all()
    if start == "chrono LSTM":
        assert 0 <= params["b_f"].min() < params["b_f"].max() <= math.log(39)
        np.testing.assert_array_equal(params["b_i"], -params["b_f"])


@pytest.mark.parametrize("start", ["orthogonal tanh", "GRU", "antisymmetric"])
def test_the_ratio_is_that_of_the_gradient_norms(start):
    task = MODULE["task_of"]("adding", 30)
    cell, params = MODULE["started"](start, task, 30, 1)
    batch = task.draw(100, seed=2)
    norms = diagnostics.gradient_norms(cell, params, batch.x, batch.y, loss="squared", reduction="last").log_norm
    mean_square = np.log((np.exp(2 * norms)).mean("sequence")) / 2
    expected = float(mean_square[1] - mean_square[-1])
    assert MODULE["log_ratio"](cell, params, task, 2) == pytest.approx(expected, rel=1e-9)


def test_an_orthogonal_linear_transition_loses_nothing():
    for name in ("adding", "copying"):
        task = MODULE["task_of"](name, 50)
        cell, params = MODULE["started"]("Henaff", task, 50, 0)
        assert abs(MODULE["log_ratio"](cell, params, task, 0)) < 1e-12


def test_copying_is_solved_by_the_linear_transition_and_not_by_tanh():
    solved, not_solved = (
        values("HOURS", task="copying", length=14, start=start, updates=500) for start in ("Henaff", "Gaussian tanh")
    )
    assert (solved["solved"], solved["updates_needed"]) == (1, pytest.approx(375, abs=125))
    assert solved["floor"] == tasks.copying(4, length=5).floor
    assert (not_solved["solved"], not_solved["updates_needed"]) == (0, math.inf)
    assert not_solved["log_ratio"] == pytest.approx(not_solved["slope"] * 13 / 2)


@pytest.mark.parametrize("name", ["long_memory_rates", "long_memory_digits_rates"])
def test_the_rates_are_those_of_the_rule(name):
    """Solved before not; of those that solve it the soonest; of the others the least loss."""
    tried = {}
    for trial in saved(name):
        solved = float(trial["value.solved"])
        rank = (-solved, float(trial["value.updates_needed"]) if solved else float(trial["value.loss"]),
                float(trial["value.loss"]))  # fmt: skip
        of = trial["configuration.task"].removesuffix("_rows"), trial["configuration.start"]
        tried.setdefault(of, []).append((rank, float(trial["configuration.rate"])))
    assert {of: len(found) for of, found in tried.items()} == dict.fromkeys(tried, 3)
    for (task, start), found in tried.items():
        assert MODULE["RATE"][task][start] == min(found)[1]


PAGE = (ROOT / "docs/sweeps.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())
LENGTHS = ("20", "40", "80")


def cells_of(name="long_memory_hours"):
    """The saved trials by (task, start, length), three seeds each."""
    found = {}
    for trial in saved(name):
        of = trial["configuration.task"], trial["configuration.start"], trial["configuration.length"]
        found.setdefault(of, []).append({k[6:]: float(v) for k, v in trial.items() if k.startswith("value.")})
    assert {len(seeds) for seeds in found.values()} == {3}
    return found


def of_seeds(seeds):
    """How many have solved it, and the median of the updates that these needed."""
    needed = [one["updates_needed"] for one in seeds if one["solved"]]
    return f"{len(needed)} ({statistics.median(needed):.0f})" if needed else "0"


def mean(seeds, value):
    return statistics.mean(value(one) for one in seeds)


def test_the_table_of_who_solves_it_is_that_of_the_saved_trials():
    found = cells_of()
    assert len(found) == 48
    for start in MODULE["STARTS"]:
        told = [of_seeds(found[task, start, length]) for task in MODULE["TASKS"] for length in LENGTHS]
        assert f"| {start} | {' | '.join(told)} |" in PAGE


def test_the_table_of_the_first_gradients_is_that_of_the_saved_trials():
    found = cells_of()
    for start in MODULE["STARTS"]:
        adding, copying = found["adding", start, "80"], found["copying", start, "80"]
        chi = math.exp(mean(adding, lambda one: one["slope"]))
        decades = mean(adding, lambda one: one["log_ratio"]) / math.log(10)
        told = f"| {start} | {chi:.2f} | {decades:.1f} | {left(adding):.2g} | {left(copying):.2g} |"
        assert told.replace("-0.0", "0.0").replace("| -", "| −") in PAGE


def test_theory_has_the_chi_that_the_page_gives_for_tanh():
    """Adding feeds each unit the mean square 1/6: E[U[0, 1]²] / 2, the marks left out, which are rare."""
    assert f"χ = {theory.mean_field(1.0, math.sqrt(1 / 6)).chi:.2f}" == "χ = 0.63"
    assert "mean-field theory puts at χ = 0.63 for either W" in WORDS


def left(seeds):
    """What is left of the floor."""
    return mean(seeds, lambda one: one["loss"] / one["floor"])


def test_the_rank_correlation_is_that_of_the_saved_trials():
    from scipy.stats import spearmanr

    found = cells_of()
    ratios = [mean(seeds, lambda one: one["log_ratio"]) for seeds in found.values()]
    rho = float(spearmanr(ratios, [mean(seeds, lambda one: math.log(one["loss"] / one["floor"])) for seeds in
                                   found.values()]).statistic)  # fmt: skip
    assert f"{rho:.2f}" == "-0.08"
    assert "over the 48 configurations the ratio and what is left of the floor have the rank correlation −0.08" in WORDS


def test_the_starts_of_one_cell_compare_as_the_page_says():
    found, pairs = cells_of(), [(task, length) for task in MODULE["TASKS"] for length in LENGTHS]
    lower = []
    for task, length in pairs:
        chrono, lstm, orthogonal, gaussian = (
            found[task, start, length] for start in ("chrono LSTM", "LSTM", "orthogonal tanh", "Gaussian tanh")
        )
        assert mean(chrono, lambda one: one["log_ratio"]) > mean(lstm, lambda one: one["log_ratio"])
        assert left(chrono) < left(lstm)
        lower += [left(orthogonal) / left(gaussian)] if left(orthogonal) < left(gaussian) else []
    assert lower == [pytest.approx(8 / 9, abs=0.01)]


def test_the_table_of_the_digits_is_that_of_the_saved_trials():
    found = cells_of("long_memory_digits")
    for start in MODULE["STARTS"]:
        told = []
        for order in MODULE["ORDERS"]:
            right = interval([100 * (1 - one["wrong"]) for one in found[order, start, "64"]])
            told.append(f"{right.mean:.0f} ± {right.half:.0f}")
        assert f"| {start} | {' | '.join(told)} |" in PAGE


def test_at_another_rate_one_of_four_solves_it_as_the_page_says():
    trials = saved("long_memory_other_rates")
    assert len(trials) == 12
    solved = [(t["configuration.start"], t["configuration.rate"], float(t["value.updates_needed"])) for t in trials
              if float(t["value.solved"])]  # fmt: skip
    assert solved == [("IRNN", "0.003", 4250)]
    assert "the IRNN does, in 4,250 updates, at 0.003 in place of 0.01" in WORDS
    assert MODULE["RATE"]["adding"]["IRNN"] == 0.01
