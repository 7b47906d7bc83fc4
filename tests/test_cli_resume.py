"""``manual-rnn train --resume``: the same bits, what may change and what may not, signals, disks that take nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cell_files import told
from manual_rnn import checkpoint
from manual_rnn.cli.app import main
from manual_rnn.cli.interruption import Stop
from manual_rnn.run_folder import CURVES, SAMPLES, STEPS, RunFolder
from manual_rnn.sealed import unsealed
from study_files import PATIENCE, until
from thorough import only_thorough

pytestmark = pytest.mark.usefixtures("short_samples")
TINY = ["--hidden", "8", "--seq-len", "5", "--batch", "2", "--eval-every", "4"]
NOT_WINDOWS = pytest.mark.skipif(os.name == "nt", reason="there are other signals, locks and disks there")


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat.\n" * 20)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run"


def kept(out):
    """All that a run has come to, but the seconds."""
    tensors, document = unsealed(max(out.glob("checkpoints/*")).read_bytes())
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    history = [{name: value for name, value in line.items() if name != "seconds"} for line in lines]
    rest = {name: document[name] for name in ("update", "last", "optimiser", "dropout", "samples")}
    files = {path.name: path.read_bytes() for path in [out / SAMPLES, out / STEPS, *out.glob(f"{CURVES}-*.svg")]}
    arrays = {name: (array.dtype.str, array.tobytes()) for name, array in tensors.items()}
    weights = (out / "weights.safetensors").read_bytes()
    return {"arrays": arrays, "weights": weights, "history": history, **rest, **files}


def interrupted(monkeypatch, *arguments, after):
    """A command to which Ctrl-C comes in the middle of the update after so many."""
    from manual_rnn import training

    one_update, updates = training.one_update, []

    def pressed(*given, **options):
        updates.append(1)
        if len(updates) == after + 1:
            signal.raise_signal(signal.SIGINT)
        return one_update(*given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(training, "one_update", pressed)
        return main([str(argument) for argument in arguments])


@pytest.mark.parametrize(
    "options",
    [
        *only_thorough([]),
        ["--cell", "lstm", "--layers", 2, "--dropout", 0.3, "--dtype", "float64", "--optimizer", "adagrad"],
        *only_thorough(["--cell", "gru", "--init", "orthogonal", "--clip", "inf", "--schedule", "cosine"]),
        ["--accumulate", 2, "--warmup", 8, "--min-lr", 0.001, "--weight-decay", 0.1, "--patience", 9],
    ],
)
def test_a_run_that_is_interrupted_and_resumed_is_the_run_that_was_not(capsys, monkeypatch, text, out, options):
    whole = out.with_name("whole")
    assert told(capsys, "train", text, "--out", whole, "--steps", 22, *TINY, *options)[0] == 0
    assert interrupted(monkeypatch, "train", text, "--out", out, "--steps", 22, *TINY, *options, after=5) == 130
    assert "the training after 6 updates is in" in capsys.readouterr().err
    assert interrupted(monkeypatch, "train", "--out", out, "--resume", after=7) == 130
    assert "the training after 14 updates is in" in capsys.readouterr().err
    code, stdout, stderr = told(capsys, "train", "--out", out, "--resume", "--json")
    assert (code, stderr) == (0, "")
    assert json.loads(stdout)["update"] == 22
    assert kept(out) == kept(whole)
    samples = [told(capsys, "sample", run, "--length", 50, "--seed", 1) for run in (out, whole)]
    assert samples[0] == samples[1]
    assert samples[0][0] == 0


def test_steps_are_extended_and_the_run_is_the_longer_one(capsys, text, out):
    whole = out.with_name("whole")
    constant = ["--schedule", "constant"]
    told(capsys, "train", text, "--out", whole, "--steps", 16, *TINY, *constant)
    told(capsys, "train", text, "--out", out, "--steps", 8, *TINY, *constant)
    assert told(capsys, "train", "--out", out, "--resume", "--steps", 16)[0] == 0
    assert kept(out) == kept(whole)
    assert json.loads((out / "config.json").read_text())["options"]["steps"] == 16


def test_a_checkpoint_between_evaluations_changes_nothing(capsys, monkeypatch, text, out):
    from manual_rnn.cli import train

    whole = out.with_name("whole")
    told(capsys, "train", text, "--out", whole, "--steps", 10, *TINY)
    with monkeypatch.context() as patch:
        patch.setattr(train, "SAVE_SECONDS", -1)  # at each update
        patch.setattr(RunFolder, "save", dies_after(6, RunFolder.save))
        assert told(capsys, "train", text, "--out", out, "--steps", 10, *TINY)[0] == 4
    assert [int(path.stem) for path in sorted(out.glob("checkpoints/*"))] == [4, 5]
    assert told(capsys, "train", "--out", out, "--resume")[0] == 0
    assert kept(out) == kept(whole)


def dies_after(count, save):
    saved = []

    def dies(folder, model):
        save(folder, model)
        saved.append(model.update)
        if len(saved) == count:
            raise MemoryError

    return dies


def test_a_finished_run_is_told_as_it_is(capsys, text, out):
    first = told(capsys, "train", text, "--out", out, "--steps", 8, "--json", *TINY)
    before = kept(out)
    assert told(capsys, "train", "--out", out, "--resume", "--json") == first
    assert kept(out) == before


def test_a_run_by_seconds_goes_on_by_steps_and_the_other_way_round(capsys, text, out):
    told(capsys, "train", text, "--out", out, "--seconds", 0.05, *TINY)
    made = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    steps = made["update"] + 3
    line = json.loads(told(capsys, "train", "--out", out, "--resume", "--steps", steps, "--json")[1])
    assert line["update"] == steps
    assert line["seconds"] > made["seconds"]
    line = json.loads(told(capsys, "train", "--out", out, "--resume", "--seconds", 0.2, "--json")[1])
    assert line["update"] > steps
    assert line["seconds"] >= 0.2
    options = json.loads((out / "config.json").read_text())["options"]
    assert (options["steps"], options["seconds"]) == (None, 0.2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 8 updates, which no test of it may change."""
    place = tmp_path_factory.mktemp("trained")
    (place / "text.txt").write_text("the cat sat on the mat.\n" * 20)
    assert main(["train", str(place / "text.txt"), "--out", str(place / "run"), "--steps", "8", *TINY]) == 0
    return place / "run"


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["--hidden", "16"], 2, "cannot change --hidden 16 (it is 8); it may change --steps, --seconds, --eval-every,"),
        (["--lr", "1", "--cell", "rnn"], 2, "cannot change --cell rnn (it is gru), --lr 1.0 (it is 0.004)"),
        (["--hidden", "256"], 2, "cannot change --hidden 256 (it is 8)"),
        (["--seed", "1"], 2, "cannot change --seed 1"),
        (["--steps", "3"], 2, "--steps is 3, but the run in"),
        (["--steps", "0"], 2, "--steps is 0; it must be at least 1"),
        (["--overwrite"], 2, "--resume and --overwrite exclude each other"),
    ],
)
def test_what_may_not_change_is_refused_by_name_and_the_run_stays(capsys, trained, arguments, code, what):
    before = kept(trained)
    given, stdout, stderr = told(capsys, "train", "--out", trained, "--resume", *arguments)
    assert (given, stdout) == (code, "")
    assert what in stderr
    assert kept(trained) == before


