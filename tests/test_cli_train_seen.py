"""What ``manual-rnn train`` shows: samples, steps, curves, progress; and where patience ends it."""

import io
import json
import os
import re
import signal
import sys
import xml.etree.ElementTree as ET
from functools import partial

import numpy as np
import pytest
from safetensors.numpy import load_file

from cell_files import told
from manual_rnn import training
from manual_rnn.cli import curves
from manual_rnn.cli.app import main
from manual_rnn.cli.progress import TrainingProgress
from manual_rnn.errors import RunError
from manual_rnn.options import TrainingOptions
from manual_rnn.runs import load
from manual_rnn.trace import Trace
from manual_rnn.training import Metrics, Sample, Step
from test_cli_resume import interrupted

TINY = ["--layers", "1", "--hidden", "8", "--seq-len", "5", "--batch", "2", "--eval-every", "4"]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat.\n" * 20)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run"


def lines(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_each_evaluation_has_a_sample_that_the_seed_decides(capsys, text, out):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run = out.with_name(name)
        assert told(capsys, "train", text, "--out", run, "--steps", 10, "--seed", seed, *TINY)[0] == 0
        found = lines(run / "samples.jsonl")
        assert [one["update"] for one in found] == [4, 8, 10]
        for one in found:
            assert one.keys() == {"update", "text"}
            assert len(one["text"]) == 200
            assert set(one["text"]) <= set("the cat sat on the mat.\n")
    a, b, c = ((out.with_name(name) / "samples.jsonl").read_bytes() for name in "abc")
    assert a == b != c


def test_the_last_sample_is_of_the_last_weights(capsys, text, out):
    from manual_rnn.training_sample import training_sample

    told(capsys, "train", text, "--out", out, "--steps", 9, "--seed", 3, *TINY)
    run = load(out)
    model = training.start(TrainingOptions(layers=1, hidden=8, seq_len=5, batch=2), len(run.vocabulary))
    for name, theta in run.params.items():
        model.params[name][...] = theta
    assert training_sample(model, run.vocabulary, seed=3) == lines(out / "samples.jsonl")[-1]["text"]


def test_each_update_has_its_loss_its_norm_and_whether_it_was_clipped(capsys, text, out):
    told(capsys, "train", text, "--out", out, "--steps", 10, "--clip", 0.5, *TINY)
    steps, evaluations = lines(out / "steps.jsonl"), lines(out / "metrics.jsonl")
    assert [step["update"] for step in steps] == [*range(1, 11)]
    assert {step["updates"] for step in steps} == {1}
    for step in steps:
        assert step["clipped"] == int(step["grad_norm"] > 0.5)
        assert step["grad_norm"] == step["grad_norm_min"] == step["grad_norm_max"]
    for line, of in zip(evaluations, (steps[:4], steps[4:8], steps[8:]), strict=True):
        assert line["train_nats"] == pytest.approx(np.mean([step["nats"] for step in of]))
        assert line["grad_norm"] == pytest.approx(np.mean([step["grad_norm"] for step in of]))


def test_the_curves_are_drawn_at_the_end_and_where_it_is_interrupted(capsys, monkeypatch, text, out):
    pytest.importorskip("matplotlib")
    assert interrupted(monkeypatch, "train", text, "--out", out, "--steps", 12, *TINY, after=5) == 130
    drawn = [(out / f"curves-{theme}.svg").read_bytes() for theme in ("light", "dark")]
    assert drawn[0] != drawn[1]
    for content in drawn:
        assert ET.fromstring(content).tag.endswith("svg")
    assert told(capsys, "train", "--out", out, "--resume")[0] == 0
    assert (out / "curves-light.svg").read_bytes() != drawn[0]


def test_ctrl_c_waits_for_the_curves_at_the_end(capsys, monkeypatch, text, out):
    """In the middle of an import it would leave half of matplotlib, with which nothing is drawn any more."""
    drawn = []

    def pressed(*_):
        if not drawn:
            signal.raise_signal(signal.SIGINT)
        drawn.append("whole")

    monkeypatch.setattr(curves, "draw_curves", pressed)
    code, stdout, stderr = told(capsys, "train", text, "--out", out, "--steps", 8, *TINY)
    assert (code, stdout) == (130, "")
    assert "the training after 8 updates is in" in stderr
    assert drawn == ["whole", "whole"]


def test_the_curves_of_a_training_that_fails_are_drawn(capsys, monkeypatch, text, out):
    pytest.importorskip("matplotlib")
    update_once = training.one_update

    def fails_at_seven(model, *windows, **options):
        if model.update == 6:
            raise RunError("Training failed at update 7.")
        return update_once(model, *windows, **options)

    monkeypatch.setattr(training, "one_update", fails_at_seven)
    failed = told(capsys, "train", text, "--out", out, "--steps", 12, *TINY)
    assert failed == (4, "", "manual-rnn: Training failed at update 7.\n")
    assert [one["update"] for one in lines(out / "metrics.jsonl")] == [4]
    assert (out / "curves-dark.svg").exists()


@pytest.mark.parametrize(
    ("norms", "clip", "nats", "evaluated"),
    [
        ([1e-300, 1e300], 1.0, 1.0, True),
        ([0.0], 1.0, 2.0, True),
        ([0.0, 1e-12], 1e-9, 1e250, False),
        ([1.0], np.inf, 1.0, False),
        ([1.0, 1.0001], 1e9, 1e250, True),
        ([5e-324, 1.0, 1e30], 1e-9, 0.0, True),
    ],
)
def test_curves_of_any_size_are_drawn(tmp_path, norms, clip, nats, evaluated):
    pytest.importorskip("matplotlib")
    from manual_rnn.figures import write_figure
    from manual_rnn.learning_curves import learning_curves

    trace = Trace()
    for k, norm in enumerate(norms, start=1):
        trace.add(k, nats * k, norm, limit=clip)
    one = Metrics(
        update=len(norms), train_nats=nats, val_nats=2 * nats, val_bits_per_char=1.0, grad_norm=1.0, seconds=1.0
    )
    drawn = partial(learning_curves, trace.lines, [one] * evaluated, clip=clip, best=True)
    for path in write_figure(drawn, tmp_path / "curves", png=False):
        ET.fromstring(path.read_bytes())


def test_without_matplotlib_it_is_said_once_and_nothing_fails(capsys, monkeypatch, text, out):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, stdout, stderr = told(capsys, "train", text, "--out", out, "--steps", 12, "--json", *TINY)
    assert code == 0
    assert json.loads(stdout)["update"] == 12
    assert stderr == (
        "manual-rnn: no learning curves are drawn. A figure needs matplotlib, which is not installed; it comes with: "
        'pip install "manual-rnn[figures]".\n'
    )
    assert not [*out.glob("curves*")]


def test_curves_that_the_disk_takes_not_are_a_sentence(capsys, text, out):
    pytest.importorskip("matplotlib")
    told(capsys, "train", text, "--out", out, "--steps", 8, *TINY)
    for theme in ("light", "dark"):
        (out / f"curves-{theme}.svg").unlink()
        (out / f"curves-{theme}.svg").mkdir()
    code, stdout, stderr = told(capsys, "train", "--out", out, "--resume", "--steps", 12)
    assert (code, stdout) == (3, "")
    assert "curves cannot be written: " in stderr
    assert stderr.count("\n") == 1
    assert lines(out / "metrics.jsonl")[-1]["update"] == 12


def test_overwriting_takes_away_what_was_seen_of_the_run_before(capsys, monkeypatch, text, out):
    told(capsys, "train", text, "--out", out, "--steps", 8, *TINY)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert told(capsys, "train", text, "--out", out, "--steps", 4, "--overwrite", *TINY)[0] == 0
    assert not [*out.glob("curves*")]
    assert [one["update"] for one in lines(out / "samples.jsonl")] == [4]
    assert len(lines(out / "steps.jsonl")) == 4


def test_patience_leaves_the_weights_of_the_best_evaluation(capsys, monkeypatch, text, out):
    text.write_text("ab" * 300 + "aabb" * 20)
    given = ["--steps", 400, "--patience", 3, "--lr", 0.02, *TINY]
    code, stdout, stderr = told(capsys, "train", text, "--out", out, *given)
    assert (code, stderr) == (0, "")
    evaluations = lines(out / "metrics.jsonl")
    best = min(evaluations, key=lambda line: line["val_nats"])
    assert evaluations[-1]["update"] < 400
    assert evaluations.index(best) == len(evaluations) - 4
    assert f"{best['val_nats']:.3f} nats per character" in stdout
    assert f"after {best['update']} updates, the best; training ended after {evaluations[-1]['update']}" in stdout

    whole = out.with_name("whole")
    stops = ["--steps", best["update"], "--schedule", "constant", "--lr", 0.02, *TINY]
    constant = out.with_name("constant")
    assert told(capsys, "train", text, "--out", constant, "--schedule", "constant", *given)[0] == 0
    best = min(lines(constant / "metrics.jsonl"), key=lambda line: line["val_nats"])
    stops[1] = best["update"]
    assert told(capsys, "train", text, "--out", whole, *stops)[0] == 0
    mine, theirs = (load_file(run / "weights.safetensors") for run in (constant, whole))
    for name, array in theirs.items():
        np.testing.assert_array_equal(mine[name], array)


def test_a_run_that_ended_early_says_the_same_when_it_is_resumed(capsys, text, out):
    text.write_text("ab" * 300 + "aabb" * 20)
    given = ["train", text, "--out", out, "--patience", 2, "--lr", 0.02, *TINY]
    first = told(capsys, *given, "--steps", 400)
    weights = (out / "weights.safetensors").read_bytes()
    assert told(capsys, *given, "--resume", "--steps", 500) == first
    assert (out / "weights.safetensors").read_bytes() == weights
    code, _, stderr = told(capsys, *given[:4], "--resume", "--patience", 9)
    assert code == 2
    assert "cannot change --patience 9 (it is 2)" in stderr


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_loss_rate_and_remaining_time(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stderr", Terminal())
    told = TrainingOptions(hidden=4, seq_len=10, batch=5, steps=1000).filled()
    model = training.start(told, 3)
    moments = iter(np.arange(0, 1000, 0.02))  # 50 updates a second, of 50 characters
    monkeypatch.setattr("manual_rnn.cli.progress.perf_counter", lambda: next(moments))
    with TrainingProgress(model, told) as progress:
        for update in range(1, 6):
            progress.stepped(Step(update, 1.25, 1.0), update / 1000)
        progress._bar.refresh()
        model.samples.append(Sample(update=5, text="what it [b]writes"))
        progress.evaluated(Metrics(
            update=5, train_nats=1.25, val_nats=1.5, val_bits_per_char=2.2, grad_norm=1.0, seconds=0.1
        ))  # fmt: skip
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", sys.stderr.getvalue())
    assert re.search(r"update 5 ━+ 1\.250 nats 50 updates/s  2,500 characters/s \d\d:\d\d", shown), shown
    assert "update 5: 1.250 nats per character, 1.500 on the validation set" in shown
    assert "what it [b]writes" in shown


def test_the_progress_fits_into_eighty_columns():
    told = TrainingOptions(hidden=4, steps=10**6).filled()
    progress = TrainingProgress(training.start(told, 3), told)
    progress._bar.update(
        progress._task, completed=0.5, update=999_999, nats=10.123, rate="1,230 updates/s  9,900,000 characters/s"
    )
    from rich.console import Console

    console = Console(file=io.StringIO(), width=200)
    console.print(progress._bar.get_renderable())
    assert max(map(len, console.file.getvalue().rstrip().splitlines())) <= 90


@pytest.mark.skipif(os.name == "nt", reason="there are no such terminals")
def test_a_real_terminal_has_the_progress_and_stdout_the_result_alone(text, out):
    import pty
    import subprocess

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "manual_rnn", "train", str(text), "--out", str(out), "--steps", "12", "--json"]
    with subprocess.Popen([*command, *TINY], stdout=subprocess.PIPE, stderr=theirs) as running:
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # its end, on Linux
                break
            if not part:
                break
            seen += part
        stdout, _ = running.communicate()
    os.close(ours)
    assert json.loads(stdout)["update"] == 12
    assert b"update 12: " in seen
    assert b"nats per character" in seen


def test_help_says_which_weights_patience_leaves(capsys):
    main(["train", "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    if "Width of the hidden state" not in shown:
        pytest.skip("this version of cyclopts shows no words beside the options of a dataclass")
    assert "weights of the best evaluation" in shown
