"""The page of code in docs/ is what readers learn from, so it must be right: it computes what the library computes."""

import importlib.util
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manual_rnn import cells, loss_and_gradients

PAGE = Path(__file__).parents[1] / "docs" / "one_page.py"
NAMES = ("U", "W", "V", "b", "c")


@pytest.fixture(scope="module")
def page():
    spec = importlib.util.spec_from_file_location("one_page", PAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def terms(params, ids, result):
    """For each gradient the sum of the magnitudes of its terms: what its rounding errors are to be measured by."""
    size = {name: np.abs(result.node_gradients[name][:, 0]) for name in ("a", "o")}
    U, W, V, b = (np.abs(params[name]) for name in ("U", "W", "V", "b"))
    o, a = size["o"], size["o"] @ V + np.vstack([size["a"][1:] @ W, np.zeros(len(W))])  # (B4), its two terms
    h, h_prev = np.abs(result.tape["h"][:, 0]), np.abs(result.tape.previous("h")[:, 0])
    h += (1 - h**2) * (b + h_prev @ W.T + U.T[ids[:-1]])  # where the terms of a(t) cancel, h(t) has few right digits
    h_prev = np.vstack([h_prev[:1], h[:-1]])
    sums = {"U": a.sum(axis=0), "W": a.T @ h_prev, "V": o.T @ h, "b": a.sum(axis=0), "c": o.sum(axis=0)}
    return sums | {"x": a @ U, "h0": a[0] @ W}


def ulps(mine, theirs, scale):
    """The largest difference, in units of the last place of the largest entry of ``scale``."""
    return float(np.abs(mine - theirs).max() / np.spacing(max(np.max(scale), 1e-290)))


@settings(deadline=None, max_examples=100)
@given(
    tau=st.integers(1, 30), n_chars=st.integers(1, 12), n_hidden=st.integers(1, 16), seed=st.integers(0, 2**32 - 1)
)
def test_loss_and_every_gradient_are_the_librarys(page, tau, n_chars, n_hidden, seed):
    rng = np.random.default_rng(seed)
    theta = [0.5 * v + 0.1 * rng.standard_normal(v.shape) for v in page.initialise(n_chars, n_hidden, rng)]
    ids, h0 = rng.integers(0, n_chars, tau + 1), np.tanh(rng.standard_normal(n_hidden))  # a carried state

    h, o = page.forward(theta, ids, h0)
    grads, grad_x, grad_h0 = page.backward(theta, ids, h, o)
    mine = dict(zip(NAMES, grads, strict=True)) | {"h0": grad_h0}
    mine["x"] = np.array([grad_x[t] for t in range(1, tau + 1)])

    params = dict(zip(NAMES, theta, strict=True))
    x, y = ids[:-1, None], ids[1:, None]
    library = loss_and_gradients(cells.get("rnn"), params, x, y, initial={"h": h0[None]}, inputs=True)
    theirs = library.gradients | {"h0": library.gradients["h0"][0], "x": library.gradients["x"][:, 0]}

    # Both add the same terms, in another order. Measured over 3,000 cases: 4 units.
    few = 16
    scales = terms(params, ids, library)
    assert {n: u for n in mine if (u := ulps(mine[n], theirs[n], scales[n])) > few} == {}
    assert ulps(page.loss(o, ids), library.loss, library.loss) <= few
    assert ulps(h[tau], library.state["h"][0], 1.0) <= few


def test_nothing_overflows_and_impossible_characters_have_their_loss(page):
    o = {1: np.array([1e4, 0.0, -1e4])}
    assert page.loss(o, [None, 0]) == 0
    assert page.loss(o, [None, 2]) == 2e4


def test_clipping_keeps_the_direction_and_leaves_short_gradients_alone(page):
    grads = [np.array([3.0]), np.array([[4.0]])]
    assert page.clip(grads, 5.0) is grads
    assert [g.item() for g in page.clip(grads, 1.0)] == pytest.approx([0.6, 0.8])


def test_learning_works_and_the_state_is_carried(page):
    ids = [0, 0, 1, 1] * 20  # what follows is decided by the character before the last: only a state knows it
    theta = page.initialise(2, 8, np.random.default_rng(0))
    history = [nats for _, nats in itertools.islice(page.repeat(theta, ids, window=5), 600)]
    assert np.mean(history[:5]) > 0.6
    assert np.mean(history[-20:]) < 0.05  # without the carried state, the first of five is a guess: 0.69 / 5


def test_a_sample_has_the_length_asked_for_and_only_known_characters(page):
    theta = page.initialise(5, 8, np.random.default_rng(0))
    ids = page.sample(theta, 3, 50, np.random.default_rng(0))
    assert ids[0] == 3
    assert len(ids) == 50
    assert set(ids) <= set(range(5))


def test_it_is_one_page():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 120
    assert max(map(len, lines)) <= 110


def test_every_equation_of_the_derivation_stands_beside_a_line():
    code = PAGE.read_text(encoding="utf-8")
    numbers = [f"F{i}" for i in range(1, 5)] + [f"B{i}" for i in range(1, 11)]
    assert [number for number in numbers if f"# {number} " not in code] == []


def run(*arguments):
    return subprocess.run(
        [sys.executable, PAGE, *arguments], capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )


def test_as_a_script_it_learns_the_built_in_text_by_heart(page):
    done = run()
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\n" + page.JABBERWOCKY + "\n")


def test_a_text_that_cannot_be_used_gets_a_sentence(tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("a")
    assert "two characters" in run(short).stderr
    missing = run(tmp_path / "missing.txt")
    assert missing.returncode == 1
    assert "cannot be read" in missing.stderr
    assert "Traceback" not in missing.stderr
