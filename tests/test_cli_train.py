"""``manual-rnn train`` and ``sample`` as the contract has them: exit codes, what goes to stdout, every bad input."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cell_files import told
from manual_rnn import cells
from manual_rnn.cli.app import main
from manual_rnn.evaluation import last_ids, mean_nats
from manual_rnn.runs import load
from manual_rnn.text import split
from thorough import of_each_kind

pytestmark = pytest.mark.usefixtures("short_samples")
TINY = ["--hidden", "8", "--seq-len", "5", "--batch", "2", "--eval-every", "4"]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat.\n" * 20)
    return str(path)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run"


def test_a_run_holds_what_the_contract_says(capsys, text, out):
    code, stdout, stderr = told(capsys, "train", text, "--out", out, "--steps", 10, *TINY)
    assert code == 0
    assert stderr == ""
    assert stdout.count("\n") == 1
    assert sorted(p.name for p in out.glob("[!.]*")) == [
        "checkpoints", "config.json", "curves-dark.svg", "curves-light.svg", "metrics.jsonl", "samples.jsonl",
        "steps.jsonl", "vocabulary.json", "weights.safetensors",
    ]  # fmt: skip
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["update"] for line in lines] == [4, 8, 10]
    assert set(lines[0]) == {"update", "train_nats", "val_nats", "val_bits_per_char", "grad_norm", "seconds"}
    config = json.loads((out / "config.json").read_text())
    assert config["options"]["hidden"] == 8
    assert config["options"]["lr"] == 0.004
    assert config["text"]["characters"] == 480
    assert {"versions", "platform", "commit", "dtype", "seed"} <= set(config)
    assert json.loads((out / "vocabulary.json").read_text())["characters"] == sorted(set("the cat sat on mat.\n"))


def test_json_prints_the_last_line_of_the_metrics_and_nothing_else(capsys, text, out):
    code, stdout, stderr = told(capsys, "train", text, "--out", out, "--steps", 6, "--json", *TINY)
    assert (code, stderr) == (0, "")
    assert json.loads(stdout) == json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])


def test_the_default_text_trains(capsys, out):
    code, stdout, _ = told(capsys, "train", "--out", out, "--steps", 1, "--hidden", 4, "--eval-chars", 5000, "--json")
    assert code == 0
    assert 3 < json.loads(stdout)["val_nats"] < 6  # about ln of a hundred characters
    assert json.loads((out / "config.json").read_text())["text"]["source"] == "pydoc_data.topics"


@pytest.mark.parametrize("cell", of_each_kind())
def test_every_cell_trains_samples_and_is_read_again_as_it_was(capsys, text, out, cell):
    network = ("--cell", cell, "--layers", 1)
    code, stdout, _ = told(capsys, "train", text, "--out", out, "--steps", 10, *network, "--json", *TINY)
    assert code == 0
    run = load(out)
    assert run.network.cells == (cells.get(cell),)
    ids = run.vocabulary.encode(Path(text).read_text())
    again = mean_nats(run.network, run.params, *last_ids(ids, len(ids) - len(split(ids)[0])))
    assert again == pytest.approx(json.loads(stdout)["val_nats"], rel=1e-6)  # the GRU's two biases are read apart
    code, stdout, stderr = told(capsys, "sample", out, "--length", 20)
    assert (code, stderr, len(stdout)) == (0, "", 20)


@pytest.mark.parametrize(
    ("cell", "options", "kept"),
    [
        ("lstm", ["--forget-bias", 1], {"init": None, "forget_bias": 1.0, "chrono": None}),
        ("gru", ["--chrono", 30, "--init", "orthogonal"], {"init": "orthogonal", "forget_bias": None, "chrono": 30}),
        ("rnn", ["--init", "sparse"], {"init": "sparse"}),
        ("rnn", ["--init", "sparse", "--spectral-radius", 0.5], {"init": "sparse", "spectral_radius": 0.5}),
        ("rnn_relu", ["--init", "identity"], {"init": "identity"}),
    ],
)
def test_the_start_is_what_was_told_and_is_kept_in_the_config(capsys, text, out, cell, options, kept):
    given = ["train", text, "--out", out, "--cell", cell, "--layers", 1, *options, "--steps", 1, "--lr", 1e-30]
    given += ["--dtype", "float64"]
    assert told(capsys, *given, *TINY)[0] == 0
    recorded = json.loads((out / "config.json").read_text())["options"]
    assert kept.items() <= recorded.items()
    params, keep = load(out).params, cells.get(cell).keep  # as at the start: an update of 1e-30 rounds away
    match kept:
        case {"forget_bias": 1.0}:
            np.testing.assert_array_equal(params[keep], 1)
        case {"chrono": 30}:
            assert (params[keep] > 0).all()
            np.testing.assert_allclose(params["W_n"].T @ params["W_n"], np.eye(8), atol=1e-14)
        case {"spectral_radius": 0.5}:
            assert np.abs(np.linalg.eigvals(params["W"])).max() == pytest.approx(0.5)
        case {"init": "sparse"}:
            assert np.abs(np.linalg.eigvals(params["W"])).max() == pytest.approx(0.95)
        case {"init": "identity"}:
            np.testing.assert_allclose(params["W"], np.eye(8), atol=1e-29)


def test_layers_train_sample_and_are_read_again_as_they_were(capsys, text, out):
    told(capsys, "train", text, "--out", out, "--steps", 20, "--layers", 2, "--dropout", 0.2, "--cell", "lstm", *TINY)
    run = load(out)
    assert [cell.prefix for cell in run.network.cells] == ["layer1.", "layer2."]
    assert "layer2.W_f" in run.params
    code, stdout, stderr = told(capsys, "sample", out, "--length", 20)
    assert (code, len(stdout.rstrip("\n")) <= 20, stderr) == (0, True, "")


def test_the_same_seed_gives_the_same_weights(capsys, text, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert told(capsys, "train", text, "--out", tmp_path / name, "--steps", 5, "--seed", seed, *TINY)[0] == 0
    a, b, c = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_no_clipping_is_told_by_inf_and_kept_as_json(capsys, text, out):
    assert told(capsys, "train", text, "--out", out, "--steps", 2, "--clip", "inf", *TINY)[0] == 0
    assert json.loads((out / "config.json").read_text())["options"]["clip"] is None


def test_sample_prints_the_text_and_nothing_else(capsys, text, out):
    told(capsys, "train", text, "--out", out, "--steps", 40, *TINY)
    code, stdout, stderr = told(capsys, "sample", out, "--length", 40, "--prime", "the c", "--seed", 3)
    assert (code, stderr) == (0, "")
    assert len(stdout) == 45
    assert stdout.startswith("the c")
    assert set(stdout) <= set("the cat sat on mat.\n")
    assert told(capsys, "sample", out, "--length", 40, "--prime", "the c", "--seed", 3)[1] == stdout
    assert told(capsys, "sample", out, "--length", 40, "--prime", "the c", "--seed", 4)[1] != stdout
    greedy = told(capsys, "sample", out, "--temperature", 0, "--length", 30)[1]
    assert len(greedy) == 30
    assert greedy == told(capsys, "sample", out, "--temperature", 0, "--length", 30, "--seed", 9)[1]


def test_an_existing_run_is_kept_unless_told_otherwise(capsys, text, out):
    told(capsys, "train", text, "--out", out, "--steps", 2, *TINY)
    before = (out / "weights.safetensors").read_bytes()
    code, stdout, stderr = told(capsys, "train", text, "--out", out, "--steps", 3, *TINY)
    assert (code, stdout) == (2, "")
    assert "exists already" in stderr
    assert (out / "weights.safetensors").read_bytes() == before
    assert told(capsys, "train", text, "--out", out, "--steps", 3, "--overwrite", *TINY)[0] == 0
    assert (out / "weights.safetensors").read_bytes() != before


@pytest.mark.parametrize(
    "arguments",
    [
        ["--lr", "0"], ["--lr", "much"], ["--hidden", "0"], ["--clip", "-1"], ["--optimizer", "magic"],
        ["--cell", "gpt"], ["--dtype", "float16"], ["--steps", "5", "--seconds", "5"], ["--seed", "-1"],
        ["--colour", "red"], ["--init", "magic"],
        ["--forget-bias", "1", "--cell", "rnn"], ["--chrono", "20", "--cell", "rnn"],
        ["--forget-bias", "nan", "--cell", "lstm"], ["--chrono", "1", "--cell", "gru"],
        ["--accumulate", "0"], ["--patience", "0"], ["--warmup", "-1"], ["--warmup", "9", "--steps", "9"],
        ["--min-lr", "0.1"], ["--weight-decay", "nan"], ["--weight-decay", "500"],
        ["--init", "glorot", "--cell", "rnn_orthogonal"], ["--forget-bias", "1", "--chrono", "9", "--cell", "lstm"],
    ],
)
def test_usage_errors_end_with_two_and_make_no_folder(capsys, text, out, arguments):
    code, stdout, stderr = told(capsys, "train", text, "--out", out, *arguments)
    assert (code, stdout) == (2, "")
    assert arguments[0] in stderr
    assert not out.exists()


def test_train_needs_a_folder(capsys, text):
    code, _, stderr = told(capsys, "train", text)
    assert code == 2
    assert "--out" in stderr


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "no text file"), (b"", "is empty"), (b"\0\1\2" * 999, "is binary"), (b"\xe9" * 9999, "is not UTF-8"),
     (b"too short", "has only 9 characters"), (b"\xef\xbb\xbf", "is empty")],
)
def test_a_text_that_cannot_be_used_ends_with_three_and_makes_no_folder(capsys, tmp_path, out, content, what):
    path = tmp_path / "given.txt"
    if content is not None:
        path.write_bytes(content)
    code, stdout, stderr = told(capsys, "train", path, "--out", out)
    assert (code, stdout) == (3, "")
    assert what in stderr
    assert "at least 10 characters" in stderr
    assert stderr.count("\n") == 1
    assert not out.exists()


def test_errors_are_one_json_document_too(capsys, tmp_path, out):
    code, stdout, stderr = told(capsys, "train", tmp_path / "none.txt", "--out", out, "--json")
    assert (code, stderr) == (3, "")
    assert json.loads(stdout)["error"]["kind"] == "input"


def test_a_training_that_diverges_ends_with_four_and_leaves_nothing_half_written(capsys, text, out):
    options = ["--cell", "rnn_identity", "--gain", "1e30", "--steps", 50]
    code, stdout, stderr = told(capsys, "train", text, "--out", out, *options, *TINY)
    assert (code, stdout) == (4, "")
    assert "Training failed at update" in stderr
    assert "try a smaller --lr" in stderr
    assert not out.exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of one update, which no test of it may change."""
    place = tmp_path_factory.mktemp("trained")
    (place / "text.txt").write_text("the cat sat on the mat.\n" * 20)
    assert main(["train", str(place / "text.txt"), "--out", str(place / "run"), "--steps", "1", *TINY]) == 0
    return place / "run"


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["--prime", "a→ż"], 3, "has never seen '→', 'ż'"),
        (["--temperature", "-1"], 2, "--temperature is -1.0"),
        (["--temperature", "nan"], 2, "--temperature is nan"),
        (["--length", "0"], 2, "--length is 0"),
        (["--seed", "-1"], 2, "--seed is -1"),
        (["--samples", "0"], 2, "--samples is 0"),
        (["--top-k", "0"], 2, "--top-k is 0"),
        (["--top-p", "1.5"], 2, "--top-p is 1.5"),
        (["--stop", ""], 2, "--stop is empty"),
    ],
)
def test_sample_refuses_in_a_sentence(capsys, trained, arguments, code, what):
    given, stdout, stderr = told(capsys, "sample", trained, *arguments)
    assert (given, stdout) == (code, "")
    assert what in stderr


