"""``manual-rnn compare``: the best first, what differs, the same numbers as the folders, and every bad folder."""

import json
import shutil

import pytest

from manual_rnn.cli.app import main
from manual_rnn.options import ADDED

SMALL = ("--layers", 1, "--hidden", 6, "--seq-len", 5, "--batch", 2, "--steps", 6, "--eval-every", 2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text("the cat sat on the mat. " * 40, encoding="utf-8")
    (folder / "other.txt").write_text("a dog, and a log. " * 60, encoding="utf-8")
    for name, text, options in (
        ("tanh", "text.txt", ("--cell", "rnn")), ("gated", "text.txt", ("--cell", "gru", "--lr", 0.01)),
        ("other", "other.txt", ("--cell", "rnn")),
    ):  # fmt: skip
        assert main([*map(str, ("train", folder / text, "--out", folder / name, *SMALL, *options))]) == 0
    return folder


def told(capsys, *arguments):
    capsys.readouterr()
    code = main([*map(str, ("compare", *arguments))])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def lines_of(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_table_names_what_differs_and_has_the_best_first(capsys, runs):
    code, stdout, stderr = told(capsys, runs / "tanh", runs / "gated")
    assert (code, stderr) == (0, "")
    head, *rows = stdout.splitlines()
    assert head.split() == ["run", "cell", "lr", "parameters", "nats", "bits", "at", "update", "after", "s"]
    best = {run: min(line["val_nats"] for line in lines_of(runs / run)) for run in ("tanh", "gated")}
    assert [row.split()[0] for row in rows] == [str(runs / run) for run in sorted(best, key=best.get)]
    for row, nats in zip(rows, sorted(best.values()), strict=True):
        assert f"{nats:.3f}" in row.split()
    # U (6, 11), W (6, 6), b (6), V (11, 6), c (11); of the GRU three U and W, four biases.
    assert {row.split()[1]: row.split()[3] for row in rows} == {"rnn": "185", "gru": "407"}


def test_a_run_of_before_and_one_of_now_differ_in_what_they_were_told_alone(capsys, runs, tmp_path):
    """An option that came later is not told of the older run, where it says what was done then."""
    shutil.copytree(runs / "tanh", tmp_path / "before")
    config = json.loads((tmp_path / "before" / "config.json").read_text())
    for name in ADDED:
        del config["options"][name]
    (tmp_path / "before" / "config.json").write_text(json.dumps(config))
    code, stdout, _ = told(capsys, tmp_path / "before", runs / "tanh")
    assert code == 0
    assert stdout.split()[:3] == ["run", "parameters", "nats"]


def test_json_has_every_evaluation(capsys, runs):
    code, stdout, _ = told(capsys, runs / "tanh", runs / "gated", "--json")
    found = json.loads(stdout)
    assert (code, found["version"], found["same_text"]) == (0, 1, True)
    for one in found["runs"]:
        name = "gated" if one["options"]["cell"] == "gru" else "tanh"
        assert one["evaluations"] == lines_of(runs / name)
        assert one["best"] in one["evaluations"]


def test_losses_on_other_texts_are_said_not_to_compare(capsys, runs):
    code, stdout, _ = told(capsys, runs / "tanh", runs / "other")
    assert code == 0
    assert "\n\nThe texts are not the same, so neither are the validation sets: the losses cannot be comp" in stdout
    assert not json.loads(told(capsys, runs / "tanh", runs / "other", "--json")[1])["same_text"]


def test_losses_on_other_parts_of_the_validation_set_are_said_not_to_compare(capsys, runs, tmp_path):
    part = tmp_path / "part"
    given = ("train", runs / "text.txt", "--out", part, *SMALL, "--cell", "rnn", "--eval-chars", 10)
    assert main([*map(str, given)]) == 0
    assert "\n\n--eval-chars is not the same" in told(capsys, runs / "tanh", part)[1]
    assert "--eval-chars is not" not in told(capsys, part, part)[1]


def test_the_figure_has_both_axes_and_every_name(capsys, runs, tmp_path):
    assert told(capsys, runs / "tanh", runs / "gated", "--figure", tmp_path / "curves")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"curves-light.svg", "curves-dark.svg", "curves.png"}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "No run folders to compare; name two or more."),
        (["tanh"], 2, "1 run folder to compare; name two or more."),
        (["tanh", "nowhere"], 3, "There is no run folder"),
        (["tanh", "text.txt"], 3, "There is no run folder"),
    ],
)
def test_too_few_and_missing_are_sentences(capsys, runs, arguments, code, sentence):
    given, stdout, stderr = told(capsys, *(runs / name for name in arguments))
    assert (given, stdout) == (code, "")
    assert sentence in stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "metrics.jsonl is empty: the run has not been evaluated yet."),
        (b"{]\n", "metrics.jsonl cannot be read: it is no list of JSON lines."),
        (b"\xff\n", "metrics.jsonl cannot be read: it is no list of JSON lines."),
        (b"[]\n", "metrics.jsonl cannot be used: line 1 lacks a number"),
        (b'{"update": 2}\n', "metrics.jsonl cannot be used: line 1 lacks a number"),
        (None, "metrics.jsonl cannot be read: No such file or directory."),
    ],
)
def test_damaged_metrics_are_a_sentence(capsys, runs, content, sentence):
    file = runs / "gated" / "metrics.jsonl"
    whole = file.read_bytes()
    try:
        file.unlink() if content is None else file.write_bytes(content)
        code, stdout, stderr = told(capsys, runs / "tanh", runs / "gated")
    finally:
        file.write_bytes(whole)
    assert (code, stdout) == (3, "")
    assert sentence in stderr
