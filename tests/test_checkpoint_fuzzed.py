"""A run folder whose files are cut, flipped, exchanged and taken away: a sentence or the right result, nothing else.

Right is what one of two undisturbed runs gives, whose files have the same sizes and names: theirs is what is exchanged.
"""

import contextlib
import io
import os
import shutil

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from manual_rnn.cli import curves
from manual_rnn.cli.app import main
from test_cli_resume import kept

OPTIONS = ["--hidden", 5, "--seq-len", 4, "--batch", 2, "--eval-every", 4, "--schedule", "constant"]
TEXTS = {"one": "the cat sat on the mat.\n", "other": "the dog ate off the cot.\n"}
FILES = (
    "config.json", "vocabulary.json", "weights.safetensors", "metrics.jsonl", "samples.jsonl", "steps.jsonl",
    "checkpoints/000000004.safetensors", "checkpoints/000000008.safetensors",
)  # fmt: skip
THOROUGH = settings(max_examples=5000)


def told(*arguments):
    """(exit code, stdout, stderr) of a command."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = main([str(argument) for argument in arguments])
    return code, out.getvalue(), errors.getvalue()


def sampled(folder):
    return told("sample", folder, "--length", 20, "--seed", 1)


def resumed(folder):
    return told("train", "--out", folder, "--resume", "--steps", 12)


class Place:
    """Two runs that stopped after 8 of 12 updates, what they come to, and a folder in which files are spoilt."""

    def __init__(self, path):
        self.spoilt = path / "spoilt"
        self.files, self.samples, self.ends = {}, [], []
        for run, text in TEXTS.items():
            (path / f"{run}.txt").write_text(text * 10)
            told("train", path / f"{run}.txt", "--out", path / run, "--steps", 8, *OPTIONS)
            self.files |= {(run, name): (path / run / name).read_bytes() for name in FILES}
            self.samples.append(sampled(path / run)[1])
            assert resumed(path / run)[0] == 0
            self.ends.append(kept(path / run))

    def spoil(self, changes):
        shutil.rmtree(self.spoilt, ignore_errors=True)
        (self.spoilt / "checkpoints").mkdir(parents=True)
        for name in FILES:
            content = self.files["one", name]
            for change in changes.get(name, ()):
                content = self.changed(content, *change)
            if content is not None:
                (self.spoilt / name).write_bytes(content)

    def changed(self, content, how, *what):
        if how == "gone" or content is None:
            return None
        if how == "is":
            return self.files[what]
        where = int(what[0] * len(content))
        if how == "cut":
            return content[:where]
        if how == "flipped" and where < len(content):
            return content[:where] + bytes([content[where] ^ 1 << what[1]]) + content[where + 1 :]
        if how == "written over":
            return content[:where] + what[1] + content[where + len(what[1]) :]
        return content[:where] + what[1] + content[where:] if how == "pushed in" else content


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda opened: None)  # they would take most of the time
        patch.setattr(curves, "draw_curves", lambda *_: None)
        yield Place(tmp_path_factory.mktemp("fuzzed"))


places = st.floats(0, 1)
change = st.one_of(
    st.tuples(st.just("cut"), places),
    st.tuples(st.just("flipped"), places, st.integers(0, 7)),
    st.tuples(st.sampled_from(["written over", "pushed in"]), places, st.binary(min_size=1, max_size=12)),
    st.tuples(st.just("is"), st.sampled_from(list(TEXTS)), st.sampled_from(FILES)),
    st.just(("gone",)),
)
some_changes = st.dictionaries(st.sampled_from(FILES), st.lists(change, min_size=1, max_size=3), min_size=1)
exchanged = st.dictionaries(  # some of the other run's files, each in its place
    st.sampled_from(FILES), st.none(), min_size=1
).map(lambda names: {name: [("is", "other", name)] for name in names})
spoilt = some_changes | exchanged


def is_a_sentence(errors):
    return errors.startswith("manual-rnn: ") and errors.count("\n") == 1 and "mistake of manual-rnn's own" not in errors


def check_sample(place, changes):
    place.spoil(changes)
    code, out, errors = sampled(place.spoilt)
    event(f"exit code {code}")
    if code == 0:
        assert errors == ""
        assert out in place.samples
    else:
        assert (code, out) == (3, "")
        assert is_a_sentence(errors), errors


def check_resumed(place, changes):
    place.spoil(changes)
    code, out, errors = resumed(place.spoilt)
    event(f"exit code {code}")
    if code == 0:
        assert all(is_a_sentence(f"{line}\n") for line in errors.splitlines())
        assert kept(place.spoilt) in place.ends
        assert sampled(place.spoilt)[0] == 0
    else:
        assert (code, out) == (3, "")
        assert is_a_sentence(errors), errors


@given(spoilt)
def test_sampling_from_a_spoilt_run(place, changes):
    check_sample(place, changes)


@given(spoilt)
def test_going_on_with_a_spoilt_run(place, changes):
    check_resumed(place, changes)


@pytest.mark.thorough
@THOROUGH
@given(spoilt)
def test_sampling_from_5000_spoilt_runs(place, changes):
    check_sample(place, changes)


@pytest.mark.thorough
@THOROUGH
@given(spoilt)
def test_going_on_with_5000_spoilt_runs(place, changes):
    check_resumed(place, changes)


def test_a_wrong_model_would_be_seen(place):
    """That the comparison can fail: other weights without a checksum are taken and sampled from."""
    from safetensors.numpy import load, save

    place.spoil({})
    weights = place.spoilt / "weights.safetensors"
    weights.write_bytes(save({name: -array for name, array in load(weights.read_bytes()).items()}))
    code, out, _ = sampled(place.spoilt)
    assert code == 0
    assert out not in place.samples
