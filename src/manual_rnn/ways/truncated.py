r"""Truncated backpropagation through time, BPTT(k₁, k₂): every k₁ steps, back over k₂ and no further.

Also called BPTT(h; h′), with h = k₂ and h′ = k₁: R. J. Williams and J. Peng, *An efficient gradient-based algorithm
for on-line training of recurrent network trajectories*, Neural Computation 2, 490–501 (1990).

At the steps e = k₁, 2k₁, … and at the last, the losses of the steps since the one before, the k₁ newest, go back
through the steps e, e−1, …, e−k₂+1. The state before these is taken for a constant:

.. math::
    \nabla_\theta^{(k_1, k_2)} = \sum_e \nabla_\theta \sum_{t = e - k_1 + 1}^{e} \ell(t)
    \quad\text{with } h(e - k_2) \text{ a constant, or } h(0) \text{ where } e \le k_2

So the loss of a step goes back through at least k₂ − k₁ + 1 steps and at most k₂. k₁ = 1 gives every loss the same k₂;
k₁ = k₂ cuts the sequence into windows; k₂ ≥ T is full BPTT. It is not the gradient of any function.
Not to be confused with windows of a text, each with a loss of its own and a state carried on
(:mod:`manual_rnn.windows`): that is k₁ = k₂ with an update in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from manual_rnn.bptt import go_back, unroll
from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.tape import Tape
from manual_rnn.ways.given import Answer, Given, check_count


@of_one_cell
def truncated_bptt(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    *,
    k1: int,
    k2: int,
    loss: str = "softmax",
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    inputs: bool = False,
) -> Answer:
    """The loss of all steps, and what BPTT(k₁, k₂) has in the place of its gradient, at unchanged parameters.

    ``k1``: every how many steps it goes back; ``k2``: through how many, at least k1. All else is as for
    :func:`manual_rnn.loss_and_gradients`. The readout's gradients, of V and c, are not touched by truncation.

    Costs one pass forward over T steps and T/k₁ backward over k₂. The nodes of all T steps are kept.

    Raises:
        ValueError: k1 or k2 is no whole number of at least one, or k1 is larger than k2; an array does not fit.
        FloatingPointError: the loss is not finite.
    """
    check_count("k1", k1, "every how many steps it goes back")
    check_count("k2", k2, "through how many steps it goes back")
    if k1 > k2:
        raise ValueError(
            f"k1 is {k1} and k2 is {k2}: the losses of the {k1 - k2} oldest of every {k1} steps would go back nowhere; "
            "k2 must be at least k1."
        )
    given = Given.of(cell, params, x, y, loss=loss, initial=initial, reduction=reduction, weights=weights)
    tape, total = Tape(len(x)), Tape(len(x))
    state = unroll(given.cell, given.params, x, given.initial, tape)
    of_all, from_readout = given.read_out(tape, total, slice(None))

    sums = {**given.zeros(inputs=inputs), "V": total["V"], "c": total["c"]}
    for start, new, stop in windows(len(x), k1, k2):
        above = from_readout[start:stop].copy()
        above[: new - start] = 0  # these losses have gone back before
        grads = Tape(stop - start)
        go_back(given.cell, given.params, x[start:stop], _Rows(tape, start, stop), above, grads, inputs=inputs)
        given.add(sums, grads, slice(start, stop))
    return given.answer(of_all, sums, state)


def windows(T: int, k1: int, k2: int) -> Iterator[tuple[int, int, int]]:
    """The rows of each window: its first, the first whose loss is new, and the one after its last."""
    for new in range(0, T, k1):
        stop = min(new + k1, T)
        yield max(0, stop - k2), new, stop


class _Rows(Tape):
    """Some steps of a tape, as a tape; nothing is copied."""

    def __init__(self, whole: Tape, start: int, stop: int) -> None:
        super().__init__(stop - start)
        self._arrays = {name: whole[name][start:stop] for name in whole}
        self._previous = {name: rows[start:stop] for name, rows in whole._previous.items()}
