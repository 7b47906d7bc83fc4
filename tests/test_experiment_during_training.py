"""The experiment on training: a cell that fails is told of and the others go on; a wrong gradient leaves no figure."""

import importlib.util
import json
from pathlib import Path

import pytest

from manual_rnn.diagnostics import Disagreement

SCRIPT = Path(__file__).parents[1] / "experiments" / "during_training.py"
SMALL = {"updates": 4, "hidden": 8, "seq_len": 8, "batch": 4, "seeds": 2}


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("during_training_experiment", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_cell_that_fails_is_recorded_and_the_rest_goes_on(study, tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat. " * 400, encoding="utf-8")
    assert study.main(**SMALL, cell=("rnn_relu", "rnn"), lr=1.0, text=text, out=tmp_path / "new") == 0
    assert "rnn_relu: failed. " in capsys.readouterr().out
    record = json.loads((tmp_path / "new" / "during_training.json").read_text(encoding="utf-8"))
    assert list(record["failed"]) == ["rnn_relu"]
    assert list(record["cells"]) == ["rnn"]
    assert record["text"] == {"source": "text.txt", "characters": 9600}


def test_nothing_is_written_where_the_cross_check_fails(study, tmp_path, monkeypatch):
    right = study.autodiff("rnn")

    def wrong(problems):
        return [(nodes, grads | {"h": grads["h"] * (1 + 1e-9)}) for nodes, grads in right(problems)]

    monkeypatch.setattr(study, "autodiff", lambda name: wrong)
    with pytest.raises(Disagreement, match="∂L/∂h"):  # experiment.run tells it, and ends with code 1
        study.main(**SMALL, cell=("rnn",), out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_cell_whose_cross_check_decides_nothing_is_recorded_as_failed(study, tmp_path, monkeypatch, capsys):
    """Where rounding may change the gradient there is no check, and without one no curve; the other cells go on."""
    followed = study.follow

    def follow(options, *rest, **looks):
        found = followed(options, *rest, **looks)
        hopeless = (options.cell == "gru") & (found["update"] > 2)
        return found.assign(worst=found.worst.where(~hopeless))

    monkeypatch.setattr(study, "follow", follow)
    assert study.main(**SMALL, cell=("gru", "rnn"), out=tmp_path / "new") == 0
    assert "gru: failed. After update 3 the cross-check decides nothing" in capsys.readouterr().out
    record = json.loads((tmp_path / "new" / "during_training.json").read_text(encoding="utf-8"))
    assert (list(record["failed"]), list(record["cells"])) == (["gru"], ["rnn"])


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--seeds", "1"], 3, "--seeds is 1; a standard error needs two or more."),
        (["--text", "nowhere.txt"], 3, "There is no text file nowhere.txt."),
        (["--cell", "gpt"], 2, "--cell is 'gpt'; the cells are "),
    ],
)
def test_what_cannot_be_measured_gets_a_sentence(study, arguments, code, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert study.experiment.run(study.main, study.__doc__, arguments) == code
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
