"""``manual-rnn train`` on every kind of text: short ones, several, folders, standard input, long ones, any bytes."""

import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings

from cell_files import told
from manual_rnn import training
from manual_rnn.fitting import fitted
from manual_rnn.options import TrainingOptions
from manual_rnn.text import split
from manual_rnn.windows import Windows
from study_files import PATIENCE
from test_checkpoint_fuzzed import told as told_quietly
from test_cli_resume import kept, on_a_disk
from test_corpus import contents, decoded, written
from thorough import only_thorough

pytestmark = pytest.mark.usefixtures("short_samples")
TINY = ["--layers", "1", "--hidden", "8", "--seq-len", "5", "--batch", "2", "--eval-every", "4"]
TEXT = b"the cat sat on the mat.\n" * 20


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run"


def config(out):
    return json.loads((out / "config.json").read_text())


def piped(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("n", [10, 60, 1777, 1778, *only_thorough(11, 57, 200)])
def test_a_short_text_trains_with_fewer_streams_and_then_shorter_windows(capsys, tmp_path, out, n):
    assert told(capsys, "train", written(tmp_path, (TEXT * 4)[:n]), "--out", out, "--hidden", 3, "--steps", 2)[0] == 0
    options = config(out)["options"]
    steps = n - n // 10 - 1
    assert (options["seq_len"], options["batch"]) == (min(50, steps), min(32, max(1, steps // 50)))


@pytest.mark.parametrize("given", [(), ("batch",), ("seq_len",), ("batch", "seq_len")])
def test_what_fits_has_a_window_and_what_is_given_stays(given):
    options = TrainingOptions(batch=3, seq_len=7)
    refused = 0
    for n in range(60):
        try:
            found = fitted(options, given, n)
        except ValueError:
            refused += 1
            continue
        learnt, rest = split(np.arange(n))
        assert Windows.of(learnt, T=found.seq_len, B=found.batch).per_epoch >= 1
        assert len(rest) >= 1
        assert all(getattr(found, name) == getattr(options, name) for name in given)
        assert n < 30 or found == options
    assert refused == {0: 10, 1: 10, 2: 24}[len(given)]


def test_several_texts_and_a_folder_are_one_text_and_resume_finds_them(capsys, tmp_path, out):
    texts = [written(tmp_path, TEXT), written(tmp_path, TEXT[::-1], "folder/a").parent]
    written(tmp_path, b"\0", "folder/b")
    whole = written(tmp_path, TEXT + TEXT[::-1], "whole")
    code, _, stderr = told(capsys, "train", *texts, "--out", out, "--steps", 6, *TINY)
    assert (code, stderr) == (
        0, f"manual-rnn: 1 of the 2 files in {texts[1]} are binary or not UTF-8, and were left out.\n",
    )  # fmt: skip
    assert told(capsys, "train", "--out", out, "--resume", "--steps", 9)[0] == 0
    assert config(out)["text"]["source"] == [str(text) for text in texts]
    assert config(out)["text"]["characters"] == 960
    told(capsys, "train", whole, "--out", tmp_path / "other", "--steps", 6, *TINY)
    assert told(capsys, "train", "--out", tmp_path / "other", "--resume", "--steps", 9)[0] == 0
    assert kept(out)["weights"] == kept(tmp_path / "other")["weights"]
    assert told(capsys, "train", whole, "--out", out, "--resume", "--steps", 10)[0] == 0
    assert config(out)["text"]["source"] == str(whole)


def test_standard_input_must_be_piped_in_again(capsys, monkeypatch, tmp_path, out):
    piped(monkeypatch, TEXT)
    assert told(capsys, "train", "-", "--out", out, "--steps", 6, *TINY)[0] == 0
    assert config(out)["text"]["source"] == "-"
    more = ["train", "--out", out, "--resume", "--steps", 9]
    monkeypatch.setattr(sys, "stdin", None)
    code, _, stderr = told(capsys, *more)
    assert (code, stderr.count("\n")) == (3, 1)
    assert "Standard input is closed" in stderr
    assert "480 characters in UTF-8; pipe them in again" in stderr
    piped(monkeypatch, b"")
    code, _, stderr = told(capsys, *more)
    assert (code, stderr.count("\n")) == (3, 1)
    assert "Standard input has another text than the run" in stderr
    piped(monkeypatch, TEXT)
    assert told(capsys, *more)[0] == 0
    told(capsys, "train", written(tmp_path, TEXT), "--out", tmp_path / "other", "--steps", 6, *TINY)
    told(capsys, "train", "--out", tmp_path / "other", "--resume", "--steps", 9)
    assert kept(out) == kept(tmp_path / "other")


def test_an_unknown_option_is_no_text(capsys, tmp_path, out):
    code, _, stderr = told(capsys, "train", written(tmp_path, TEXT), "--out", out, "-x")
    assert (code, stderr) == (2, "manual-rnn: Unknown option: -x. See manual-rnn train --help.\n")


def test_evaluation_on_the_beginning_of_the_validation_set(capsys, tmp_path, out):
    text = written(tmp_path, bytes(TEXT[:-24]) + b"mat the on sat cat the.\n" * 3)
    losses = []
    for k, evaluation in enumerate((["--eval-chars", 20], ["--eval-chars", 10_000], [])):
        run = out.with_name(str(k))
        assert told(capsys, "train", text, "--out", run, "--steps", 4, *TINY, *evaluation)[0] == 0
        losses.append(json.loads((run / "metrics.jsonl").read_text())["val_nats"])
    assert losses[1] == losses[2] != losses[0]
    assert told(capsys, "train", "--out", out.with_name("0"), "--resume", "--steps", 8, "--eval-chars", 10_000)[0] == 0
    assert told(capsys, "train", text, "--out", out, "--eval-chars", 0)[0] == 2


def test_ctrl_c_while_the_text_is_read_leaves_nothing(capsys, monkeypatch, tmp_path, out):
    class Pressed(io.BytesIO):
        def read(self, n=-1):
            signal.raise_signal(signal.SIGINT)
            pytest.fail("it went on")

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Pressed()))
    assert told(capsys, "train", "-", "--out", out)[0] == 130
    assert not list(tmp_path.iterdir())


def test_ctrl_c_in_an_evaluation_does_not_wait_for_it_and_loses_nothing(capsys, monkeypatch, tmp_path, out):
    text = written(tmp_path, TEXT)
    told(capsys, "train", text, "--out", tmp_path / "whole", "--steps", 10, *TINY)

    def pressed(*_):
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it went on")

    with monkeypatch.context() as patch:
        patch.setattr(training, "mean_nats", pressed)
        code, _, stderr = told(capsys, "train", text, "--out", out, "--steps", 10, *TINY)
    assert code == 130
    assert "the training after 4 updates is in" in stderr
    assert told(capsys, "train", "--out", out, "--resume")[0] == 0
    assert kept(out) == kept(tmp_path / "whole")


PEAK = (
    "import sys; from manual_rnn.cli.app import main; code = main(sys.argv[1:]); "
    "print(open('/proc/self/status').read(), file=sys.stderr); sys.exit(code)"
)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="it is Linux that tells the peak")
def test_the_memory_does_not_grow_with_the_text(tmp_path, out):
    peaks = []
    for megabytes in (20, 60):
        text = written(tmp_path, (bytes(range(32, 127)) * 10527)[:1_000_000] * megabytes)
        options = ["--steps", "3", "--hidden", "8", "--batch", "4", "--eval-chars", "1000", "--overwrite"]
        arguments = [sys.executable, "-c", PEAK, "train", str(text), "--out", str(out), *options]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=PATIENCE)
        peaks.append(int(re.search(r"VmHWM:\s+(\d+) kB", done.stderr)[1]))
    assert peaks[1] - peaks[0] < 10_000  # of 40 MB more; each stream has the pages around its window


