"""The page of the studies: what it says is what was saved, and every study that has a figure is on it."""

import importlib.util
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
