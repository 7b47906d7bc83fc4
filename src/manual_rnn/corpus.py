"""A text for training, read once and in pieces: it is never whole in memory, however long it is.

Each piece goes through an incremental decoder and becomes ids. New characters are numbered as they come; at the end,
when all are known, the ids are written anew in the order of code points, in the smallest unsigned integers that hold
them. Up to 16 MiB of ids stay in memory. More go to a file without a name in the folder of the run, which is mapped
and is gone with the process, however that ends. One pass is enough, so standard input needs no copy of its own.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.errors import InputError
from manual_rnn.text import DEFAULT_SOURCE, Vocabulary, code_points, default_text
from manual_rnn.text_files import CHUNK, STDIN, NoText, Unusable, files_of, is_folder, opened, pieces, standard_input

IN_MEMORY = 1 << 24
"""Bytes of ids that need no file: a small text asks nothing of the disk."""
CODE_POINTS = 0x110000


@dataclass(frozen=True)
class Corpus:
    """What training reads of a text."""

    vocabulary: Vocabulary
    ids: Array
    """(N,), read-only, in the smallest unsigned integers."""
    sha256: str
    """Of the text in UTF-8."""
    mapped: mmap.mmap | None = None
    """The file that the ids lie in, if they are many."""

    def let_go(self) -> None:
        """Gives back the memory of what was read of the file; the system keeps it as long as it has room."""
        if self.mapped is not None and hasattr(self.mapped, "madvise"):
            self.mapped.madvise(mmap.MADV_DONTNEED)


def read_corpus(
    texts: Sequence[Path],
    *,
    place: Path,
    advice: str,
    tell: Callable[[str], None] = lambda sentence: None,
    chunk: int = CHUNK,
) -> Corpus:
    """The texts one after the other, with nothing between; without any, :func:`default_text`.

    A folder stands for the files in it; what is no text there is left out, and ``tell`` gets how much in a sentence.
    A path ``-`` is standard input. ``place`` is a folder with room for the ids of a long text, ``chunk`` the bytes of
    a piece.

    Raises:
        InputError: a text is missing, binary, not UTF-8, or no text at all; its sentence ends with ``advice``. Or the
            disk takes not what a long text needs.
    """
    try:
        with closing(_Ids(place)) as ids:
            if not texts:
                ids.add(pieces(BytesIO(default_text().encode()), DEFAULT_SOURCE, chunk))
            for path in texts:
                if str(path) == STDIN:
                    ids.add(pieces(standard_input(), named(path), chunk))
                elif is_folder(path):
                    _add_folder(ids, path, tell, chunk)
                else:
                    with opened(path) as source:
                        ids.add(pieces(source, str(path), chunk))
            return ids.finished()
    except Unusable as error:
        raise InputError(f"{error} {advice}") from None
    except OSError as error:  # of the file for the ids: those of the texts are Unusable
        raise InputError(
            f"A text of more than {IN_MEMORY >> 20} MiB is laid out on the disk, and {place} takes it not: "
            f"{error.strerror}."
        ) from None


def named(path: Path | str) -> str:
    """How a source is called in a sentence."""
    return "Standard input" if str(path) == STDIN else str(path)


def _add_folder(ids: _Ids, folder: Path, tell: Callable[[str], None], chunk: int) -> None:
    read = left = 0
    for path in files_of(folder):
        before = ids.mark()
        with opened(path) as source:
            try:
                ids.add(pieces(source, str(path), chunk))
                read += 1
            except NoText:
                ids.back_to(before)
                left += 1
    if not read:
        what = f"; its {left} files are binary or not UTF-8" if left else ""
        raise Unusable(f"There is no text file in the folder {folder}{what}.")
    if left:
        tell(f"{left} of the {read + left} files in {folder} are binary or not UTF-8, and were left out.")


class _Ids:
    """What has been read so far. Characters are numbered as they come. Raises OSError where the disk is full."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._file = self._new()
        self._dtype: np.dtype[Any] = np.dtype(np.uint8)
        self._id_of = np.full(CODE_POINTS, -1, np.int32)
        self._points: list[int] = []
        self._digest = sha256()
        self._count = 0

    def _new(self) -> SpooledTemporaryFile[bytes]:
        return SpooledTemporaryFile(IN_MEMORY, dir=str(self._place))

    def close(self) -> None:
        """Gives the file back, but for what is mapped of it."""
        self._file.close()

    def add(self, texts: Iterable[str]) -> None:
        """Takes the pieces of a text."""
        for text in texts:
            points = code_points(text)
            ids = self._id_of[points]
            if (unknown := ids < 0).any():
                self._number(np.unique(points[unknown]))
                ids = self._id_of[points]
            self._digest.update(text.encode())
            self._count += len(ids)
            self._write(ids)

    def mark(self) -> tuple[int, int, Any]:
        """Where one is, to come back to."""
        return self._count, len(self._points), self._digest.copy()

    def back_to(self, mark: tuple[int, int, Any]) -> None:
        """Forgets what has come since."""
        self._count, known, self._digest = mark
        self._id_of[self._points[known:]] = -1
        del self._points[known:]
        self._file.seek(self._count * self._dtype.itemsize)
        self._file.truncate()

    def finished(self) -> Corpus:
        """The ids by code point."""
        order = np.argsort(np.array(self._points, np.int64))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        dtype = _smallest(len(order))
        if dtype != self._dtype or (rank != np.arange(len(rank))).any():
            self._rewrite(rank, dtype)
        vocabulary = Vocabulary("".join(map(chr, sorted(self._points))))
        size, mapped = self._count * dtype.itemsize, None
        self._file.seek(0)
        if size <= IN_MEMORY:
            ids = np.frombuffer(self._file.read(), dtype)
        else:
            mapped = mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ)
            ids = np.frombuffer(mapped, dtype)
        return Corpus(vocabulary, ids, self._digest.hexdigest(), mapped)

    def _number(self, new: Array) -> None:
        self._id_of[new] = np.arange(len(self._points), len(self._points) + len(new))
        self._points += new.tolist()
        if (dtype := _smallest(len(self._points))).itemsize > self._dtype.itemsize:
            self._rewrite(np.arange(len(self._points)), dtype)

    def _rewrite(self, ids: Array, dtype: np.dtype[Any]) -> None:
        """Puts ``ids[i]`` in the place of each i, as integers of another type."""
        old, before = self._file, self._dtype
        self._file, self._dtype = self._new(), dtype
        with old:
            old.seek(0)
            while raw := old.read(CHUNK):
                self._write(ids[np.frombuffer(raw, before)])

    def _write(self, ids: Array) -> None:
        self._file.write(ids.astype(self._dtype).tobytes())


def _smallest(n: int) -> np.dtype[Any]:
    """The smallest unsigned integers that count up to n different characters."""
    return np.min_scalar_type(max(n - 1, 0))
