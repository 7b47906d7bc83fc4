"""A run folder that is written to while the process dies, at every single call to the system; and by two at once."""

import os
import pathlib
import shutil
import subprocess
import sys
from itertools import groupby

import pytest

from manual_rnn.errors import InputError, UsageError
from manual_rnn.folder_lock import held
from manual_rnn.run_folder import FILES, WEIGHTS, RunFolder
from test_runs import CONFIG, PARAMS, VOCABULARY, trained

UPDATES = (0, 2, 3, 5, 8)


class Killed(BaseException):
    """From here on nothing is done any more: no cleaning up either."""


class Mortal:
    """Lets so many calls that change the disk pass, and none after them."""

    CALLS = ((os, "fsync"), (os, "replace"), (os, "rename"), (os, "unlink"), (os, "mkdir"), (os, "rmdir"))

    def __init__(self, monkeypatch, lives):
        self.lives, self.calls, self._monkeypatch = lives, 0, monkeypatch
        for module, name in self.CALLS:
            monkeypatch.setattr(module, name, self._counted(getattr(module, name)))
        monkeypatch.setattr(pathlib.Path, "open", self._counted(pathlib.Path.open))
        monkeypatch.setattr(shutil, "rmtree", self._counted(shutil.rmtree))

    def _counted(self, call):
        def counted(*arguments, **options):
            self.calls += 1
            if self.calls > self.lives:
                raise Killed
            return call(*arguments, **options)

        return counted


@pytest.fixture
def quick(monkeypatch):
    """A disk that syncs at once: what a loss of power leaves is not to be seen here anyway."""
    monkeypatch.setattr(os, "fsync", lambda opened: None)


def lives(path, model):
    """A run that is made, saves, goes on from its last checkpoint, and saves again."""
    with RunFolder.create(path, CONFIG, trained(updates=0), VOCABULARY) as folder:
        for updates in UPDATES[1:3]:
            folder.save(model[updates])
    with RunFolder.resumed(path, tell=pytest.fail) as (folder, _):
        for updates in UPDATES[3:]:
            folder.save(model[updates])


def test_a_kill_at_any_call_leaves_the_last_checkpoint_or_the_one_before(tmp_path, monkeypatch, quick):
    model = {updates: trained(updates=updates) for updates in UPDATES}
    with monkeypatch.context() as patch:
        counter = Mortal(patch, lives=10**9)
        lives(tmp_path / "whole", model)
    assert counter.calls > 50
    found = []
    for calls in range(counter.calls):
        path = tmp_path / f"{calls}" / "run"
        with monkeypatch.context() as patch:
            Mortal(patch, calls)
            with pytest.raises(Killed):
                lives(path, model)
        if not path.exists():
            with RunFolder.create(path, CONFIG, trained(updates=0), VOCABULARY):
                pass
        else:
            with RunFolder.resumed(path, tell=pytest.fail) as (folder, last):
                assert {n: a.tobytes() for n, a in last.training.params.items()} == {
                    n: a.tobytes() for n, a in model[last.update].params.items()
                }
                folder.save(last.training)
            found.append(last.update)
        assert not list(path.parent.glob("**/.*.tmp"))
    assert found == sorted(found)  # what has been saved is never lost again
    assert list(dict.fromkeys(found)) == list(UPDATES)


def test_a_second_process_is_refused_while_one_trains(tmp_path):
    path = tmp_path / "run"
    with RunFolder.create(path, CONFIG, trained(updates=0), VOCABULARY):
        for again in (
            lambda: RunFolder.resumed(path, tell=pytest.fail),
            lambda: RunFolder.create(path, CONFIG, trained(updates=0), VOCABULARY, overwrite=True),
        ):
            with pytest.raises(InputError, match=r"Another process is training into .*run; wait"), again():
                pass
    with RunFolder.resumed(path, tell=pytest.fail) as (_, last):
        assert last.update == 0


def test_the_lock_ends_with_the_process_that_has_it(tmp_path):
    holds = "import sys, pathlib, time\nfrom manual_rnn.folder_lock import held\n" \
            "with held(pathlib.Path(sys.argv[1])):\n    print('holds', flush=True); time.sleep(60)"  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", holds, tmp_path], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline().strip() == b"holds"
        with pytest.raises(InputError, match="Another process"), held(tmp_path):
            pass
        other.kill()
        other.wait()
        with held(tmp_path):
            pass


