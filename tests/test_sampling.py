"""Sampling: the distribution is ŷ at a temperature, the prime is read, the seed decides."""

from itertools import islice

import numpy as np
import pytest

from manual_rnn import bptt, cells, initialise, loss_and_gradients, readout, stack
from manual_rnn.errors import InputError
from manual_rnn.network import zero_state
from manual_rnn.sampling import Choice, Ending, draw, sample_ids, sample_texts
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


def samples(*seeds, temperature=1.0, vocabulary=VOCABULARY, **options):
    rngs, choice = [np.random.default_rng(seed) for seed in seeds], Choice(temperature)
    columns = zip(*sample_texts(CELL, PARAMS, vocabulary, rngs=rngs, choice=choice, **options), strict=True)
    return ["".join(column) for column in columns]


def sample(seed=0, **options):
    return samples(seed, **options)[0]


def probabilities(o, temperature=1.0, **cut):
    return Choice(temperature, **cut).probabilities(np.array([o]))[0]


@pytest.mark.parametrize("temperature", [0.5, *only_thorough(1.0, 2.0)])
def test_the_first_character_is_distributed_as_y_hat(temperature):
    o = logits_after("abba") / temperature
    y_hat = np.exp(o) / np.exp(o).sum()
    N = 4000
    rngs = [np.random.default_rng((1, i)) for i in range(N)]
    drawn = next(sample_ids(CELL, PARAMS, VOCABULARY.encode("abba"), choice=Choice(temperature), rngs=rngs))
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
    ids = sample_ids(CELL, PARAMS, np.array([0]), rngs=[np.random.default_rng(0)])
    expected = other.decode(np.concatenate(list(islice(ids, 30))))
    assert sample(length=30, vocabulary=other) == expected


def test_a_prime_with_unseen_characters_names_them():
    with pytest.raises(InputError, match="never seen 'x', '!'"):
        sample(length=1, prime="axb!")


@pytest.mark.parametrize("temperature", [0.5, 1.5])
@pytest.mark.parametrize(
    ("cut", "kept"),
    [({"top_k": 1}, [1]), ({"top_k": 3}, [0, 1, 3]), ({"top_k": 9}, range(5)), ({"top_p": 1.0}, range(5)),
     ({"top_p": 1e-9}, [1]), ({"top_k": 2, "top_p": 1.0}, [1, 3])],
)  # fmt: skip
def test_what_is_cut_off_is_zero_and_the_rest_keeps_its_shares(temperature, cut, kept):
    o = [0.3, 2.0, -1.0, 1.0, 0.2]
    whole, left = probabilities(o, temperature), probabilities(o, temperature, **cut)
    np.testing.assert_array_equal(np.flatnonzero(left), kept)
    np.testing.assert_allclose(left, np.where(left > 0, whole, 0) / whole[list(kept)].sum(), rtol=1e-15)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.49, [0]), (0.5, [0]), (0.51, [0, 2]), (0.79, [0, 2]), (0.81, [0, 1, 2]), (0.96, range(4))]
)
def test_top_p_keeps_the_fewest_that_reach_it(top_p, kept):
    left = probabilities(np.log([0.5, 0.15, 0.3, 0.05]), top_p=top_p)
    np.testing.assert_array_equal(np.flatnonzero(left), kept)
    # With top-k first it is p of what that has left: 0.8, of which 0.5 is 62 %.
    of_two = probabilities(np.log([0.5, 0.15, 0.3, 0.05]), top_p=0.6, top_k=2)
    np.testing.assert_array_equal(np.flatnonzero(of_two), [0])


def test_several_samples_are_those_of_their_own_generators():
    alone = [sample(seed, length=40, prime="ab") for seed in (5, 6, 7)]
    assert samples(5, 6, 7, length=40, prime="ab") == alone


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru_reset_before", "rnn_orthogonal"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_step_at_a_time_is_the_pass_over_the_whole_text(name, layers):
    """Weights laid out once and memory used again give the logits of a plain pass over what has been drawn so far."""
    network = stack(cells.get(name), layers=layers)
    params = initialise(network, n_in=5, n_hidden=7, n_out=5, seed=1, gain=2.0)
    ids = sample_ids(network, params, np.array([1, 2]), choice=Choice(0), rngs=[np.random.default_rng(0)])
    text = [1, 2]
    for _ in range(12):
        x = np.array(text)[:, None]
        result = loss_and_gradients(network, params, x, x)
        assert next(ids).tolist() == [int(result.tape["o"][-1, 0].argmax())]
        text.append(int(result.tape["o"][-1, 0].argmax()))


@pytest.mark.parametrize(
    ("stop", "drawn", "shown"),
    [("b", "aab", "aa"), ("aab", "aaab", "a"), ("aab", "aaaa", "aaaa"), ("abac", "ababac", "ab"), ("x", "ab", "ab"),
     ("", "ab", "ab"), ("ab", "abab", ""), ("aa", "a", "a")],
)  # fmt: skip
def test_a_sample_ends_before_the_stop(stop, drawn, shown):
    ending = Ending(stop)
    known = [ending.take(character) for character in drawn]
    assert "".join(known) + ending.held == shown
    assert ending.found == (bool(stop) and stop in drawn)
    for n in range(1, len(drawn) + 1):  # nothing is kept back but what may be the beginning of the stop
        so_far = drawn[:n]
        if stop and stop not in so_far:
            held = next(so_far[k:] for k in range(n + 1) if stop.startswith(so_far[k:]))
            assert "".join(known[:n]) == so_far.removesuffix(held)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [({"temperature": -1.0}, "temperature is -1.0; it must be zero or a positive, finite number."),
     ({"temperature": np.nan}, "temperature is nan; it must be"), ({"top_k": 0}, "top-k is 0; it must be at least 1"),
     ({"top_p": 0.0}, "top-p is 0.0; it must be above 0"), ({"top_p": 1.1}, "top-p is 1.1; it must be above 0 and at"),
     ({"top_p": np.nan}, "top-p is nan")],
)  # fmt: skip
def test_an_impossible_choice_is_a_sentence(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        Choice(**given)