def test_options_that_are_as_they_were_may_be_given_again(capsys, text, out):
    command = ["train", text, "--out", out, "--steps", 8, "--clip", "inf", *TINY]
    told(capsys, *command)
    assert told(capsys, *command, "--resume", "--lr", 0.004, "--threads", 2)[0] == 0


def test_another_text_is_refused_and_the_same_text_elsewhere_is_not(capsys, text, out):
    told(capsys, "train", text, "--out", out, "--steps", 8, *TINY)
    other = text.with_name("other.txt")
    other.write_text(text.read_text().replace("cat", "dog"))
    code, _, stderr = told(capsys, "train", other, "--out", out, "--resume", "--steps", 12)
    assert code == 3
    assert "other.txt has another text than the run in" in stderr
    assert stderr.count("\n") == 1
    text.rename(other)
    code, _, stderr = told(capsys, "train", "--out", out, "--resume", "--steps", 12)
    assert code == 3
    assert "There is no text file" in stderr
    assert told(capsys, "train", other, "--out", out, "--resume", "--steps", 12)[0] == 0
    assert told(capsys, "train", "--out", out, "--resume", "--steps", 16)[0] == 0


def test_the_default_text_is_found_again(capsys, out):
    told(capsys, "train", "--out", out, "--steps", 1, "--hidden", 4, "--eval-chars", 1000)
    assert told(capsys, "train", "--out", out, "--resume", "--steps", 2)[0] == 0


