"""Sampling: the distribution is ŷ at a temperature, the prime is read, the seed decides."""

from itertools import islice

import numpy as np
import pytest

from manual_rnn import bptt, cells, initialise, readout
from manual_rnn.errors import InputError
from manual_rnn.network import zero_state
from manual_rnn.sampling import draw, probabilities, sample_ids, sample_text
from manual_rnn.tape import Tape
from manual_rnn.text import Vocabulary
from thorough import only_thorough

VOCABULARY = Vocabulary("\nabcd")
CELL = cells.get("rnn")
PARAMS = initialise(CELL, n_in=5, n_hidden=7, n_out=5, seed=3, gain=2.0)


def logits_after(text):
    ids = VOCABULARY.encode(text)[:, None]
    tape = Tape(len(ids))
    bptt.unroll(CELL, PARAMS, ids, zero_state(CELL, PARAMS, 1), tape)
    return readout.forward(PARAMS["V"], PARAMS["c"], tape["h"])[-1, 0]


def sample(rng=0, **options):
    return "".join(sample_text(CELL, PARAMS, VOCABULARY, rng=np.random.default_rng(rng), **options))


@pytest.mark.parametrize("temperature", [0.5, *only_thorough(1.0, 2.0)])
def test_the_first_character_is_distributed_as_y_hat(temperature):
    o = logits_after("abba") / temperature
    y_hat = np.exp(o) / np.exp(o).sum()
    rng = np.random.default_rng(1)
    N = 4000
    prime = VOCABULARY.encode("abba")
    drawn = [next(sample_ids(CELL, PARAMS, prime, temperature=temperature, rng=rng)) for _ in range(N)]
    counts = np.bincount(drawn, minlength=5)
    # Pearson's statistic with 4 degrees of freedom exceeds 23.5 once in ten thousand seeds.
    assert np.sum((counts - N * y_hat) ** 2 / (N * y_hat)) < 23.5


def test_each_character_is_fed_back():
    greedy = sample(prime="ab", length=6, temperature=0)
    text = "ab"
    for _ in range(6):
        text += VOCABULARY.characters[logits_after(text).argmax()]
    assert "ab" + greedy == text


def test_temperature_zero_is_the_limit_and_needs_no_luck():
    o = np.array([0.1, 3.0, 2.999, -5.0])
    np.testing.assert_array_equal(probabilities(o, 0), [0, 1, 0, 0])
    np.testing.assert_array_equal(probabilities(o, 1e-320), [0, 1, 0, 0])
    np.testing.assert_allclose(probabilities(o, 1e9), 0.25, rtol=1e-8)
    assert sample(1, length=20, temperature=0) == sample(2, length=20, temperature=0)


def test_huge_logits_do_not_overflow():
    np.testing.assert_array_equal(probabilities(np.array([1e300, -1e300, 0.0]), 1.0), [1, 0, 0])


def test_what_has_no_probability_is_never_drawn():
    class Edge:
        def __init__(self, u):
            self.u = u

        def random(self):
            return self.u

    for u in (0.0, 0.5, np.nextafter(1, 0)):
        assert draw(np.array([0.0, 1.0, 0.0]), Edge(u)) == 1


def test_the_seed_decides():
    assert sample(4, length=50) == sample(4, length=50)
    assert sample(4, length=50) != sample(5, length=50)


def test_without_a_prime_the_model_reads_a_line_end():
    assert sample(length=30) == sample(length=30, prime="\n")
    other = Vocabulary("abcde")
    ids = sample_ids(CELL, PARAMS, np.array([0]), rng=np.random.default_rng(0))
    expected = other.decode(np.array(list(islice(ids, 30))))
    assert "".join(sample_text(CELL, PARAMS, other, length=30, rng=np.random.default_rng(0))) == expected


def test_a_prime_with_unseen_characters_names_them():
    with pytest.raises(InputError, match="never seen 'x', '!'"):
        sample(length=1, prime="axb!")
