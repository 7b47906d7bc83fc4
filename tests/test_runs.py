"""The run folder: written whole or not at all, read back exactly, refused in a sentence."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from manual_rnn import cells, initialise, stack
from manual_rnn.errors import InputError, UsageError
from manual_rnn.runs import RunFolder, load
from manual_rnn.text import Vocabulary
from manual_rnn.weights import from_torch

CELL = cells.get("rnn_relu")
VOCABULARY = Vocabulary("\nabé")
PARAMS = initialise(CELL, n_in=4, n_hidden=3, n_out=4, dtype=np.float32)
CONFIG = {"version": 1, "options": {"cell": "rnn_relu"}}


@pytest.fixture
def folder(tmp_path):
    made = RunFolder.create(tmp_path / "deep" / "run", CONFIG, VOCABULARY)
    made.save_weights(CELL, PARAMS, update=7)
    made.append_metrics({"update": 7})
    return made


def test_what_is_written_is_read_back_bit_by_bit(folder):
    run = load(folder.path)
    assert run.network.cells == (CELL,)
    assert run.vocabulary == VOCABULARY
    assert run.config == CONFIG
    assert run.params.keys() == PARAMS.keys()
    for name, array in PARAMS.items():
        np.testing.assert_array_equal(run.params[name], array)
        assert run.params[name].dtype == array.dtype


def test_the_folder_holds_four_files_and_nothing_temporary(folder):
    folder.append_metrics({"update": 8})
    names = sorted(path.name for path in folder.path.iterdir())
    assert names == ["config.json", "metrics.jsonl", "vocabulary.json", "weights.safetensors"]
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["update"] for line in lines] == [7, 8]


def test_the_weights_have_the_names_and_shapes_of_pytorch(folder):
    tensors = load_file(folder.path / "weights.safetensors")
    assert {name: array.shape for name, array in tensors.items()} == {
        "weight_ih_l0": (3, 4), "weight_hh_l0": (3, 3), "bias_ih_l0": (3,), "bias_hh_l0": (3,),
        "decoder.weight": (4, 3), "decoder.bias": (4,),
    }
    np.testing.assert_array_equal(tensors["weight_hh_l0"], PARAMS["W"])
    np.testing.assert_array_equal(tensors["bias_hh_l0"], 0)


def test_the_two_biases_of_pytorch_are_added_up(folder):
    tensors = load_file(folder.path / "weights.safetensors")
    tensors["bias_ih_l0"], tensors["bias_hh_l0"] = np.float32([1, 2, 3]), np.float32([10, 20, 30])
    np.testing.assert_array_equal(from_torch(CELL, tensors)["b"], [11, 22, 33])


def test_the_lower_layers_of_a_run_are_not_taken_for_all_of_it(tmp_path):
    config = {"version": 1, "options": {"cell": "rnn_relu", "layers": 2}}
    made = RunFolder.create(tmp_path / "run", config, VOCABULARY)
    deep = stack(CELL, layers=3)
    made.save_weights(deep, initialise(deep, n_in=4, n_hidden=3, n_out=4), update=1)
    with pytest.raises(InputError, match=r"bias_hh_l2, .*_l2 are none of the parameters of 2 layers of rnn_relu; "):
        load(made.path)


def test_an_existing_folder_is_not_overwritten_without_being_told(folder):
    before = (folder.path / "weights.safetensors").read_bytes()
    with pytest.raises(UsageError, match=r"exists already; .*--overwrite"):
        RunFolder.create(folder.path, CONFIG, VOCABULARY)
    assert (folder.path / "weights.safetensors").read_bytes() == before
    again = RunFolder.create(folder.path, CONFIG, VOCABULARY, overwrite=True)
    assert sorted(path.name for path in again.path.iterdir()) == ["config.json", "metrics.jsonl", "vocabulary.json"]
    assert (again.path / "metrics.jsonl").read_bytes() == b""


def test_overwrite_spares_a_folder_that_is_no_run(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="it is no run folder"):
        RunFolder.create(tmp_path, CONFIG, VOCABULARY, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made: Not a directory"):
        RunFolder.create(tmp_path / "file" / "run", CONFIG, VOCABULARY)


def test_a_run_without_weights_is_taken_away_and_one_with_weights_stays(tmp_path, folder):
    folder.discard_if_useless()
    assert (folder.path / "config.json").exists()
    useless = RunFolder.create(tmp_path / "other", CONFIG, VOCABULARY)
    useless.discard_if_useless()
    assert not useless.path.exists()


def replace_tensor(path, name, array):
    tensors = load_file(path / "weights.safetensors")
    tensors[name] = array
    save_file(tensors, path / "weights.safetensors")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda p: (p / "config.json").unlink(), r"config\.json is missing"),
        (lambda p: (p / "weights.safetensors").unlink(), r"weights\.safetensors is missing: .* saved nothing"),
        (lambda p: (p / "config.json").write_text("{"), r"config\.json cannot be used: Expecting"),
        (lambda p: (p / "config.json").write_text("[]"), r"config\.json cannot be used: it lacks"),
        (lambda p: (p / "config.json").write_text('{"options": {"cell": "gpt"}}'), r"no cell named 'gpt'"),
        (lambda p: (p / "vocabulary.json").write_text("{}"), r"vocabulary\.json cannot be used: it lacks"),
        (lambda p: (p / "vocabulary.json").write_text('{"characters": ["b", "a"]}'), "not a sorted list"),
        (lambda p: (p / "vocabulary.json").write_text('{"characters": ["a", "b"]}'), r"n_in = 4 .* has 2 char"),
        (lambda p: (p / "vocabulary.json").write_bytes(b"\xff\xfe\xff"), r"vocabulary\.json cannot be used"),
        (lambda p: (p / "weights.safetensors").write_bytes(b"rubbish"), r"weights\.safetensors cannot be used"),
        (lambda p: save_file({"W": np.ones(2)}, p / "weights.safetensors"), "weight_ih_l0, .* are missing"),
        (
            lambda p: replace_tensor(p, "weight_hh_l1", np.ones((3, 3), "f4")),
            r"weights\.safetensors cannot be used: the tensors weight_hh_l1 are none of the parameters of rnn_relu;",
        ),
        (lambda p: replace_tensor(p, "weight_hh_l0", np.full((3, 3), np.nan, "f4")), "W is not finite: 9 of 9"),
        (lambda p: replace_tensor(p, "decoder.weight", np.ones((4, 5), "f4")), r"V has the shape \(4, 5\)"),
    ],
)
def test_a_damaged_run_is_refused_in_a_sentence_that_names_the_file(folder, damage, sentence):
    damage(folder.path)
    with pytest.raises(InputError, match=sentence):
        load(folder.path)


def test_a_run_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"There is no run folder .*nowhere"):
        load(tmp_path / "nowhere")
