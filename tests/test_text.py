"""Reading, encoding and splitting a text; every text that cannot be used is refused in one sentence."""

import numpy as np
import pytest

from manual_rnn.errors import InputError
from manual_rnn.text import Vocabulary, characters_needed, default_text, read_text, split
from manual_rnn.windows import Windows


def write(tmp_path, content):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    return path


def test_the_default_text_is_long_english_prose():
    text, source = read_text(None, seq_len=50, batch=32)
    assert text == default_text()
    assert source == "pydoc_data.topics"
    assert len(text) > 300_000
    assert text.count(" the ") > 2000


def test_a_file_is_read_as_it_is(tmp_path):
    content = "naïve café → ∇\r\n" * 10
    text, source = read_text(write(tmp_path, content.encode()), seq_len=2, batch=2)
    assert text == content
    assert source.endswith("text.txt")


def test_a_byte_order_mark_is_no_character_of_the_text(tmp_path):
    text, _ = read_text(write(tmp_path, b"\xef\xbb\xbf" + b"abcdefghij" * 3), seq_len=2, batch=2)
    assert text[0] == "a"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"short", "has only 5 characters"),
        (b"abc\0" * 100, "is binary: byte 3 is NUL"),
        (b"caf\xe9" * 100, "is not UTF-8: byte 3 is 0xe9"),
    ],
)
def test_what_cannot_be_used_is_said_with_the_length_needed(tmp_path, content, what):
    with pytest.raises(InputError) as failure:
        read_text(write(tmp_path, content), seq_len=50, batch=32)
    assert what in str(failure.value)
    assert f"at least {characters_needed(50, 32)} characters" in str(failure.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match=r"There is no text file .*nothing\.txt.* at least 1778 characters"):
        read_text(tmp_path / "nothing.txt", seq_len=50, batch=32)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_text(tmp_path, seq_len=50, batch=32)


@pytest.mark.parametrize(("T", "B"), [(1, 1), (1, 2), (9, 1), (9, 2), (50, 32), (7, 13)])
def test_the_length_needed_is_exactly_the_shortest_that_works(T, B):
    needed = characters_needed(T, B)
    learnt, kept = split(np.arange(needed))
    assert Windows.of(learnt, T=T, B=B).per_epoch >= 1
    assert len(kept) >= 1
    learnt, kept = split(np.arange(needed - 1))
    assert len(kept) == 0 or (len(learnt) - 1) // B < T


def test_encoding_and_decoding_are_inverse():
    text = "żółw, 龜 and 🐢\n"
    vocabulary = Vocabulary.of(text)
    assert list(vocabulary.characters) == sorted(set(text))
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary.encode("").size == 0


def test_unseen_characters_are_named_once_each():
    with pytest.raises(InputError, match="never seen 'x', 'é'; the text it learnt from has 3 other characters"):
        Vocabulary.of("abc").encode("axéxb")


def test_a_surrogate_from_a_broken_terminal_is_an_unseen_character():
    with pytest.raises(InputError, match="never seen"):
        Vocabulary.of("abc").encode("a\udce9")


def test_the_last_tenth_in_order_is_kept_all_of_it():
    learnt, kept = split(np.arange(107))
    np.testing.assert_array_equal(kept, np.arange(97, 107))
    np.testing.assert_array_equal(np.concatenate([learnt, kept]), np.arange(107))
