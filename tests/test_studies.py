"""The page of the studies: what it says is what was saved, and every study that has a figure is on it."""

import importlib.util
import json
from pathlib import Path

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


def test_what_mean_field_theory_is_held_to_at_infinite_width():
    """Three widths, a grid of gain and noise: every limit within three standard errors, and lines that are lines."""
    found = saved("finite_width")
    gains, stds = ({row[of] for row in found["grid"]} for of in ("gain", "input_std"))
    assert (gains, stds, len(found["grid"])) == ({0.8, 1.0, 1.5, 2.0}, {0.1, 0.3, 0.5, 1.0}, 16)
    for row in [*found["grid"], found["exponent"], *saved("gradient_norms")["rows"], saved("isometry")["median"]]:
        limit = row["extrapolated"]
        assert len(row["by_width"]) == 3
        assert abs(limit["value"] - row["theory"]) < 3 * limit["standard_error"]
        assert limit["chi_squared"] < 12  # of one degree of freedom: one line in two thousand
    for line in found["table"][16:18]:  # the mean square of the deviations, and the mean χ²
        assert abs(line["in_standard_errors"]) < 3
    off = [one["deviation"] for one in found["exponent"]["by_width"].values()]  # the narrowest first
    assert off[0] < off[1] < off[2] < 0
    assert found["exponent"]["extrapolated"]["standard_error"] < 0.001