def saved(path, *updates):
    with RunFolder.create(path, CONFIG, trained(updates=0), VOCABULARY) as folder:
        for k in updates:
            folder.save(trained(updates=k))
    return sorted(path.glob("checkpoints/*"))


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"", lambda b: b[:-1] + bytes([b[-1] ^ 4])])
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_taken(tmp_path, damage):
    before, last = saved(tmp_path / "run", 2, 4)
    last.write_bytes(damage(last.read_bytes()))
    told = []
    with RunFolder.resumed(tmp_path / "run", tell=told.append) as (_, found):
        assert found.update == 2
    assert len(told) == 1
    assert "000000004.safetensors cannot be used: " in told[0]
    assert told[0].endswith("The training goes on from the checkpoint before it, after 2 updates.")
    assert sorted(path.name for path in before.parent.iterdir()) == [before.name, f"{last.name}.corrupt"]


def test_without_a_whole_checkpoint_it_says_what_is_wrong_with_each(tmp_path):
    for file in saved(tmp_path / "run", 2, 4):
        file.write_bytes(b"rubbish")
    with (
        pytest.raises(InputError, match=r"no checkpoint in .*000000004\.safe.* cannot be used.*000000002\.safe"),
        RunFolder.resumed(tmp_path / "run", tell=pytest.fail),
    ):
        pass
    assert len(list(tmp_path.glob("run/checkpoints/*.safetensors"))) == 2


def test_a_checkpoint_of_another_run_is_not_taken(tmp_path):
    _, last = saved(tmp_path / "run", 2, 4)
    config = {**CONFIG, "text": {"sha256": "another"}}
    with RunFolder.create(tmp_path / "other", config, trained(updates=0), VOCABULARY):
        pass
    (tmp_path / "other" / "checkpoints" / "000000000.safetensors").replace(last)
    told = []
    with RunFolder.resumed(tmp_path / "run", tell=told.append) as (_, found):
        assert found.update == 2
    assert "it is of another run than config.json" in told[0]


@pytest.mark.parametrize("name", [*FILES, WEIGHTS])
@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{}")])
def test_the_files_for_others_are_written_again_from_the_checkpoint(tmp_path, name, damage):
    saved(tmp_path / "run", 2, 4)
    whole = (tmp_path / "run" / name).read_bytes()
    damage(tmp_path / "run" / name)
    told = []
    with RunFolder.resumed(tmp_path / "run", tell=told.append) as (folder, found):
        folder.save(found.training)
    assert (tmp_path / "run" / name).read_bytes() == whole
    assert len(told) == (name in ("config.json", "vocabulary.json"))


def test_only_a_run_is_gone_on_with(tmp_path):
    for path, why in ((tmp_path / "none", "There is no run folder"), (tmp_path, "is no run folder: it has neither")):
        with pytest.raises(InputError, match=why), RunFolder.resumed(path, tell=pytest.fail):
            pass
    assert not list(tmp_path.iterdir())


def overwritten(path):
    with RunFolder.create(path, CONFIG, trained(updates=0), VOCABULARY, overwrite=True):
        pass


def test_overwriting_that_was_cut_short_can_be_done_again(tmp_path, monkeypatch, quick):
    path = tmp_path / "run"
    saved(path, 2, 4)
    with monkeypatch.context() as patch:
        counter = Mortal(patch, lives=10**9)
        overwritten(path)
    left = []
    for calls in range(counter.calls):
        shutil.rmtree(path)
        saved(path, 2, 4)
        with monkeypatch.context() as patch:
            Mortal(patch, calls)
            with pytest.raises(Killed):
                overwritten(path)
        left.append(updates_of(path))
        with RunFolder.create(path, CONFIG, trained(updates=0), VOCABULARY, overwrite=True) as folder:
            folder.save(trained())
        with RunFolder.resumed(path, tell=pytest.fail) as (_, found):
            assert found.update == 1
            assert all((found.training.params[name] == array).all() for name, array in PARAMS.items())
    # The run before, whose two checkpoints go in either order, then for a moment none, then the new one.
    assert [updates for updates, _ in groupby(left) if updates != 2] == [4, None, 0]
    assert left.count(None) <= 2


def updates_of(path):
    """Of the last checkpoint; None where there is none."""
    try:
        with RunFolder.resumed(path, tell=lambda sentence: None) as (_, found):
            return found.update
    except InputError:
        return None


def test_a_folder_that_another_makes_meanwhile_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "run"
    make = pathlib.Path.rename

    def first(self, target):
        with monkeypatch.context() as patch:
            patch.setattr(pathlib.Path, "rename", make)
            saved(path, 3)
        return make(self, target)

    monkeypatch.setattr(pathlib.Path, "rename", first)
    with (
        pytest.raises((InputError, UsageError), match=r"exists already|cannot be made"),
        RunFolder.create(path, CONFIG, trained(updates=0), VOCABULARY),
    ):
        pass
    assert list(tmp_path.iterdir()) == [path]
    with RunFolder.resumed(path, tell=pytest.fail) as (_, found):
        assert found.update == 3
