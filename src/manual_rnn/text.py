"""A text as a character model sees it: its characters as ids, the tenth kept for validation."""

from __future__ import annotations

from dataclasses import dataclass

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
        return np.searchsorted(code_points(self.characters), code_points(text)).astype(np.int64)

    def decode(self, ids: Array) -> str:
        """The text of a sequence of ids."""
        return "".join(self.characters[i] for i in ids)


def code_points(text: str) -> Array:
    """The numbers of a text's characters in Unicode."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def split(ids: Array) -> tuple[Array, Array]:
    """The first nine tenths, to learn from, and the last tenth, in order and all of it, to validate on."""
    cut = len(ids) - len(ids) // 10
    return ids[:cut], ids[cut:]
