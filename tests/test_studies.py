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


def of_widths(row):
    """Where the line in 1/n ends, and what the widths alone are off by, the narrowest first."""
    return row["extrapolated"], [one["deviation"] for one in row["by_width"].values()]


def test_what_mean_field_theory_is_held_to_at_infinite_width():
    """Three widths, a grid of gain and noise: every limit within three standard errors, and lines that are lines."""
    found = saved("finite_width")
    gains, stds = ({row[of] for row in found["grid"]} for of in ("gain", "input_std"))
    assert (gains, stds, len(found["grid"])) == ({0.8, 1.0, 1.5, 2.0}, {0.1, 0.3, 0.5, 1.0}, 16)
    for row in [*found["grid"], found["exponent"], *saved("gradient_norms")["rows"]]:
        limit, off = of_widths(row)
        assert len(off) == 3
        assert abs(limit["value"] - row["theory"]) < 3 * limit["standard_error"]
        assert limit["chi_squared"] < 12  # of one degree of freedom: one line in two thousand
    for line in found["table"][16:18]:  # the mean square of the deviations, and the mean χ²
        assert abs(line["in_standard_errors"]) < 3
    exponent, off = of_widths(found["exponent"])
    assert list(found["exponent"]["by_width"]) == ["400", "800", "1600"]
    assert off[0] < off[1] < off[2] < 0
    assert exponent["standard_error"] < 0.001
    narrowest = min(of_widths(row)[1][0] for row in found["grid"])
    ends = [of_widths(row)[0]["value"] - row["theory"] for row in found["grid"]]
    said, text = module().ALT["finite_width"], (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    assert f"as much as {-narrowest:.2f} below theory" in said
    assert "within 0.01 of it at n = ∞" in said
    assert max(map(abs, ends)) < 0.01
    at_two = [row["extrapolated"]["trend"]["value"] for row in found["grid"] if row["gain"] == 2]
    assert f"by some −{-np.mean(at_two):.0f}/n at gain 2" in text


def mean_over_seeds(found, name):
    """By update, and by whatever else the variable has; null is what was not there to measure."""
    return np.array(found[name]["data"], dtype=float).mean(axis=0)


NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
           "twelve", "thirteen", "fourteen", "fifteen")  # fmt: skip


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


def test_what_is_said_of_isometry_is_in_the_saved_numbers():
    found, said = saved("isometry"), module().ALT["isometry"]
    assert (found["n"], found["lags"], found["seeds"]) == (200, 100, 40)
    largest, median = (np.array(found[f"log10_of_{which}"]) for which in ("largest", "median"))
    ends = NUMBERS[round(largest[-1].min())], NUMBERS[round(largest[-1].max())]
    assert f"by {ends[0]} decade to {ends[1]} in a hundred steps" in said
    assert f"the median falls by {NUMBERS[-round(np.median(median[-1]))]}" in said
    limit, off = of_widths(found["median"])
    assert abs(limit["value"] - found["median"]["theory"]) < 3 * limit["standard_error"]
    assert len(off) == 3
    at, lost = np.array(found["at"]), np.array(found["median_multiplied_out"])
    typical = np.median(median, axis=1)
    np.testing.assert_allclose(lost[at <= 60], typical[at <= 60], atol=0.05)  # until it is lost it is the same
    assert (lost[at > 80] > typical[at > 80] + 0.1).all()
    assert "stays above it from step 80 on" in said
    orthogonal = [line for line in found["table"] if line["what"].startswith("orthogonal")]
    assert len(orthogonal) == 2
    assert all(abs(line["measured"]) < 1e-13 for line in orthogonal)