def test_a_damaged_checkpoint_is_told_on_stderr_and_the_result_is_the_same(capsys, text, out):
    whole = out.with_name("whole")
    for path in (whole, out):
        told(capsys, "train", text, "--out", path, "--steps", 18, *TINY)
    last = max(out.glob("checkpoints/*"))
    last.write_bytes(last.read_bytes()[:-100])
    code, stdout, stderr = told(capsys, "train", "--out", out, "--resume", "--json")
    assert code == 0
    assert json.loads(stdout)["update"] == 18
    assert stderr.startswith(f"manual-rnn: {last} cannot be used: ")
    assert "goes on from the checkpoint before it, after 16 updates" in stderr
    assert stderr.count("\n") == 1
    last.with_name(f"{last.name}.corrupt").unlink()
    assert kept(out) == kept(whole)


@pytest.mark.parametrize("arguments", [["--out", "none"], ["--out", "."]])
def test_there_has_to_be_a_run(capsys, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code, stdout, stderr = told(capsys, "train", "--resume", *arguments)
    assert (code, stdout) == (3, "")
    assert "no run folder" in stderr
    assert not list(tmp_path.iterdir())


def command(*arguments):
    return [sys.executable, "-m", "manual_rnn", *map(str, arguments)]


def begun(*arguments):
    return subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@NOT_WINDOWS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends_with_130(capsys, text, out, number):
    with begun("train", text, "--out", out, "--seconds", 600, *TINY) as running:
        until((out / "weights.safetensors").exists)
        code, _, stderr = told(capsys, "train", text, "--out", out, "--resume", "--steps", 9)
        assert code == 3
        assert "Another process is training into" in stderr
        running.send_signal(number)
        stdout, errors = running.communicate(timeout=PATIENCE)
    assert (running.returncode, stdout) == (130, b"")
    said = errors.decode().splitlines()
    assert len(said) == 2
    found = checkpoint.from_bytes(max(out.glob("checkpoints/*")).read_bytes())
    assert f"the training after {found.update} updates is in {out}; " in said[0]
    assert "--resume' goes on from there" in said[0]
    assert said[1] == "manual-rnn: interrupted."
    assert told(capsys, "train", "--out", out, "--resume", "--steps", found.update + 1)[0] == 0


def test_before_the_first_update_there_is_nothing_to_keep(monkeypatch, text, out):
    with monkeypatch.context() as patch:
        patch.setattr(Stop, "undisturbed", lambda self: signal.raise_signal(signal.SIGINT))
        assert main(["train", str(text), "--out", str(out), "--steps", "9", *TINY]) == 130
    assert not out.exists()


def test_a_second_ctrl_c_ends_at_once_and_the_last_checkpoint_stays(capsys, monkeypatch, text, out):
    from manual_rnn import training

    told(capsys, "train", text, "--out", out, "--steps", 8, *TINY)
    before = kept(out)

    def never_ends(*_, **__):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
        pytest.fail("it went on")

    with monkeypatch.context() as patch:
        patch.setattr(training, "one_update", never_ends)
        code, _, stderr = told(capsys, "train", "--out", out, "--resume", "--steps", 20)
    assert (code, stderr) == (130, "manual-rnn: interrupted.\n")
    after = kept(out)
    assert after == before


LIMITED = (
    "import resource, sys; from manual_rnn.cli.app import main; "
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0})); sys.exit(main(sys.argv[1:]))"
)


