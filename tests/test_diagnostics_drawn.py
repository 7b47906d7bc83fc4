"""A figure of every diagnostic: labelled, in both themes, of one seed and of several, and of what is hardly there."""

from functools import partial

import numpy as np
import pytest
import xarray as xr

from manual_rnn import cells, diagnostics, initialise, loss_and_gradients, training
from manual_rnn.diagnostics import draw, over_seeds
from manual_rnn.diagnostics.draw import FIGURES
from manual_rnn.evaluation import last_ids
from manual_rnn.figures import DARK, LIGHT, write_figure
from manual_rnn.options import TrainingOptions
from manual_rnn.windows import Windows

CELL = cells.get("lstm")
RNG = np.random.default_rng(0)
IDS = RNG.integers(0, 5, 600)
X, Y = RNG.standard_normal((30, 2, 3)), RNG.integers(0, 4, (30, 2))


def result(kind, seed=0, T=30):
    params = initialise(CELL, n_in=3, n_hidden=4, n_out=4, seed=seed)
    if kind == "clipping_statistics":
        return diagnostics.clipping_statistics([loss_and_gradients(CELL, params, X, Y).gradients] * 5, [0.1, 1.0])
    if kind == "recurrent_matrices":
        return diagnostics.recurrent_matrices(CELL, params)
    if kind == "during_training":
        told = TrainingOptions(cell="lstm", layers=1, hidden=4, seq_len=8, batch=4, steps=6, dtype="float64", seed=seed)
        windows, held_out = Windows.of(IDS, T=8, B=4), (IDS[: 2 * T].reshape(-1, 1), IDS[1 : 2 * T + 1].reshape(-1, 1))
        return diagnostics.during_training(
            training.start(told, 5), windows, last_ids(IDS, 50), told, held_out=held_out, updates=(2, 6), element=0.05
        )
    with_loss = kind in ("gradient_norms", "loss_by_state", "contributions", "gradient_ways")
    return getattr(diagnostics, kind)(CELL, params, X[:T], *([Y[:T]] if with_loss else []))


def texts(figure):
    (axes, *_) = figure.axes
    return [axes.get_title(loc="left"), axes.get_xlabel(), *(note.get_text() for note in axes.texts)]


every_kind = pytest.mark.parametrize("kind", FIGURES)


@every_kind
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_it_says_what_it_shows(kind, theme):
    subtitle, x, headline, *_ = texts(draw(result(kind), theme))
    assert len(subtitle) > 5
    assert len(x) > 3
    assert len(headline.split()) > 4


@every_kind
def test_several_seeds_are_several_lines(kind):
    figure = draw(over_seeds(partial(result, kind), range(3)))
    assert texts(figure)[2] == texts(draw(result(kind)))[2]
    if kind != "loss_by_state":
        one, three = (len(f.axes[0].get_lines()) for f in (draw(result(kind)), figure))
        assert three >= one


@every_kind
def test_it_is_written_in_two_themes(kind, tmp_path):
    paths = write_figure(partial(draw, result(kind)), tmp_path / kind)
    assert [path.suffix for path in paths] == [".svg", ".png", ".svg"]


@pytest.mark.parametrize("kind", sorted(set(FIGURES) - {"lyapunov_exponents", "clipping_statistics", "contributions"}))
def test_one_step_is_a_figure_too(kind):
    assert draw(result(kind, T=1)).axes


def test_names_stand_at_the_ends_of_their_curves_and_none_below_the_axis():
    figure = draw(result("saturation"))
    (axes,) = figure.axes
    figure.draw_without_rendering()
    names = {note.get_text(): note.xy[1] for note in axes.texts[1:]}
    assert set(names) == {"i", "f", "g", "s", "o"}
    assert min(names.values()) > axes.get_ylim()[0]


def test_the_horizon_stands_in_the_figure_of_the_parts():
    parts = result("contributions")
    assert f"95 % within\n{diagnostics.memory_horizon(parts)} lags" in texts(draw(parts))


def test_a_training_is_one_curve_for_each_look_and_the_first_and_the_last_say_their_horizon():
    found = result("during_training")
    figure = draw(found)
    assert len(figure.axes[0].get_lines()) == found.sizes["update"] == 3
    horizons = [f"{update} updates,\nhorizon {found.horizon.sel(update=update).item():g}" for update in (0, 6)]
    assert [text for text in texts(figure) if "horizon" in text] == horizons


def test_each_recurrent_matrix_stands_with_its_departure_from_normality():
    found = result("recurrent_matrices")
    labels = [label.get_text() for label in draw(found).axes[0].get_xticklabels()]
    assert labels == [f"{name}\n{found.non_normality.sel(matrix=name).item():.2f}" for name in found.matrix.values]


def test_a_cell_without_a_recurrent_matrix_gets_a_sentence():
    with pytest.raises(ValueError, match=r"The cell has no recurrent matrix"):
        draw(xr.Dataset(coords={"matrix": []}, attrs={"diagnostic": "recurrent_matrices"}))


@pytest.mark.parametrize("given", [xr.Dataset(), result("gate_memory").drop_attrs()])
def test_what_has_no_figure_gets_a_sentence(given):
    with pytest.raises(ValueError, match=r"There is a figure of what gradient_norms, .* return, and this is of none"):
        draw(given)
