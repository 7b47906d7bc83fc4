"""Shares and medians of a study, and what its figures show: panels, intervals, those that never end, the floors."""

import itertools
import math

import pytest

from manual_rnn.figures import LIGHT
from manual_rnn.studies import Median, Share, Study, summarise
from manual_rnn.studies.drawing import drawings
from manual_rnn.studies.plain import canonical
from manual_rnn.studies.record import Record
from manual_rnn.studies.table import rows, table
from manual_rnn.studies.trial import Trial

LENGTHS, METHODS, STARTS = (20, 50, 100), ("SGD", "SGD-C"), ("a", "b", "c", "d")


def records():
    """Who is solved: SGD at 20 steps by all three seeds, SGD-C up to 50 by two of them; the loss is ½ or the floor."""
    made = []
    for length, method, start in itertools.product(LENGTHS, METHODS, STARTS):
        for seed in range(3):
            solved = length == 20 if method == "SGD" else length <= 50 and seed < 2
            trial = Trial(canonical({"length": length, "method": method, "start": start}), seed)
            needed = float(100 * (seed + 1)) if solved else math.inf
            values = {"solved": float(solved), "needed": needed, "loss": 0.5 if solved else 1.4, "floor": 1.386}
            made.append(Record(trial, values, "", None))
    return made


def figure(value, *, floors=None, only=lambda record: True):
    pytest.importorskip("matplotlib")
    kept = [record for record in records() if only(record.trial.configuration)]
    return drawings("study", summarise(kept), floors or {})[value](LIGHT)


def points(axes):
    """The lines of an axis that have points at the three lengths, by their heights."""
    return [list(line.get_ydata()) for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata()) == 3]


def test_wilsons_interval_is_that_of_scipy():
    from scipy.stats import binomtest

    for n in (1, 2, 3, 5, 20, 1000):
        for count in {0, 1, n // 2, n - 1, n}:
            exact = binomtest(count, n).proportion_ci(0.95, method="wilson")
            assert Share(count, n).low == pytest.approx(exact.low, abs=1e-12)
            assert Share(count, n).high == pytest.approx(exact.high, abs=1e-12)
    assert str(Share(2, 3)) == "2 of 3 (0.21 to 0.94)"
    assert (Share(0, 3).low, Share(3, 3).high) == (0, 1)


def test_a_median_counts_what_never_ends_as_the_largest():
    assert (Median((3.0, math.inf, 1.0)).median, Median((3.0, math.inf, 1.0)).never) == (3, 1)
    assert Median((3.0, math.inf)).median == math.inf
    told = [str(Median(each)) for each in ((1.0, 4.0), (1.0, 2.0, math.inf), (1.0, math.inf, math.inf), (math.inf,))]
    assert told == ["median 2.5", "median 2, 1 of 3 inf", "median inf, 2 of 3 inf", "inf"]


def test_what_is_a_share_and_what_a_median_is_the_same_in_all_configurations():
    summaries = summarise(records())
    assert {type(one.values["solved"]) for one in summaries} == {Share}
    assert {type(one.values["needed"]) for one in summaries} == {Median}
    assert summaries[0].values["loss"].mean == 0.5
    assert "3 of 3 (0.44 to 1.00)" in table(summaries)
    told = rows(summaries)[-1]["values"]
    assert told["solved"] == {"mean": 0, "interval": None, "low": 0, "high": Share(0, 3).high}
    assert told["needed"] == {"mean": None, "interval": None, "median": None, "infinite": 3}
    assert told["loss"]["mean"] == pytest.approx(1.4)


def test_what_no_five_colours_can_tell_apart_has_panels():
    found = figure("solved")
    shown = [axes for axes in found.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == list(METHODS)  # the fewer panels
    assert [text.get_text() for text in found.legends[0].get_texts()] == list(STARTS)
    assert [points(axes) for axes in shown] == [[[1, 0, 0]] * 4, [[2 / 3, 2 / 3, 0]] * 4]
    assert {axes.get_ylim() for axes in shown} == {(-0.05, 1.05)}
    intervals = [tuple(end[:, 1]) for end in shown[0].collections[0].get_segments()]
    assert intervals == [(one.low, one.high) for one in (Share(3, 3), Share(0, 3), Share(0, 3))]


def test_lines_that_five_colours_tell_apart_have_one():
    found = figure("solved", only=lambda configuration: configuration["start"] in "ab")
    assert len(found.axes) == 1
    assert [text.get_text() for text in found.legends[0].get_texts()] == ["SGD, a", "SGD, b", "SGD-C, a", "SGD-C, b"]


def test_those_that_never_end_stand_above_and_are_counted():
    found = figure("needed", only=lambda configuration: configuration["start"] == "a")
    (axes,) = found.axes
    never = [line for line in axes.lines if line.get_marker() == "x"]
    assert len(never) == 5  # SGD at 50 and 100, SGD-C at all
    assert [text.get_text() for text in axes.texts if text.get_text().isdigit()] == ["1", "1"]
    medians = [list(line.get_ydata()) for line in axes.lines if line.get_marker() == "_"]
    assert medians == [[200, pytest.approx(math.nan, nan_ok=True), pytest.approx(math.nan, nan_ok=True)],
                       [200, 200, pytest.approx(math.nan, nan_ok=True)]]  # fmt: skip


def test_what_never_ends_anywhere_is_drawn():
    axes, *_ = figure("needed", only=lambda setting: setting["length"] > 20 and setting["method"] == "SGD").axes
    assert axes.get_ylim() == (0, 1.3)
    assert sum(line.get_marker() == "x" for line in axes.lines) == 8  # four starts at two lengths


def test_a_list_without_entries_has_no_figure():
    made = [Record(Trial(f'{{"a":{a}}}', 0), {"x": [0.5] * a, "y": [0.5]}, "", None) for a in (0, 1)]
    assert list(drawings("study", summarise(made))) == ["y"]


@pytest.mark.parametrize("floor", [1.386, "floor"])
def test_a_floor_is_dashed_in_every_panel_and_has_no_figure(floor):
    found = figure("loss", floors={"loss": floor})
    for axes in (axes for axes in found.axes if axes.get_visible()):
        dashed = [list(line.get_ydata()) for line in axes.lines if line.get_linestyle() == "--"]
        assert dashed == [[pytest.approx(1.386)] * 3] * 4
    assert "floor" in [text.get_text() for text in found.legends[0].get_texts()]
    assert ("floor" in drawings("study", summarise(records()), {"loss": floor})) == (floor == 1.386)


@pytest.mark.parametrize("wrong", [{"loss": None}, 1.386, {"loss": [1.0]}])
def test_what_is_no_floor_is_told(wrong):
    with pytest.raises(ValueError, match="The study's floors are"):
        Study(name="a", function=records, configurations=[{}], floors=wrong)
