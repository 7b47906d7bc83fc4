"""The schedule against a dynamic programme for its cost, and followed move by move."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from manual_rnn.ways.schedule import fewest_steps, moves, square_root


@cache
def cheapest(links, snapshots):
    """The least number of links run forward: the best place for the next snapshot, by trying them all."""
    if links == 1:
        return 0
    if snapshots == 1:
        return links * (links - 1) // 2
    return min(m + cheapest(links - m, snapshots - 1) + cheapest(m, snapshots) for m in range(1, links))


def followed(links, snapshots):
    """The order of the links gone back through, the steps run forward, and the most snapshots at a time."""
    kept, order, forward, most = {0}, [], 0, 1
    for move in moves(links, snapshots):
        assert move.origin in kept
        assert move.to >= move.origin
        forward += move.to - move.origin
        if not move.back:
            kept.add(move.to)
        else:
            order.append(move.to)
            kept -= {move.to}
        most = max(most, len(kept))
    assert not kept
    return order, forward, most


def test_its_cost_is_the_least_there_is():
    for links in range(1, 41):
        for snapshots in range(1, 10):
            order, forward, most = followed(links, snapshots)
            assert order == list(reversed(range(links)))
            assert forward == fewest_steps(links, snapshots) == cheapest(links, snapshots), (links, snapshots)
            assert most <= snapshots


def test_known_numbers():
    """Griewank and Walther: ten steps with three snapshots, β(3, 2) = 10, take 2 · 10 − β(4, 1) = 15."""
    assert fewest_steps(10, 3) == 15
    assert followed(10, 10)[1] == 9


@given(st.integers(1, 400), st.integers(1, 30))
def test_its_cost_is_the_formula_for_long_chains(links, snapshots):
    order, forward, most = followed(links, snapshots)
    assert order == list(reversed(range(links)))
    assert forward == fewest_steps(links, snapshots)
    assert most <= snapshots


@given(st.integers(1, 10**7))
def test_the_square_root_schedule_keeps_two_roots(T):
    """All snapshots but the one that the block at hand has taken, and the states at either end of each of its steps."""
    block = square_root(T)
    links = -(-T // block)
    assert (links - 1 + block) ** 2 <= 4 * T


def test_a_long_chain_is_no_deep_recursion():
    assert followed(20_000, 20_000)[1] == 19_999
