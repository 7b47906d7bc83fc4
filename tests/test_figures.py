"""How figures are written, and labels kept apart."""

import itertools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_rnn.figures import DARK, LIGHT, spread, write_figure


@given(st.lists(st.floats(-100, 100), max_size=8), st.floats(0.1, 10))
def test_labels_are_apart_in_the_order_of_their_curves(values, gap):
    placed = spread(values, gap)
    ordered = [placed[i] for i in sorted(range(len(values)), key=values.__getitem__)]
    assert all(b - a >= gap - 1e-9 for a, b in itertools.pairwise(ordered))
    assert sum(placed) == pytest.approx(sum(values), abs=1e-9)


def test_labels_with_room_stay_where_their_curves_end():
    assert spread([3.0, 1.0, 2.0], 0.5) == [3.0, 1.0, 2.0]
    assert spread([0.0, 0.0, 5.0], 1.0) == [-0.5, 0.5, 5.0]


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_every_colour_is_legible_as_text(theme):
    for colour in (theme.ink, *theme.colours):
        lighter, darker = sorted([luminance(colour) + 0.05, luminance(theme.paper) + 0.05], reverse=True)
        assert lighter / darker >= 4.5  # WCAG 2.1, level AA, for text


def draw(theme):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    figure.text(0.5, 0.5, "g", color=theme.ink)
    return figure


def test_one_drawing_becomes_three_files_always_of_the_same_bytes(tmp_path):
    first = write_figure(draw, tmp_path / "new" / "a")
    again = write_figure(draw, tmp_path / "a")
    assert [path.name for path in first] == ["a-light.svg", "a.png", "a-dark.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert [path.name for path in write_figure(draw, tmp_path / "b", png=False)] == ["b-light.svg", "b-dark.svg"]


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .manual-rnn\[figures\]"):
        write_figure(draw, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