@NOT_WINDOWS
def test_a_file_that_may_not_grow_is_a_sentence_and_what_was_saved_is_kept(capsys, text, out):
    told(capsys, "train", text, "--out", out, "--steps", 8, *TINY)
    before = kept(out)
    for arguments in (
        ["--out", out, "--resume", "--steps", 12],
        [text, "--out", out, "--overwrite", *TINY],
        [text, "--out", out.with_name("new"), *TINY],
    ):
        limited = [sys.executable, "-c", LIMITED.format(2000), "train", *map(str, arguments)]
        done = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert (done.returncode, done.stdout) == (3, "")
        assert "File too large" in done.stderr
        assert done.stderr.count("\n") == 1
    assert "cannot be made" in done.stderr
    assert sorted(path.name for path in out.parent.iterdir()) == ["run", "text.txt"]
    assert not list(out.glob("**/.*.tmp"))
    assert kept(out) == before
    assert told(capsys, "train", "--out", out, "--resume", "--steps", 12)[0] == 0


MOUNTED = """
mkdir disk; mount -t tmpfs -o size={size} tmpfs disk
{before}; {run}; code=$?
cp -r disk/run copy; exit $code
"""


def on_a_disk(place, *arguments, size="1m", before="true"):
    """A command with a disk of its own, mounted where nobody else sees it; what it leaves is in ``copy``."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare to mount a disk with")
    trial = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if subprocess.run(trial, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a disk, not even for itself")
    script = MOUNTED.format(size=size, before=before, run=" ".join(command(*arguments)))
    environment = os.environ | {"PYTHONPATH": str(Path(checkpoint.__file__).parents[1])}
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], cwd=place, env=environment, capture_output=True, text=True,
        check=False, timeout=PATIENCE,
    )  # fmt: skip


@NOT_WINDOWS
def test_a_full_disk_is_a_sentence_and_the_last_checkpoint_stays(capsys, text, out):
    """It fills up while the run goes on: metrics.jsonl and the checkpoints grow with each evaluation."""
    options = ["--steps", 4000, "--hidden", 16, "--seq-len", 5, "--batch", 2, "--eval-every", 1]
    done = on_a_disk(text.parent, "train", text, "--out", "disk/run", *options, size="128k")
    assert (done.returncode, done.stdout) == (3, "")
    assert "cannot be written: No space left on device. What was saved before is kept" in done.stderr
    assert done.stderr.count("\n") == 1
    copy = text.parent / "copy"
    found = checkpoint.from_bytes(max(copy.glob("checkpoints/*.safetensors")).read_bytes())
    assert found.update > 0
    code, _, stderr = told(capsys, "train", "--out", copy, "--resume", "--steps", found.update + 5)
    assert (code, stderr) == (0, "")
    assert np.isfinite(json.loads((copy / "metrics.jsonl").read_text().splitlines()[-1])["val_nats"])


@NOT_WINDOWS
def test_a_disk_that_is_read_only_is_a_sentence(capsys, text, out):
    told(capsys, "train", text, "--out", out, "--steps", 8, *TINY)
    before = "cp -r run disk/run; mount -o remount,ro disk"
    arguments = ["--out", "disk/run", "--resume", "--steps", 12]
    done = on_a_disk(text.parent, "train", *arguments, before=before)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "manual-rnn: The run folder disk/run cannot be written: Read-only file system.\n"
