"""Texts are read in pieces to what Python's own decoding of the whole gives, or refused in one sentence."""

import hashlib
import io
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manual_rnn import corpus as module
from manual_rnn.corpus import read_corpus
from manual_rnn.errors import InputError
from manual_rnn.text import Vocabulary, default_text
from manual_rnn.text_files import first_characters

ADVICE = "Give another."


def read(place, *texts, chunk=7, **others):
    return read_corpus([Path(text) for text in texts], place=place, advice=ADVICE, chunk=chunk, **others)


def written(folder, content, name="text.txt"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def assert_is(found, text):
    """What is held against :class:`Vocabulary`, which takes the text whole."""
    assert found.vocabulary == Vocabulary.of(text)
    np.testing.assert_array_equal(found.ids, found.vocabulary.encode(text))
    assert found.ids.dtype == np.min_scalar_type(max(len(set(text)) - 1, 0))
    assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()


def decoded(content):
    """Python's own decoding of a whole file, or None."""
    try:
        return None if b"\0" in content else content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None


some = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20).map(str.encode),
    st.text(st.characters(min_codepoint=0x300, max_codepoint=0x10FFFF, exclude_categories=["Cs"])).map(str.encode),
    st.sampled_from([b"\xef\xbb\xbf", b"\xef\xbb", b"\xef", b"\xed\xa0\x80", b"\xf0\x9f\x90", b"\0", b"\r\n", b"a"]),
)
contents = st.lists(some, max_size=4).map(b"".join)


drawn = {"files": st.lists(contents, min_size=1, max_size=3), "chunk": st.integers(1, 9)}


def check(files, chunk):
    """The files named each, and as a folder."""
    with TemporaryDirectory() as place:
        check_in(Path(place), files, chunk)


def check_in(folder, files, chunk):
    paths = [written(folder, content, str(k)) for k, content in enumerate(files)]
    texts = [decoded(content) for content in files]
    if None not in texts:
        assert_is(read(folder, *paths, chunk=chunk), "".join(texts))
    else:
        with pytest.raises(InputError) as refused:
            read(folder, *paths, chunk=chunk)
        first = paths[texts.index(None)]
        assert str(refused.value).startswith((f"{first} is binary: byte", f"{first} is not UTF-8: byte"))
        assert str(refused.value).endswith(ADVICE)
    if any(text is not None for text in texts):  # as a folder: what is no text is left out, and nothing of it stays
        told = []
        assert_is(read(folder, folder, chunk=chunk, tell=told.append), "".join(t for t in texts if t is not None))
        left = texts.count(None)
        assert told == ([f"{left} of the {len(files)} files in {folder} are binary or not UTF-8, and were left out."]
                        if left else [])  # fmt: skip


@given(**drawn)
def test_any_bytes_are_what_python_decodes_or_refused(files, chunk):
    check(files, chunk)


@pytest.mark.thorough
@settings(max_examples=5000)
@given(**drawn)
def test_5000_times_any_bytes_are_what_python_decodes_or_refused(files, chunk):
    check(files, chunk)


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), n=st.integers(0, 9))
def test_the_beginning_is_that_of_the_whole(tmp_path_factory, text, n):
    path = written(tmp_path_factory.mktemp("beginning"), text.encode())
    assert first_characters(path, n) == text.removeprefix("\ufeff")[:n]


@pytest.mark.parametrize("in_memory", [module.IN_MEMORY, 50])
@pytest.mark.parametrize("n", [2, 256, 257, 65536, 65537, 100_000])
def test_ids_are_as_wide_as_the_vocabulary_asks_in_memory_and_mapped(tmp_path, monkeypatch, n, in_memory):
    monkeypatch.setattr(module, "IN_MEMORY", in_memory)
    points = [*range(1, 0xD800), *range(0xE000, 0x110000)]
    points.remove(0xFEFF)
    text = "".join(map(chr, np.random.default_rng(0).permutation(points[:n]))) * 2 + "\x01" * 100
    path = written(tmp_path, text.encode())
    found = read(tmp_path, path, chunk=5000)
    assert_is(found, text)
    assert (found.mapped is not None) == (in_memory == 50)
    found.let_go()
    assert_is(found, text)
    assert not found.ids.flags.writeable
    assert list(tmp_path.iterdir()) == [path]


def test_the_default_text_is_long_english_prose(tmp_path):
    found = read(tmp_path, chunk=1 << 20)
    assert_is(found, default_text())
    assert len(found.ids) > 300_000
    assert default_text().count(" the ") > 2000


def test_folders_are_read_in_the_order_of_paths_without_what_is_hidden_or_a_run(tmp_path):
    folder = tmp_path / "folder"
    run = "c/run/.manual-rnn.lock", "c/run/metrics.jsonl"
    for name in ("b/1.txt", "a.txt", ".hidden", "b/.git/x", *run, "c/z", "b/0"):
        written(folder, f"{name};".encode(), name)
    (folder / "b" / "up").symlink_to(folder)
    assert_is(read(tmp_path, folder), "a.txt;b/0;b/1.txt;c/z;")
    assert_is(read(tmp_path, folder / "c", folder / "a.txt"), "c/z;a.txt;")


def test_each_mark_of_a_file_is_dropped_and_nothing_comes_between(tmp_path):
    paths = [written(tmp_path, "\ufeffa\ufeff\r\n".encode(), name) for name in "ab"]
    assert_is(read(tmp_path, *paths), "a\ufeff\r\n" * 2)


def test_standard_input(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("naïve ∇".encode())))
    path = written(tmp_path, b"before ")
    assert_is(read(tmp_path, path, "-"), "before naïve ∇")


class Terminal:
    @staticmethod
    def isatty():
        return True


@pytest.mark.parametrize(("stdin", "what"), [(None, "Standard input is closed"), (Terminal, "is a terminal")])
def test_a_standard_input_that_brings_nothing(tmp_path, monkeypatch, stdin, what):
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(InputError, match=what):
        read(tmp_path, "-")


def test_what_is_no_text_is_said(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    written(tmp_path, b"caf\xe9", "no/utf8")
    (tmp_path / "empty").mkdir()
    for path, what in (
        (tmp_path / "none", "There is no text file .*none. Give"),
        (tmp_path / "pipe", "is a pipe and no text file"),
        (Path("/dev/null"), "is a device or a socket and no text file"),
        (tmp_path / "empty", "There is no text file in the folder .*empty. Give"),
        (tmp_path / "no", "There is no text file in the folder .*no; its 1 files are binary or not UTF-8. Give"),
        (tmp_path / "no/utf8", "is not UTF-8: byte 3 is 0xe9. Give"),
        (tmp_path / ("long" * 99), "cannot be read: File name too long. Give"),
        (tmp_path / "no\0path", "cannot be read|no text file"),
    ):
        with pytest.raises(InputError, match=what):
            read(tmp_path, path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said(tmp_path):
    written(tmp_path, b"a", "folder/file").chmod(0)
    for path in (tmp_path / "folder" / "file", tmp_path / "folder"):
        with pytest.raises(InputError, match="file cannot be read: Permission denied"):
            read(tmp_path, path)


def test_a_disk_that_takes_not_what_is_long_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "IN_MEMORY", 10)
    with pytest.raises(InputError, match="takes it not: No such file or directory"):
        read(tmp_path / "nowhere", written(tmp_path, b"some text" * 9))
