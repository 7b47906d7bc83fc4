"""The way back as a scan over blocks against BPTT, for every cell; and a block that gets what another is due."""

import numpy as np
import pytest

from manual_rnn import cells, ways
from manual_rnn.ways import parallel
from way_cases import any_cell, arguments, assert_close, assert_differ, draw, plain


def found(name, case, blocks, **changed):
    return ways.parallel_bptt(cells.get(name), blocks=blocks, **arguments(case, **changed))


@any_cell
@pytest.mark.parametrize("blocks", [1, 2, 4, 9, 50])
@pytest.mark.parametrize("dense", [False, True])
def test_is_what_bptt_gives(name, blocks, dense):
    """Nine steps: blocks that come out even, and blocks that are filled up."""
    case = draw(name, dense=dense)
    truth, ours = plain(name, case), found(name, case, blocks)
    assert list(ours.gradients) == list(truth.gradients)
    assert_close(ours.gradients, truth.gradients)
    assert ours.loss == truth.loss


@pytest.mark.parametrize("dtype", ["float32", "longdouble"])
def test_every_dtype_stays_what_it_is(dtype):
    case = draw("lstm").astype(dtype)
    ours = found("lstm", case, 3)
    assert {array.dtype for array in ours.gradients.values()} == {np.dtype(dtype)}
    assert "x" not in found("lstm", case, 3, inputs=False).gradients


@pytest.mark.parametrize("mistake", [
    lambda g: {name: np.roll(rows, 2, axis=0) for name, rows in g.items()},
    lambda g: {name: np.zeros_like(rows) for name, rows in g.items()},
], ids=["a block gets what the one before is due", "nothing arrives"])  # fmt: skip
def test_what_arrives_at_a_block_matters(mistake, monkeypatch):
    case, right = draw("rnn"), parallel._Folded.arriving
    monkeypatch.setattr(parallel._Folded, "arriving", lambda folded: mistake(right(folded)))
    assert_differ(found("rnn", case, 3).gradients, plain("rnn", case).gradients, ["U", "W", "b", "h0", "x"])


def test_no_blocks_at_all_are_named():
    with pytest.raises(ValueError, match="blocks is 0; expected a whole number of at least 1, how many stretches"):
        found("rnn", draw("rnn"), 0)
