"""The experiment on training: a cell that fails is told of and the others go on; a wrong gradient leaves no figure."""

import importlib.util
import json
from pathlib import Path

import pytest

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
    text.write_text("the cat sat on the mat. " * 40, encoding="utf-8")
    assert study.main(**SMALL, cell=("rnn_relu", "rnn"), lr=1e60, text=text, out=tmp_path / "new") == 0
    assert "rnn_relu: failed. " in capsys.readouterr().out
    record = json.loads((tmp_path / "new" / "during_training.json").read_text(encoding="utf-8"))
    assert list(record["failed"]) == ["rnn_relu"]
    assert list(record["cells"]) == ["rnn"]
    assert record["text"] == {"source": "text.txt", "characters": 960}
