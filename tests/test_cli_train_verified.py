"""``manual-rnn train --verify-every``: right gradients change nothing, wrong ones end the training and are named."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cell_files import told
from manual_rnn import cells, training
from manual_rnn.runs import load

SMALL = ("--hidden", 6, "--seq-len", 5, "--batch", 2, "--steps", 7)
RNN = ("--cell", "rnn", "--layers", 1)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat. " * 40, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "options",
    [
        RNN,
        ("--cell", "lstm", "--layers", 2, "--dropout", 0.3),
        ("--cell", "gru", "--layers", 1, "--dtype", "float64"),
        (*RNN, "--compiled"),
    ],
    ids=["rnn", "dropout", "float64", "compiled"],
)
def test_looking_changes_nothing(capsys, text, tmp_path, options):
    if "--compiled" in options:
        pytest.importorskip("numba")
    runs = [tmp_path / "plain", tmp_path / "verified"]
    assert told(capsys, "train", text, "--out", runs[0], *SMALL, *options)[0] == 0
    assert told(capsys, "train", text, "--out", runs[1], *SMALL, *options, "--verify-every", 3)[0] == 0
    plain, verified = (load(run).params for run in runs)
    for name, array in plain.items():
        np.testing.assert_array_equal(verified[name], array)


def wrong_from(update, monkeypatch):
    """A tanh network whose derivative is that of the logistic function; from some update on."""
    right, made = cells.get("rnn"), []

    def backward(node, prev, grad, tap):
        late = len(made) > update
        return right.backward(node, prev, grad, (lambda name, value: tap(name, 0.5 * value)) if late else tap)

    update_once = training.one_update
    monkeypatch.setattr(training, "one_update", lambda *given, **more: made.append(1) or update_once(*given, **more))
    monkeypatch.setattr(training.cells, "get", lambda name: replace(right, backward=backward))


@pytest.mark.parametrize(("wrong", "seen_at"), [(-1, 0), (2, 4)])
def test_a_wrong_derivative_ends_it_with_its_name(capsys, text, tmp_path, monkeypatch, wrong, seen_at):
    wrong_from(wrong, monkeypatch)
    run = tmp_path / "run"
    code, stdout, stderr = told(capsys, "train", text, "--out", run, *SMALL, *RNN, "--verify-every", 4)
    assert (code, stdout) == (1, "")
    assert f"The gradients after {seen_at} updates disagree with jax.grad: grad_a (B5), the most at t=" in stderr
    assert "is wrong on the weights and the batch of this moment, so the training ends here." in stderr
    assert "'manual-rnn verify rnn' says what the mistake is." in stderr
    assert run.exists() == bool(seen_at)  # what was learnt until then is there; where nothing was, nothing is


@pytest.mark.parametrize("how", [(), ("--compiled",)], ids=["numpy", "compiled"])
def test_the_pass_that_trains_is_the_one_that_is_judged(capsys, text, tmp_path, monkeypatch, how):
    """A mistake in the compiled sums ends the training that is compiled, and no other."""
    pytest.importorskip("numba")
    from manual_rnn import compiled

    right = compiled.sum_by_token
    monkeypatch.setattr(compiled, "sum_by_token", lambda *given: 2 * right(*given))
    code, _, stderr = told(capsys, "train", text, "--out", tmp_path / "run", *SMALL, *RNN, "--verify-every", 4, *how)
    assert code == len(how)
    assert ("grad_U" in stderr) == bool(how)


def test_json_has_the_kind(capsys, text, tmp_path, monkeypatch):
    wrong_from(-1, monkeypatch)
    code, stdout, _ = told(
        capsys, "train", text, "--out", tmp_path / "run", *SMALL, *RNN, "--verify-every", 4, "--json"
    )
    assert code == 1
    assert json.loads(stdout)["error"]["kind"] == "disagree"


def test_without_it_a_wrong_derivative_trains_on(capsys, text, tmp_path, monkeypatch):
    wrong_from(-1, monkeypatch)
    assert told(capsys, "train", text, "--out", tmp_path / "run", *SMALL, *RNN)[0] == 0


def test_never_is_not_zero(capsys, text, tmp_path):
    code, _, stderr = told(capsys, "train", text, "--out", tmp_path / "run", *SMALL, *RNN, "--verify-every", 0)
    assert code == 2
    assert "--verify-every is 0; it must be at least 1." in stderr
