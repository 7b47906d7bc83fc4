"""Encoding and splitting a text."""

import numpy as np
import pytest

from manual_rnn.errors import InputError
from manual_rnn.text import Vocabulary, characters_needed, split
from manual_rnn.windows import Windows


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
