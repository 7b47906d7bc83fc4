"""The run folder: written whole or not at all, read back exactly, refused in a sentence."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from manual_rnn import cells, training
from manual_rnn.errors import InputError, UsageError
from manual_rnn.options import TrainingOptions
from manual_rnn.run_folder import RunFolder
from manual_rnn.runs import load
from manual_rnn.sealed import sealed
from manual_rnn.text import Vocabulary
from manual_rnn.weights import from_torch, to_torch
from manual_rnn.windows import Windows

CELL = cells.get("rnn_relu")
VOCABULARY = Vocabulary("\nabé")
OPTIONS = TrainingOptions(cell="rnn_relu", layers=1, hidden=3, seq_len=5, batch=2, steps=8).filled()
CONFIG = {"version": 1, "options": OPTIONS.to_json(), "text": {"sha256": "none"}}
IDS = np.random.default_rng(0).integers(0, 4, 200)


def trained(options=OPTIONS, updates=1):
    model = training.start(options, len(VOCABULARY))
    windows = Windows.of(IDS, T=options.seq_len, B=options.batch)
    for k in range(updates):
        training.one_update(model, windows[k], lr=0.1, clip=1.0)
    return model


PARAMS = trained().params


@pytest.fixture
def folder(tmp_path):
    with RunFolder.create(tmp_path / "deep" / "run", CONFIG, trained(updates=0), VOCABULARY) as made:
        made.save(trained())
        yield made


def test_what_is_written_is_read_back_bit_by_bit(folder):
    run = load(folder.path)
    assert run.network.cells == (CELL,)
    assert run.vocabulary == VOCABULARY
    assert run.config == {**CONFIG, "run": run.config["run"]}
    assert run.params.keys() == PARAMS.keys()
    for name, array in PARAMS.items():
        np.testing.assert_array_equal(run.params[name], array)
        assert run.params[name].dtype == array.dtype


def test_the_folder_holds_the_files_of_the_contract_two_checkpoints_and_nothing_temporary(folder):
    for updates in (2, 3):
        folder.save(trained(updates=updates))
    names = sorted(str(path.relative_to(folder.path)) for path in folder.path.glob("**/*"))
    assert names == [
        ".manual-rnn.lock", "checkpoints", "checkpoints/000000002.safetensors", "checkpoints/000000003.safetensors",
        "config.json", "metrics.jsonl", "samples.jsonl", "steps.jsonl", "vocabulary.json", "weights.safetensors",
    ]  # fmt: skip
    assert list(folder.path.parent.iterdir()) == [folder.path]


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


def test_weights_of_another_program_are_taken_as_they_are(folder):
    tensors = load_file(folder.path / "weights.safetensors")
    tensors["weight_hh_l0"][:] = 7
    save_file(tensors, folder.path / "weights.safetensors", metadata={"format": "pt"})
    np.testing.assert_array_equal(load(folder.path).params["W"], 7)


def test_the_lower_layers_of_a_run_are_not_taken_for_all_of_it(folder):
    deep = trained(TrainingOptions(cell="rnn_relu", hidden=3, seq_len=5, batch=2, layers=3).filled())
    save_file(to_torch(deep.network, deep.params), folder.path / "weights.safetensors")
    config = json.loads((folder.path / "config.json").read_text())
    config["options"]["layers"] = 2
    (folder.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"bias_hh_l2, .*_l2 are none of the parameters of 2 layers of rnn_relu; "):
        load(folder.path)


def test_an_existing_folder_is_not_overwritten_without_being_told(folder):
    before = (folder.path / "weights.safetensors").read_bytes()
    with (
        pytest.raises(UsageError, match=r"exists already; .*--overwrite"),
        RunFolder.create(folder.path, CONFIG, trained(updates=0), VOCABULARY),
    ):
        pass
    assert (folder.path / "weights.safetensors").read_bytes() == before


def test_a_run_that_is_overwritten_leaves_nothing_of_the_one_before(tmp_path):
    for updates in (5, 6):
        with RunFolder.create(tmp_path / "run", CONFIG, trained(updates=0), VOCABULARY, overwrite=True) as folder:
            assert sorted(path.name for path in folder.path.glob("[!.]*")) == [
                "checkpoints", "config.json", "metrics.jsonl", "samples.jsonl", "steps.jsonl", "vocabulary.json"
            ]
            assert [path.name for path in folder.path.glob("checkpoints/*")] == ["000000000.safetensors"]
            folder.save(trained(updates=updates))


def test_overwrite_spares_a_folder_that_is_no_run(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with (
        pytest.raises(UsageError, match="it is no run folder"),
        RunFolder.create(tmp_path, CONFIG, trained(updates=0), VOCABULARY, overwrite=True),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="cannot be made: Not a directory"),
        RunFolder.create(tmp_path / "file" / "run", CONFIG, trained(updates=0), VOCABULARY),
    ):
        pass


def test_a_run_without_weights_is_taken_away_and_one_with_weights_stays(tmp_path, folder):
    folder.discard_if_useless()
    assert (folder.path / "config.json").exists()
    with RunFolder.create(tmp_path / "other", CONFIG, trained(updates=0), VOCABULARY) as useless:
        useless.discard_if_useless()
    assert not useless.path.exists()


def replace_tensor(path, name, array):
    tensors = load_file(path / "weights.safetensors")
    tensors[name] = array
    save_file(tensors, path / "weights.safetensors")


def replace_in(path, old, new):
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))


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
        (lambda p: (p / "vocabulary.json").write_text('{"characters": ["\\ud800"]}'), "half of a surrogate pair"),
        (lambda p: (p / "vocabulary.json").write_bytes(b"\xff\xfe\xff"), r"vocabulary\.json cannot be used"),
        (lambda p: (p / "weights.safetensors").write_bytes(b"rubbish"), r"weights\.safetensors cannot be used"),
        (lambda p: save_file({"W": np.ones(2)}, p / "weights.safetensors"), "weight_ih_l0, .* are missing"),
        (
            lambda p: replace_tensor(p, "weight_hh_l1", np.ones((3, 3), "f4")),
            r"weights\.safetensors cannot be used: the tensors weight_hh_l1 are none of the parameters of rnn_relu;",
        ),
        (lambda p: replace_tensor(p, "weight_hh_l0", np.full((3, 3), np.nan, "f4")), "W is not finite: 9 of 9"),
        (lambda p: replace_tensor(p, "decoder.weight", np.ones((4, 5), "f4")), r"V has the shape \(4, 5\)"),
        (lambda p: replace_in(p / "config.json", "rnn_relu", "rnn"), "are not of one run, or one was changed"),
        (lambda p: replace_in(p / "vocabulary.json", '"b"', '"c"'), r"are not of one run.*--resume' writes it"),
        (
            lambda p: (p / "weights.safetensors").write_bytes(sealed({}, {"run": "another", "update": 1})),
            "are not of one run",
        ),
    ],
)
def test_a_damaged_run_is_refused_in_a_sentence_that_names_the_file(folder, damage, sentence):
    damage(folder.path)
    with pytest.raises(InputError, match=sentence):
        load(folder.path)


def test_weights_of_another_program_that_do_not_fit_the_vocabulary(folder):
    replace_tensor(folder.path, "decoder.bias", np.zeros(4, "f4"))  # without a checksum now
    (folder.path / "vocabulary.json").write_text('{"characters": ["a", "b"]}')
    with pytest.raises(InputError, match=r"n_in = 4 .* has 2 char"):
        load(folder.path)


@pytest.mark.parametrize("name", ["nowhere", "n" * 300])  # the second is longer than a name may be
def test_a_run_that_is_not_there(tmp_path, name):
    sentence = rf"There is no run folder .*{name}"
    with pytest.raises(InputError, match=sentence):
        load(tmp_path / name)
    with pytest.raises(InputError, match=sentence), RunFolder.resumed(tmp_path / name, tell=print):
        pass
