"""The pages made of saved results: no results file is forgotten, and every saved study has a card."""

import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def made(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    yield
    for name in ("benchmark_tables", "gallery_cards", "studies"):
        sys.modules.pop(name, None)


def test_the_page_of_benchmarks_shows_every_results_file(made):
    import benchmark_tables

    shown = re.findall(r'^show\("(\w+)"\)$', (DOCS / "benchmarks.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(shown) == sorted(path.stem for path in benchmark_tables.RESULTS.glob("*.json"))


def test_every_results_file_has_a_table_with_where_it_was_measured(made):
    import benchmark_tables

    for path in benchmark_tables.RESULTS.glob("*.json"):
        lines = benchmark_tables.of(path.stem).splitlines()
        widths = {line.count(" | ") for line in lines if line.startswith("|")}
        assert len(widths) == 1, path.stem
        assert len(lines) >= 5, path.stem
        assert lines[-1].startswith("*Measured on "), path.stem


def test_the_gallery_has_a_card_for_every_saved_study(made):
    import gallery_cards

    page = gallery_cards.cards()
    assert set(gallery_cards.SHOWS) == {path.stem for path in (DOCS / "figures").glob("*.json")}
    figures = re.findall(r"{pair} (\S+)", page)
    assert len(figures) == len(gallery_cards.SHOWS) + len(gallery_cards.SWEEPS)
    assert all((DOCS / f"{figure}-light.svg").exists() for figure in figures)
