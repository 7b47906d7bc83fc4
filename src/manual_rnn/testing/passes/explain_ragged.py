"""Mistakes with a mask: each replays the right derivation as code would go through it that has the mistake.

Code that masks in the commonest way keeps a state as it is past the end, h(t) = m(t) tanh a(t) + (1 − m(t)) h(t−1), and
reads the last one at row T − 1; on the way back the gradient passes by the padding until it meets the last step. Which
steps it takes for padding is one number a sequence, so a mask that is forgotten or shifted is another length there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from manual_rnn.bptt import go_back, unroll
from manual_rnn.cell import Array, Cell
from manual_rnn.tape import Tape
from manual_rnn.testing.mistakes.replay import Replay
from manual_rnn.testing.passes.layout import CONSTANT
from manual_rnn.testing.passes.lengths import mask_of, weights_of
from manual_rnn.testing.passes.regimes import Drawn
from manual_rnn.testing.problem import Sizes

Gradients = Callable[[Drawn], Mapping[str, Array] | Tape]
Lengths = Callable[[Array, int], Array]
"""Other lengths than there are, from those and T."""


def mistakes_of_a_mask(cell: Cell, loss: str) -> Iterator[tuple[str, Gradients]]:
    """Sentences, and what each gives in a case, by our names."""
    for sentence, weights in _OTHERWISE_COUNTED.get(loss, {}).items():
        yield sentence, partial(_counted, cell, weights)
    for when, otherwise in (("late", _late), ("early", _early)):
        which = f"{_SHIFTED[when]}: the loss's mask is a step {when}."
        yield which, partial(_counted, cell, partial(_weights_of_others, loss, otherwise))
    for (sentence, used), proposed in product(_GONE_THROUGH.items(), (True, False)):
        yield sentence, partial(_frozen, cell, loss, used, proposed)
    for proposed, of_x in product((True, False), (True, False)):
        words = "∇W, ∇U, ∇b and ∇x" if of_x else "∇W, ∇U and ∇b"
        sentence = f"Padding leaks into {words}: ∇a(t) is not masked past the end of a sequence."
        yield sentence, partial(_leaking, cell, loss, proposed, of_x)


def _late(lengths: Array, T: int) -> Array:
    return np.asarray(np.minimum(lengths + 1, T))


def _early(lengths: Array, T: int) -> Array:
    return np.where(lengths < T, lengths - 1, T)


def _all(lengths: Array, T: int) -> Array:
    return np.full_like(lengths, T)


_GONE_THROUGH: dict[str, Lengths] = {
    "The mask is missing on the way back: the gradient goes through the steps past the end of a sequence.": _all,
    "The mask is a step late on the way back: the first step past the end of a sequence is gone through.": _late,
    "The mask is a step early on the way back: the last step of a sequence is passed by.": _early,
}
_SHIFTED = {
    "late": "The first row past the end of a sequence counts",
    "early": "The last step of a sequence does not count",
}


def _weights_of_others(loss: str, otherwise: Lengths, lengths: Array, s: Sizes) -> Array:
    return weights_of(loss, otherwise(lengths, s.T), s.T)


_OTHERWISE_COUNTED: dict[str, dict[str, Callable[[Array, Sizes], Array]]] = {
    "every": {
        "The loss counts the rows past the end of a sequence: the mask is missing in ∇o(t).":
            lambda lengths, s: np.ones((s.T, s.B)),
    },
    "last": {
        "The loss is taken at row T−1, where the derivation has each sequence's own last step.":
            partial(_weights_of_others, "last", _all),
    },
    "mean": {
        "The mean is over all T B rows, padding included: the mask is missing in ∇o(t).":
            lambda lengths, s: np.full((s.T, s.B), 1 / (s.T * s.B)),
        "The mean divides by T B, where the derivation divides by the number of steps that there are.":
            lambda lengths, s: mask_of(lengths, s.T) / (s.T * s.B),
        "The mean is that of each sequence's own mean, where the derivation divides by the number of all steps.":
            lambda lengths, s: mask_of(lengths, s.T) / lengths / s.B,
    },
}  # fmt: skip


def _counted(cell: Cell, weights: Callable[[Array, Sizes], Array], drawn: Drawn) -> Tape:
    """The gradients when the loss counts otherwise; an upstream gradient can only be left out."""
    w = weights(drawn.lengths, drawn.sizes)
    if drawn.upstream is None:
        return Replay.of(cell, replace(drawn, weights=w)).grads
    return Replay.of(cell, replace(drawn, upstream=np.where(w[..., None] > 0, drawn.upstream, 0.0))).grads


class FrozenTape(Tape):
    """Past the end of its sequence a state stays as it is."""

    def __init__(self, drawn: Drawn, states: tuple[str, ...], proposed: bool) -> None:
        super().__init__(drawn.sizes.T)
        self._lengths, self._states, self._keep = drawn.lengths, states, proposed
        self._proposed: dict[str, list[Array]] = {name: [] for name in states}

    def tap(self, name: str, value: Array) -> Array:
        if name not in self._states:
            return super().tap(name, value)
        self._proposed[name].append(value)
        over = np.less_equal(self._lengths, self.t)[:, None]
        return super().tap(name, np.where(over, self._previous[name][self.t], value))

    def __getitem__(self, name: str) -> Array:
        """What the step proposed as the state, for code that derives the activation there."""
        return np.stack(self._proposed[name]) if self._keep and name in self._states else super().__getitem__(name)


class GivenStates(Tape):
    """Takes what comes from above for the whole gradient of a state: nothing is carried."""

    def __init__(self, state: str, above: Array) -> None:
        super().__init__(len(above))
        self._state, self._above = state, above

    def tap(self, name: str, value: Array) -> Array:
        return super().tap(name, self._above[self.t] if name == self._state else value)


def _frozen(
    cell: Cell, loss: str, used: Lengths, proposed: bool, drawn: Drawn
) -> dict[str, Array]:
    """The gradients of code that goes back through other steps than there are."""
    above, right = _above(cell, drawn, loss)
    through = used(drawn.lengths, drawn.sizes.T)
    moved = np.where(mask_of(through, drawn.sizes.T)[..., None] > 0, above, 0.0)
    passed_by = (above - moved).sum(axis=0)
    rows = np.arange(drawn.sizes.B)[through > 0]
    moved[through[rows] - 1, rows] += passed_by[rows]
    grads = Tape(drawn.sizes.T)
    go_back(cell, drawn.params, _x(drawn), _tape(cell, drawn, proposed), moved, grads, inputs=True)
    found = {**right, **{name: grads[name] for name in _variables(drawn)}}
    first = f"{cell.states[0]}0"
    return found | {first: found[first] + np.where(through[:, None] > 0, 0.0, passed_by)}


def _leaking(cell: Cell, loss: str, proposed: bool, of_x: bool, drawn: Drawn) -> dict[str, Array]:
    """The right gradients, and beside them what the padding adds to the sums."""
    above, right = _above(cell, drawn, loss)
    past = 1 - mask_of(drawn.lengths, drawn.sizes.T)[..., None]
    waiting = np.cumsum(above[::-1], axis=0)[::-1] * past  # what is passed on from row T − 1 down to the end
    grads = GivenStates(cell.full(cell.states[0]), waiting)
    go_back(cell, drawn.params, _x(drawn), _tape(cell, drawn, proposed), waiting, grads, inputs=True)
    leaks = [n for n in _variables(drawn) if n in drawn.params or (n == "x" and of_x)]
    return {**right, **{name: right[name] + grads[name] for name in leaks}}


def _above(cell: Cell, drawn: Drawn, loss: str) -> tuple[Array, dict[str, Array]]:
    """What comes from above at each row, where such code has it, and the right gradients."""
    replay = Replay.of(cell, drawn)
    right = {name: replay.grads[name] for name in (*_variables(drawn), *(("V", "c") if drawn.upstream is None else ()))}
    if drawn.upstream is not None:
        return drawn.upstream, right
    above = replay.grads["o"] @ drawn.params["V"]
    if loss == "last":
        at_the_end = above.sum(axis=0)
        above = np.zeros_like(above)
        above[-1] = at_the_end
    return above, right


def _tape(cell: Cell, drawn: Drawn, proposed: bool) -> Tape:
    tape = FrozenTape(drawn, tuple(cell.full(name) for name in cell.states), proposed)
    unroll(cell, drawn.params, _x(drawn), drawn.initial, tape)
    return tape


def _x(drawn: Drawn) -> Array:
    return np.asarray(drawn.case.for_oracle()["x"])


def _variables(drawn: Drawn) -> list[str]:
    return [name for name in drawn.arrays if name not in ("V", "c", *CONSTANT)]