def test_several_samples_are_parted_and_json_has_the_same(capsys, trained):
    cut = ["--top-k", 9, "--top-p", 0.9, "--stop", "e"]
    given = ["sample", trained, "--samples", 3, "--length", 40, "--prime", "the", *cut]
    code, stdout, stderr = told(capsys, *given)
    assert (code, stderr) == (0, "")
    texts = stdout.split("\n---------------\n")
    code, stdout, stderr = told(capsys, *given, "--json")
    found = json.loads(stdout)
    assert (code, stderr) == (0, "")
    assert (found["version"], found["stop"], found["top_k"], found["top_p"], found["seed"]) == (1, "e", 9, 0.9, 0)
    assert texts == ["the" + one["text"] for one in found["samples"]]
    assert len(set(texts)) == 3
    for one in found["samples"]:
        assert "e" not in one["text"]
        assert one["stopped"] == (len(one["text"]) < 40)
    assert any(one["stopped"] for one in found["samples"])


def test_sample_of_no_run_and_of_a_damaged_one(capsys, text, out):
    code, stdout, stderr = told(capsys, "sample", out)
    assert (code, stdout) == (3, "")
    assert "There is no run folder" in stderr
    told(capsys, "train", text, "--out", out, "--steps", 1, *TINY)
    (out / "weights.safetensors").write_bytes(b"")
    code, stdout, stderr = told(capsys, "sample", out)
    assert (code, stdout) == (3, "")
    assert "weights.safetensors cannot be used" in stderr


def command(*arguments):
    return [sys.executable, "-m", "manual_rnn", *map(str, arguments)]


def process(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, check=False)


def test_a_pipe_gets_the_result_and_not_one_byte_of_progress(text, out):
    train = process("train", text, "--out", out, "--steps", 5, "--json", *TINY)
    assert (train.returncode, train.stderr) == (0, b"")
    assert json.loads(train.stdout)["update"] == 5
    sample = process("sample", out, "--length", 9)
    assert (sample.returncode, sample.stderr, len(sample.stdout)) == (0, b"", 9)


def test_ctrl_c_saves_what_there_is_and_ends_with_130(text, out):
    running = subprocess.Popen(
        command("train", text, "--out", out, "--seconds", 60, "--eval-every", 20, *TINY[:-2]),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not (out / "weights.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert stdout == b""
    assert b"the training after" in stderr
    assert b"Traceback" not in stderr
    assert process("sample", out, "--length", 5).returncode == 0
