"""The numbers of the book's interactive pages are the library's own."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "_extensions"))
pytest.importorskip("sphinx", reason="The book is built by sphinx: pip install 'manual-rnn[docs]'.")
from interactive import decay, pages, steps

from manual_rnn import cells, loss_and_gradients
from manual_rnn.formulas import formula


@pytest.mark.parametrize("cell", decay.NAMES)
def test_the_decay_is_that_of_the_gradients_of_the_library(cell):
    name, params, x, y, initial = decay.problem(cell, 1.0, seed=3)
    result = loss_and_gradients(cells.get(name), params, x, y, initial=initial, reduction="last")
    states = np.concatenate([result.gradients["h0"][None], result.node_gradients["h"]])[::-1, 0]
    norms = np.linalg.norm(states, axis=1)
    np.testing.assert_allclose(decay.log_norms(cell, 1.0, 3), np.log10(norms / norms[0]), atol=1e-12)


def test_the_band_holds_the_median_and_every_seed():
    band = decay.band("rnn", 1.5)
    rows = np.array([decay.log_norms("rnn", 1.5, seed) for seed in range(decay.SEEDS)])
    np.testing.assert_allclose(band["median"], np.median(rows, axis=0), atol=0.006)
    assert (np.array(band["low"]) <= rows + 0.006).all()
    assert (np.array(band["high"]) >= rows - 0.006).all()
    assert len(band["median"]) == decay.STEPS + 1
    assert len(json.dumps(band, separators=(",", ":"))) * len(decay.GAINS) * len(decay.NAMES) < 300_000


def test_theory_is_near_what_is_measured_where_there_is_one():
    measured = decay.band("orthogonal", 0.8)
    assert measured["median"][50] == pytest.approx(50 * measured["slope"], abs=0.5)
    assert decay.slope("lstm", 1.0) is None


def test_the_frames_have_the_numbers_of_the_tape_and_its_equations():
    params, _, _, result = steps.trained()
    for frame in steps.frames():
        assert frame.latex == formula(steps.RNN, frame.equation)
        found = {shown.role: shown.value for shown in frame.shown}
        t, name = frame.t, frame.equation.removeprefix("grad_")
        if frame.equation == "grad_h0":
            expected = result.gradients["h0"][0]
        elif frame.equation == "grad_x":
            expected = result.gradients["x"][t - 1, 0]
        elif frame.backward and name in params:
            np.testing.assert_array_equal(found["before"] + found["term"], found["after"])
            continue
        else:
            tape = result.node_gradients if frame.backward else result.tape
            expected = tape[name][t - 1].reshape(-1)
        np.testing.assert_array_equal(found["result"][:, 0], expected)


def test_the_terms_of_the_steps_add_up_to_the_gradient():
    params, _, _, result = steps.trained()
    for name in params:
        last = [f for f in steps.frames() if f.equation == f"grad_{name}"][-1].shown[-1]
        np.testing.assert_allclose(last.value, steps.column(result.gradients[name]), rtol=1e-12, atol=1e-15)


def test_what_a_frame_reads_gives_what_it_shows():
    for frame in steps.frames():
        read = [shown.value for shown in frame.shown if shown.role == "input"]
        result = next((shown.value for shown in frame.shown if shown.role == "result"), None)
        if frame.equation in ("o", "a"):
            bias, *pairs = read
            half = len(pairs) // 2
            computed = bias + sum(weight @ value for weight, value in zip(pairs[:half], pairs[half:], strict=True))
        elif frame.equation in ("grad_h", "grad_x", "grad_h0"):
            computed = sum(weight @ value for weight, value in zip(read[::2], read[1::2], strict=True))
        elif frame.equation == "grad_a":
            computed = read[0] * read[1]
        elif frame.equation == "grad_o":
            computed = read[0] - read[1]
        else:
            continue
        np.testing.assert_allclose(computed, result, rtol=1e-12, atol=1e-15)


def test_every_equation_of_every_step_has_a_frame_and_autodiff_agrees():
    assert len(steps.frames()) == 4 * (4 + 9) + 1
    assert steps.largest_difference() < 1e-13


@pytest.mark.parametrize(
    ("log10", "text"),
    [(-6.19, "6.5 × 10⁻⁷"), (0, "1"), (-0.5, "0.32"), (3.6, "4.0 × 10³"), (2.5, "316"), (-2.0, "1.0 × 10⁻²")],
)
def test_powers_of_ten_are_written_as_one_reads_them(log10, text):
    assert pages.power(log10) == text


def test_the_drawn_numbers_are_the_rounded_ones():
    assert re.findall("<mn>(.*?)</mn>", pages.matrix(np.array([[0.1234, -2.0], [0.0, -0.00004]]))) == [
        "0.123", "−2.000", "0", "−4·10⁻⁵",
    ]  # fmt: skip
