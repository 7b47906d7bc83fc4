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


def test_the_page_is_made_of_the_saved_numbers():
    assert (ROOT / "docs" / "studies.md").read_text(encoding="utf-8") == module().page()


def test_every_experiment_with_a_figure_is_on_it():
    with_figures = {p.stem for p in (ROOT / "experiments").glob("*.py") if "experiment.publish" in p.read_text("utf-8")}
    assert with_figures == set(module().NAMES)


def test_the_measured_critical_line_is_the_theory_s_to_one_per_cent():
    saved = json.loads((ROOT / "docs" / "figures" / "phase_diagram.json").read_text(encoding="utf-8"))
    assert [line["what"] for line in saved["table"]] == [f"critical gain at σ = {std}" for std in (0.1, 0.3, 0.5, 1.0)]
    for line in saved["table"]:
        assert abs(line["deviation"]) < 0.01 * line["theory"]
        assert abs(line["in_standard_errors"]) < 3
        assert line["standard_error"] < 0.005 * line["theory"]  # so that one per cent says something
    for by_width in saved["critical_by_width"].values():
        narrow, _, wide = (by_width[n][0] for n in sorted(by_width, key=int))
        assert wide < narrow  # the bias of a finite width, from above
