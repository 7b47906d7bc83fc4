"""The page of the studies: what it says is what was saved, and every study that has a figure is on it."""

import importlib.util
import json
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]


def module():
    spec = importlib.util.spec_from_file_location("studies_page", ROOT / "docs" / "studies.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def saved(name):
    return json.loads((ROOT / "docs" / "figures" / f"{name}.json").read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_saved_numbers():
    assert (ROOT / "docs" / "studies.md").read_text(encoding="utf-8") == module().page()


def test_every_experiment_with_a_figure_is_on_it():
    with_figures = {p.stem for p in (ROOT / "experiments").glob("*.py") if "experiment.publish" in p.read_text("utf-8")}
    assert with_figures == set(module().NAMES)


def test_the_measured_critical_line_is_the_theory_s_to_one_per_cent():
    diagram = saved("phase_diagram")
    rows = [f"critical gain at σ = {std}" for std in (0.1, 0.3, 0.5, 1.0)]
    assert [line["what"] for line in diagram["table"]] == rows
    for line in diagram["table"]:
        assert abs(line["deviation"]) < 0.01 * line["theory"]
        assert abs(line["in_standard_errors"]) < 3
        assert line["standard_error"] < 0.005 * line["theory"]  # so that one per cent says something
    for by_width in diagram["critical_by_width"].values():
        narrow, _, wide = (by_width[n][0] for n in sorted(by_width, key=int))
        assert wide < narrow  # the bias of a finite width, from above


def mean_over_seeds(found, name):
    """By update, and by whatever else the variable has; null is what was not there to measure."""
    return np.array(found[name]["data"], dtype=float).mean(axis=0)


NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")


def test_what_is_said_of_training_is_in_the_saved_numbers():
    """The alternative text, and the paragraphs above it, of the figure of gradients during training."""
    cells = saved("during_training")["cells"]
    fallen = {name: -mean_over_seeds(one, "log_norm")[:, 50] / np.log(10) for name, one in cells.items()}  # in decades
    horizon = {name: mean_over_seeds(one, "horizon") for name, one in cells.items()}
    vanilla, gated = ("rnn", "rnn_orthogonal"), ("lstm", "gru")
    said = module().ALT["during_training"]
    at_first, of_gated = {round(fallen[name][0]) for name in vanilla}, {round(fallen[name][0]) for name in gated}
    assert len(at_first) == len(of_gated) == 1
    assert f"falls by {NUMBERS[at_first.pop()]} decades in fifty steps" in said
    assert f"that of the gated ones by {NUMBERS[of_gated.pop()]}" in said
    assert f"after the last all fall by {NUMBERS[int(min(of[-1] for of in fallen.values()))]} or more" in said
    text = " ".join((ROOT / "docs" / "studies.md").read_text(encoding="utf-8").split())
    assert {round(horizon[name][0], -1) for name in vanilla} == {30}
    ends = " and ".join(str(round(horizon[name][-1])) for name in vanilla)
    assert f"start with a horizon of 30 lags and end with {ends}:" in text
    assert "The gated ones have 8 or 9 from the start" in text
    assert {round(horizon[name][0]) for name in gated} == {8, 9}
    saturated = {name: mean_over_seeds(one, "saturated")[-1].mean() for name, one in cells.items()}
    assert "a fifth of their units saturated, the vanilla ones with hardly any" in text
    assert all(0.17 < saturated[name] < 0.25 for name in gated)
    assert all(saturated[name] < 0.01 for name in vanilla)


def test_what_is_said_of_bounds_is_in_the_saved_numbers():
    bound, linear, largest, root_mean_square, _ = (line["measured"] for line in saved("bounds")["table"])
    said = module().ALT["bounds"]
    assert f"rises by {NUMBERS[round(bound)]} decades" in said
    assert f"the linear network by {NUMBERS[round(linear)]}" in said
    assert (round(largest), round(root_mean_square)) == (-1, -2)  # "to a tenth", "to a hundredth"


def test_what_is_said_of_flossing_is_in_the_saved_numbers():
    found, said = saved("flossing")["found"], module().ALT["flossing"]
    exponents = {name: one["exponents"] for name, one in found.items()}
    assert f"{len(exponents['gaussian'])} Lyapunov exponents" in said
    first, last = (f"{exponents['gaussian'][i]:.1f}" for i in (0, -1))
    assert f"of the Gaussian network from {first} down to {last}, of the orthogonal one down to " in said
    assert f"down to {exponents['orthogonal'][-1]:.1f}" in said
    assert max(np.abs(exponents["gaussian, flossed"])) < 0.1
    for name, within in (("gaussian", 14), ("orthogonal", 24)):
        smaller = [-16 if one is None else one for one in found[name]["last"]]  # null is what is lost
        assert smaller[within - 1] > -15.1 > smaller[within + 1]
        assert round(found[name]["largest"][40]) == -5
    assert found["gaussian, flossed"]["largest"][40] > 0
    assert round(found["gaussian, flossed"]["last"][40]) == -2
    off = [line["deviation"] for line in saved("flossing")["table"] if "condition number" in line["what"]]
    assert {round(one) for one in off} <= {1, 2}
