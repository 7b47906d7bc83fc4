"""The updates in few lines: none is lost, and the same updates give the same lines."""

from dataclasses import asdict

import numpy as np
import pytest

from manual_rnn import trace
from manual_rnn.trace import Stretch, Trace


def traced(nats, norms, *, limit=1.0, first=1):
    made = Trace()
    for update, (loss, norm) in enumerate(zip(nats, norms, strict=True), start=first):
        made.add(update, loss, norm, limit=limit)
    return made.lines


def drawn(n):
    rng = np.random.default_rng(n)
    return rng.normal(size=n).tolist(), np.exp(rng.normal(size=n)).tolist()


def test_each_update_has_a_line_as_long_as_there_is_room():
    nats, norms = drawn(trace.LINES)
    assert traced(nats, norms) == [
        Stretch(k + 1, 1, nats[k], norms[k], norms[k], norms[k], int(norms[k] > 1)) for k in range(len(nats))
    ]


@pytest.mark.parametrize("n", [1, 7, 8, 9, 10, 16, 17, 33, 1000, 1023])
def test_lines_are_bounded_and_hold_all_updates(monkeypatch, n):
    monkeypatch.setattr(trace, "LINES", 8)
    nats, norms = drawn(n)
    lines = traced(nats, norms, first=5)
    assert len(lines) <= 8
    assert len(lines) > 4 or n <= 4
    widths = [line.updates for line in lines]
    assert set(widths[:-1]) <= {widths[0]}
    assert (sum(widths), lines[-1].update) == (n, n + 4)
    ends = np.cumsum(widths)
    for line, end in zip(lines, ends, strict=True):
        part = slice(end - line.updates, end)
        assert line.update == end + 4
        assert line.nats == pytest.approx(np.mean(nats[part]), rel=1e-12, abs=1e-12)
        assert line.grad_norm == pytest.approx(np.mean(norms[part]), rel=1e-12)
        assert (line.grad_norm_min, line.grad_norm_max) == (min(norms[part]), max(norms[part]))
        assert line.clipped == sum(norm > 1 for norm in norms[part])


def test_a_gradient_as_long_as_the_limit_is_not_clipped():
    (line,) = traced([1.0], [2.0], limit=2.0)
    assert asdict(line)["clipped"] == 0
