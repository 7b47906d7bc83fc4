"""What the page of the architecture says of imports, held against the imports; and the picture is the one they give."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def drawing():
    spec = importlib.util.spec_from_file_location("draw_architecture", DOCS / "draw_architecture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def importers(drawing, package):
    """The parts in which some file imports that package."""
    found = set()
    for name, path in drawing.modules().items():
        if package in {imported.split(".")[0] for imported in drawing.imports_of(path)}:
            found.add(drawing.part_of(name))
    return found


def test_the_reference_imports_nothing_of_what_it_judges(drawing):
    assert "reference" not in importers(drawing, "manual_rnn")


def test_only_the_command_line_knows_the_reference(drawing):
    assert importers(drawing, "reference") - {"reference"} == {"cli"}


def test_jax_is_imported_in_the_reference_and_for_its_cache_and_version(drawing):
    assert importers(drawing, "jax") == {"reference", "cli"}


def test_a_gradient_needs_nothing_from_above(drawing):
    below = {"core", "cells", "losses"}
    assert {to for part, to in drawing.edges() if part in below} <= below


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_committed_picture_is_the_one_that_the_imports_give(drawing, theme):
    assert (DOCS / "figures" / f"architecture-{theme}.svg").read_text(encoding="utf-8") == drawing.svg(theme)
