"""What ``manual-rnn train --tensorboard`` writes, read back with TensorBoard's own reader."""

import json
import sys
import time
from dataclasses import replace

import pytest

from cell_files import told
from manual_rnn import event_file, training
from manual_rnn.errors import InputError
from manual_rnn.options import TrainingOptions
from manual_rnn.training import Metrics
from test_cli_resume import interrupted

pytestmark = pytest.mark.usefixtures("short_samples")
TINY = [
    *("--layers", "1", "--hidden", "8", "--seq-len", "5", "--batch", "2", "--eval-every", "4"),
    "--tensorboard",
]
LINE = Metrics(update=4, train_nats=2.0, val_nats=3.0, val_bits_per_char=4.0, grad_norm=0.5, seconds=10.0)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat.\n" * 20)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def read():
    """A function that gives what TensorBoard shows of a run folder: events by tag."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def events(run):
        found = reader.EventAccumulator(str(run / event_file.FOLDER)).Reload()
        return {tag: found.Scalars(tag) for tag in found.Tags()["scalars"]}

    return events


def shows(events, run):
    """That it is what metrics.jsonl has, to the last bit of float32, and nothing twice."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert events.keys() == event_file.SCALARS.keys()
    for tag, name in event_file.SCALARS.items():
        assert [event.step for event in events[tag]] == [line["update"] for line in lines]
        assert [event.value for event in events[tag]] == pytest.approx([line[name] for line in lines], rel=1e-7)
        apart = [event.wall_time - events[tag][0].wall_time for event in events[tag]]
        # Times since 1970 in float64 have a resolution of 2e-7 s.
        assert apart == pytest.approx([line["seconds"] - lines[0]["seconds"] for line in lines], abs=1e-6)
    return len(lines)


def test_it_has_every_evaluation(capsys, text, out, read):
    code, stdout, stderr = told(capsys, "train", text, "--out", out, "--steps", 10, "--json", *TINY)
    assert (code, stderr) == (0, "")
    assert json.loads(stdout)["update"] == 10
    assert shows(read(out), out) == 3


def test_a_run_that_is_resumed_shows_no_step_twice(capsys, monkeypatch, text, out, read):
    assert interrupted(monkeypatch, "train", text, "--out", out, "--steps", 22, *TINY, after=9) == 130
    assert shows(read(out), out) == 2
    assert told(capsys, "train", "--out", out, "--resume")[0] == 0
    assert shows(read(out), out) == 6
    assert told(capsys, "train", "--out", out, "--resume")[0] == 0  # it is over
    assert shows(read(out), out) == 6
    assert len([*(out / event_file.FOLDER).iterdir()]) == 1


def test_what_the_checkpoint_does_not_know_is_forgotten(capsys, text, out, read):
    """A kill between a checkpoint that is damaged later and the next: steps were shown that are made anew."""
    told(capsys, "train", text, "--out", out, "--steps", 18, *TINY)
    last = max(out.glob("checkpoints/*"))
    last.write_bytes(b"")
    assert told(capsys, "train", "--out", out, "--resume")[0] == 0
    assert shows(read(out), out) == 5


def test_an_older_file_that_is_still_there_is_not_shown_beside_the_new_one(capsys, text, out, read):
    """As after a kill between the new one and taking the old one away; or where TensorBoard has read it before."""
    told(capsys, "train", text, "--out", out, "--steps", 8, *TINY)
    (old,) = (out / event_file.FOLDER).iterdir()
    content = old.read_bytes()
    told(capsys, "train", "--out", out, "--resume", "--steps", 12)
    old.write_bytes(content)
    assert shows(read(out), out) == 3


def test_it_may_begin_and_end_with_any_resumption(capsys, text, out, read):
    told(capsys, "train", text, "--out", out, "--steps", 8, *TINY[:-1])
    assert not (out / event_file.FOLDER).exists()
    assert told(capsys, "train", "--out", out, "--resume", "--steps", 12, "--tensorboard")[0] == 0
    assert shows(read(out), out) == 3
    assert told(capsys, "train", "--out", out, "--resume", "--steps", 16, "--no-tensorboard")[0] == 0
    assert len(read(out)["loss/validation"]) == 3


def test_overwriting_begins_anew(capsys, text, out, read):
    told(capsys, "train", text, "--out", out, "--steps", 12, *TINY)
    told(capsys, "train", text, "--out", out, "--steps", 4, "--overwrite", *TINY)
    assert shows(read(out), out) == 1
    told(capsys, "train", text, "--out", out, "--steps", 4, "--overwrite", *TINY[:-1])
    assert not (out / event_file.FOLDER).exists()


def test_the_time_of_an_interruption_is_no_time_of_training(tmp_path, read):
    """The last evaluation of what goes on was just now, and the ones before it as much earlier as they took."""
    model = training.start(TrainingOptions(hidden=2), 3)
    model.history, model.seconds = [LINE, replace(LINE, update=8, seconds=1000.0)], 1000.0
    with event_file.event_file(tmp_path, model):
        pass
    first, last = read(tmp_path)["gradient_norm"]
    assert last.wall_time == pytest.approx(time.time(), abs=60)
    assert last.wall_time - first.wall_time == pytest.approx(990, abs=1e-6)


def test_a_file_cut_short_by_a_kill_is_read_as_far_as_it_goes(tmp_path, read):
    (tmp_path / event_file.FOLDER).mkdir()
    path = tmp_path / event_file.FOLDER / "events.out.tfevents.1"
    file = event_file.EventFile(path, began=0.0)
    for update in (4, 8):
        file.add(replace(LINE, update=update))
    file.close()
    path.write_bytes(path.read_bytes()[:-5])
    assert [event.step for event in read(tmp_path)["gradient_norm"]] == [4]


def test_what_the_disk_takes_not_is_a_sentence(tmp_path, read):
    class Full:
        def write(self, record):
            raise OSError(28, "No space left on device")

    path = tmp_path / "events.out.tfevents.1"
    file = event_file.EventFile(path, began=0.0)
    file._records = Full()
    with pytest.raises(InputError, match=r"tfevents\.1 cannot be written: No space left on device\."):
        file.add(LINE)
    file.close()


def test_a_folder_that_cannot_be_made_is_a_sentence(capsys, text, out, read):
    told(capsys, "train", text, "--out", out, "--steps", 8, *TINY[:-1])
    (out / event_file.FOLDER).write_text("")
    code, stdout, stderr = told(capsys, "train", "--out", out, "--resume", "--steps", 12, "--tensorboard")
    assert (code, stdout) == (3, "")
    assert "tensorboard cannot be written: " in stderr
    assert stderr.count("\n") == 1


def test_without_the_extra_it_is_a_sentence_and_no_folder_is_made(capsys, monkeypatch, text, out):
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.record_writer", None)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    code, stdout, stderr = told(capsys, "train", text, "--out", out, "--steps", 10, *TINY)
    assert (code, stdout) == (3, "")
    assert stderr == (
        "manual-rnn: --tensorboard needs tensorboard, which is not installed; it comes with: "
        'pip install "manual-rnn[tensorboard]".\n'
    )
    assert not out.exists()
