"""A file is there whole or not at all, and on the disk before it is said to be."""

import errno
import os
import stat

import pytest

from manual_rnn.files import sync_folder, write_whole


@pytest.fixture
def told(monkeypatch):
    """What is asked of the system, in its order."""
    calls, replace, sync = [], os.replace, os.fsync

    def synced(opened):
        of = os.fstat(opened)
        calls.append("folder" if stat.S_ISDIR(of.st_mode) else f"file of {of.st_size} bytes")
        sync(opened)

    def replaced(source, target):
        calls.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    return calls


def test_the_content_is_on_the_disk_before_its_name_and_the_name_before_it_returns(tmp_path, told):
    write_whole(tmp_path / "a", b"four")
    assert told == ["file of 4 bytes", "rename", *(["folder"] if hasattr(os, "O_DIRECTORY") else [])]
    assert (tmp_path / "a").read_bytes() == b"four"


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_where_it_fails_what_was_there_is_left_and_nothing_beside_it(tmp_path, monkeypatch, fails):
    write_whole(tmp_path / "a", b"before")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, fails, full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "a", b"after")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"before"


def test_a_file_system_that_syncs_no_folders_is_no_failure_and_a_broken_disk_is(tmp_path, monkeypatch):
    def refuses(number):
        def sync(opened):
            raise OSError(number, os.strerror(number))

        return sync

    monkeypatch.setattr(os, "fsync", refuses(errno.EINVAL))
    sync_folder(tmp_path)
    monkeypatch.setattr(os, "fsync", refuses(errno.EIO))
    with pytest.raises(OSError, match="error"):
        sync_folder(tmp_path)
