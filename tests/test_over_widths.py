"""A line in 1/n beside theory: its words, its numbers, and where its drawing ends."""

import numpy as np
import pytest

from manual_rnn.diagnostics import Slope
from manual_rnn.figures import LIGHT
from manual_rnn.over_widths import OverWidths, axis_of_widths

SLOPES = {n: Slope(value=0.24 - 3 / n, standard_error=0.004) for n in (400, 100, 200)}
FOUND = OverWidths(SLOPES, 0.25)


def test_the_line_tells_the_limit_its_bias_and_whether_it_is_one():
    line = FOUND.line("slope", check="off by 1e-15")
    assert line.what == "slope, n → ∞ (bias -3.0/n ± 0.7, χ² 0.0)"
    assert (line.measured, line.theory, line.check) == (pytest.approx(0.24), 0.25, "off by 1e-15")
    assert line.deviation == pytest.approx(-0.01)
    two = OverWidths({n: SLOPES[n] for n in (200, 400)}, 0.25).line("slope")
    assert "χ²" not in two.what  # two points always lie on a line


def test_the_record_has_what_each_width_is_off_by():
    record = FOUND.record()
    assert list(record["by_width"]) == [100, 200, 400]
    at = record["by_width"][100]
    assert at["deviation"] == pytest.approx(-0.04)
    assert at["in_standard_errors"] == pytest.approx(-10)
    assert record["extrapolated"]["trend"]["value"] == pytest.approx(-3)


def test_the_drawing_is_of_what_is_off_over_one_over_n():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    assert FOUND.draw(axes, LIGHT, LIGHT.ink) == pytest.approx((0.01, -0.04))
    points, line, end = (artist.get_xydata() for artist in axes.lines if len(artist.get_xydata()) != 0)
    np.testing.assert_allclose(points, [[1 / n, SLOPES[n].value - 0.25] for n in (100, 200, 400)])
    np.testing.assert_allclose(line, [[0, -0.01], [0.01, -0.04]])
    np.testing.assert_allclose(end, [[0, -0.01]])
    axis_of_widths(axes, LIGHT, SLOPES)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["∞", "400", "200", "100"]