def test_a_disk_without_room_for_a_long_text_is_a_sentence(tmp_path):
    text = written(tmp_path, TEXT * 40_000)
    done = on_a_disk(tmp_path, "train", text, "--out", "disk/run")
    assert (done.returncode, done.stdout) == (3, "")
    sentence = "manual-rnn: A text of more than 16 MiB is laid out on the disk, and disk takes it not: No space left"
    assert sentence in done.stderr.replace(str(tmp_path / "disk"), "disk")


def check(content):
    """One update on any bytes: a model that knows the text's characters, or a sentence and no folder."""
    with TemporaryDirectory() as place:
        path, out, text = written(Path(place), content), Path(place) / "run", decoded(content)
        code, _, stderr = told_quietly("train", path, "--out", out, "--steps", 1, "--hidden", 2)
        if text is None or len(text) < 10:
            assert code == 3
            assert stderr.startswith(f"manual-rnn: {path} ")
            assert stderr.count("\n") == 1
            assert list(Path(place).iterdir()) == [path]
        else:
            assert (code, stderr) == (0, "")
            assert json.loads((out / "vocabulary.json").read_text())["characters"] == sorted(set(text))
            assert config(out)["text"]["characters"] == len(text)


@given(contents)
def test_one_update_on_any_bytes(content):
    check(content)


@pytest.mark.thorough
@settings(max_examples=5000)
@given(contents)
def test_one_update_on_any_bytes_5000_times(content):
    check(content)
