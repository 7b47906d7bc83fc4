"""A text as a character model sees it: what is read, its characters as ids, the tenth kept for validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.errors import InputError

DEFAULT_SOURCE = "pydoc_data.topics"


def default_text() -> str:
    """English prose that Python's standard library carries: the language reference behind ``help("while")``.

    About 460,000 characters. It is rewritten from one version of Python to the next, so two losses on it may
    be compared only where the version is the same; a run records it.
    """
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def characters_needed(seq_len: int, batch: int) -> int:
    """The shortest text whose first nine tenths hold a window of ``seq_len`` steps from ``batch`` streams."""
    # Of N characters ⌈9N/10⌉ are for training: one for each input, and one more for the last target.
    inputs = seq_len * batch
    return max(10 * inputs // 9 + 1, 10)


def read_text(path: Path | None, *, seq_len: int, batch: int) -> tuple[str, str]:
    """The text and the name of its source; without a path, :func:`default_text`.

    Raises:
        InputError: the file is missing, empty, binary, not UTF-8 or too short; it says what is needed.
    """
    needed = characters_needed(seq_len, batch)
    advice = (
        f"Training needs a text in UTF-8 of at least {needed} characters, "
        f"for windows of {seq_len} from {batch} streams (--seq-len, --batch)."
    )
    text, source = (default_text(), DEFAULT_SOURCE) if path is None else (decode_file(path, advice), str(path))
    if len(text) < needed:
        what = f"has only {len(text)} characters" if text else "is empty"
        raise InputError(f"{source} {what}. {advice}")
    return text, source


def decode_file(path: Path, advice: str) -> str:
    """The text of a file in UTF-8. Raises InputError, which ends with the advice, where it has none."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no text file {path}. {advice}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. {advice}") from None
    if b"\0" in raw:
        raise InputError(f"{path} is binary: byte {raw.index(0)} is NUL, which no text holds. {advice}")
    try:
        return raw.decode("utf-8-sig")  # drops the mark that some editors put before the first character
    except UnicodeDecodeError as error:
        where = f"byte {error.start} is 0x{raw[error.start]:02x}"
        raise InputError(f"{path} is not UTF-8: {where}. {advice}") from None


@dataclass(frozen=True)
class Vocabulary:
    """The characters of a text by code point; the id of a character is its place among them."""

    characters: str

    @classmethod
    def of(cls, text: str) -> Vocabulary:
        """The vocabulary of the whole text, so that validation meets no character without an id."""
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.characters)

    def unseen(self, text: str) -> list[str]:
        """The characters of a text that have no id here, each once, in the order in which they come."""
        return [character for character in dict.fromkeys(text) if character not in self.characters]

    def encode(self, text: str) -> Array:
        """The ids of a text, one a character. Raises InputError, naming them, where characters have none."""
        if unseen := self.unseen(text):
            shown = ", ".join(map(repr, unseen[:10])) + (", …" if len(unseen) > 10 else "")
            raise InputError(
                f"The model has never seen {shown}; the text it learnt from has {len(self)} other characters."
            )
        return np.searchsorted(_code_points(self.characters), _code_points(text)).astype(np.int64)

    def decode(self, ids: Array) -> str:
        """The text of a sequence of ids."""
        return "".join(self.characters[i] for i in ids)


def _code_points(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def split(ids: Array) -> tuple[Array, Array]:
    """The first nine tenths, to learn from, and the last tenth, in order and all of it, to validate on."""
    cut = len(ids) - len(ids) // 10
    return ids[:cut], ids[cut:]
