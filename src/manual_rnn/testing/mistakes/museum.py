"""The museum: mistakes that real code for backpropagation through time has shipped, to be planted in any cell.

Each is made from what the cell declares, so that one description serves all cells; where a cell leaves no room for
one (the linear cell has no derivative to forget), it gives the right numbers and is no mistake. Not here: arrays
that are overwritten, which are no equation's mistake; ``check_backward`` looks for them before any number is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from manual_rnn.cell import Affine, Cell
from manual_rnn.network import parameter_shapes
from manual_rnn.testing import losses
from manual_rnn.testing.losses.softmax import unshifted
from manual_rnn.testing.mistakes.changes import (
    at_each_step,
    clipped,
    in_single,
    last_step_twice,
    of_another_batch,
    of_one_sequence,
    sum_over_time,
    times,
    without_the_first_step,
)
from manual_rnn.testing.mistakes.equations import initial, stepwise, summed
from manual_rnn.testing.mistakes.formula import Formula
from manual_rnn.testing.mistakes.order import in_order_of_time
from manual_rnn.testing.mistakes.own import (
    activation_of,
    with_another,
    with_square_outside,
    without_derivative,
)
from manual_rnn.testing.mistakes.planting import Change, Mistake, as_change
from manual_rnn.testing.mistakes.right import right_value
from manual_rnn.testing.mistakes.terms import Linear, Outer, Quantity, Term

COMMON = "common"


@dataclass(frozen=True)
class Exhibit:
    """One mistake, and where it was seen: a repository's issue or pull request, or a question."""

    mistake: Mistake
    seen: str
    in_reach: bool = True
    """Whether the catalogue has a formula for it. What has another problem's numbers in it has none."""

    @property
    def what(self) -> str:
        return self.mistake.sentence


def museum(cell: Cell, loss: str = "softmax") -> Iterator[Exhibit]:
    """Every mistake of the museum, planted in the equations of this cell."""
    for state in cell.states:
        yield from _of_carry(cell, state)
    yield from _of_readout(cell, loss)
    for m in cell.maps:
        yield from _of_map(cell, m)
        yield from _of_activation(cell, m)
    yield from _of_gates(cell)
    yield from _of_the_whole(cell)


def _of_carry(cell: Cell, state: str) -> Iterator[Exhibit]:
    here, start = f"grad_{cell.full(state)}", f"grad_{state}0"
    terms, starting = stepwise(cell)[here], initial(cell)[start]
    carried = [term for term in terms if term in starting]
    others = [term for term in terms if term not in starting]

    def where(keep: Callable[[int, int], bool]) -> Change:
        """The carry at some steps only."""
        return at_each_step(lambda known, t: [*others, *(carried if keep(t, known.T) else [])])

    def of_both(what: str, seen: str, turn: Callable[[Term], Term]) -> Exhibit:
        turned = [turn(term) for term in carried]
        at_a_step = at_each_step(lambda known, t: [*others, *turned])
        return Exhibit(Mistake(what, {here: at_a_step, start: at_each_step(lambda known, t: turned)}), seen)

    if not carried:
        return
    dropped = {here: where(lambda t, T: False)}
    yield Exhibit(Mistake("the carried gradient never added", dropped), "copies of min-char-rnn")
    yield Exhibit(
        Mistake("the carry dropped at the first step only", {here: where(lambda t, T: t > 0)}),
        "pytorch #95137, deeplearning.ai 67533",
    )
    truncated = {here: where(lambda t, T: T - t <= 3)}
    yield Exhibit(Mistake("accidental truncation after three steps", truncated), COMMON)
    if any(_turned(term) != term for term in carried):
        yield of_both("W for Wᵀ", COMMON, _turned)
    order = {name: as_change(f) for name in (here, start) for f in in_order_of_time(cell, name)}
    if order:  # of one state that comes through all ways; not of the second of two
        yield Exhibit(Mistake("Jacobians multiplied in the order of time", order), "elixir-nx/axon #644")
    zeros = {start: times(lambda known: 0.0)}
    yield Exhibit(Mistake("the initial state's gradient is zeros", zeros), "pytorch #95137")
    off: list[Term] = [Linear(Quantity(cell.full(state), gradient=True, offset=1))]
    yield Exhibit(
        Mistake("the gradient of the first state for the initial one's", {start: at_each_step(lambda known, t: off)}),
        "deeplearning.ai 67533",
    )


def _turned(term: Term) -> Term:
    if not isinstance(term, Linear) or term.diagonal:
        return term
    return replace(term, transposed=not term.transposed)


def _of_readout(cell: Cell, loss: str) -> Iterator[Exhibit]:
    first = cell.full(cell.states[0])
    here, terms = f"grad_{first}", stepwise(cell)[f"grad_{first}"]
    direct, others = terms[0], terms[1:]

    def counted(often: Callable[[int, int], int]) -> Change:
        return at_each_step(lambda known, t: [*[direct] * often(t, known.T), *others])

    twice = {here: counted(lambda t, T: 1 + (t == T - 1))}
    yield Exhibit(Mistake("the last step's loss counted twice", twice), COMMON)
    missing = {here: counted(lambda t, T: int(t < T - 1))}
    yield Exhibit(Mistake("the last step's readout missing", missing), COMMON)
    before = {"grad_V": sum_over_time(Outer(Quantity("o", gradient=True), Quantity(first, offset=-1)))}
    yield Exhibit(Mistake("the state of the step before in ∇V", before), "hanbt/learn_dl #53")
    yield from _of_loss(loss)
    mean = {"grad_c": times(lambda known: 1 / known.case.spec.sizes.B)}
    yield Exhibit(Mistake("mean over the batch for sum in ∇c", mean), "datascience.SE 30850")


def _of_loss(loss: str) -> Iterator[Exhibit]:
    """Mistakes of F4 and B1: those of every loss, and those that only this one leaves room for."""
    turned = {"grad_o": times(lambda known: -1.0)}
    yield Exhibit(Mistake("the target less the prediction: ∇o with the other sign", turned), COMMON)
    if loss == "softmax":
        overflow = {name: as_change(next(unshifted(name))) for name in ("loss", "grad_o")}
        yield Exhibit(Mistake("softmax unshifted", overflow), "min-char-rnn")
        return
    mean = {name: times(lambda known: 1 / known.case.spec.sizes.n_out) for name in ("loss", "grad_o")}
    yield Exhibit(Mistake("mean over the numbers of a step for their sum", mean), "PyTorch's MSELoss and BCELoss")
    if loss == "squared":
        twice = {"grad_o": times(lambda known: 2.0)}
        yield Exhibit(Mistake("the 2 of the derivative beside the ½ of the loss", twice), COMMON)
    else:
        again = next(f for f in losses.get(loss).formulas("grad_o") if "counted twice" in f.sentence)
        yield Exhibit(Mistake("σ's derivative beside ŷ − y", {"grad_o": as_change(again)}), COMMON)


def _of_map(cell: Cell, m: Affine) -> Iterator[Exhibit]:
    a = Quantity(cell.full(m.node), gradient=True)
    for term in m.terms:
        h, equation = Quantity(cell.full(term.of)), f"grad_{term.weight}"
        off = replace(h, offset=-1) if term.now else h
        in_W = {equation: sum_over_time(Outer(a, off, diagonal=term.diagonal))}
        seen = "VikParuchuri/zero_to_gpt #9, Swift Neuron #181"
        yield Exhibit(Mistake(f"{off} in ∇{term.weight}", in_W), seen)
        around = {equation: sum_over_time(Outer(a, replace(h, offset=-1, wraps=True), diagonal=term.diagonal))}
        yield Exhibit(Mistake(f"the index −1 in ∇{term.weight} is the last step", around), "Swift Neuron #181")
    if m.b:
        alone = {f"grad_{m.b}": of_one_sequence(Outer(a, Quantity("1")))}
        yield Exhibit(Mistake(f"∇{m.b} of the first sequence alone: db[0] of what is not summed", alone), COMMON)
    if m.b:
        lost = {f"grad_{m.b}": times(lambda known: 0.0)}
        yield Exhibit(Mistake(f"∇{m.b} + ∇{m.node} that lost its =", lost), "copies of min-char-rnn")
    for name, what, factor in (
        (m.b, "mean over time for sum", lambda known: 1 / known.T),
        (m.W, "mean over the batch for sum", lambda known: 1 / known.case.spec.sizes.B),
        (m.U, "a mean that is multiplied up again", lambda known: float(known.case.spec.sizes.B)),
    ):
        if name is None:
            continue
        change = {f"grad_{name}": times(factor)}
        yield Exhibit(Mistake(f"{what} in ∇{name}", change), "datascience.SE 30850, char-rnn #70")
    if m.b:
        twice = {f"grad_{m.b}": last_step_twice(a)}
        yield Exhibit(Mistake(f"the last step counted twice in ∇{m.b}", twice), COMMON)


def _of_activation(cell: Cell, m: Affine) -> Iterator[Exhibit]:
    here = f"grad_{cell.full(m.node)}"
    forgotten = without_derivative(cell, here)
    if forgotten:
        formula = as_change(Formula("", forgotten))
        yield Exhibit(Mistake(f"the activation's derivative forgotten: ∇{m.node}", {here: formula}), COMMON)
    outside = with_square_outside(cell, here)
    if outside:
        squared = {here: as_change(Formula("", outside))}
        yield Exhibit(Mistake(f"the square outside, (1 − v)² in ∇{m.node}", squared), COMMON)
    activation = activation_of(cell, m.node)
    if activation:
        node, function = activation
        for what, seen, exchanged in (
            ("the pre-activation in the derivative", COMMON, with_another(cell, here, node, m.node)),
            ("the activation applied twice", "Swift Neuron #181", with_another(cell, here, node, node, function)),
        ):
            if exchanged:
                yield Exhibit(Mistake(f"{what}: ∇{m.node}", {here: as_change(Formula(what, exchanged))}), seen)
    yield Exhibit(Mistake(f"float32 inside ∇{m.node}", {here: in_single}), "DCNv2 #13")


def _of_gates(cell: Cell) -> Iterator[Exhibit]:
    """One gate's gradients in the place of another's, and two gates' in each other's."""
    whole = [m for m in cell.maps if m.W and m.U and m.b]
    for one, two in pairwise(whole):
        copied = {f"grad_{one.b}": sum_over_time(Outer(Quantity(two.node, gradient=True), Quantity("1")))}
        yield Exhibit(Mistake(f"∇{one.b} copied from ∇{two.b}", copied), "hanbt/learn_dl #7")
        exchanged: dict[str, Change] = {}
        for m, other in ((one, two), (two, one)):
            a = Quantity(other.node, gradient=True)
            of = Quantity(cell.full(m.of), offset=0 if m.now else -1)
            exchanged |= {
                f"grad_{m.b}": sum_over_time(Outer(a, Quantity("1"))),
                f"grad_{m.W}": sum_over_time(Outer(a, of)),
                f"grad_{m.U}": sum_over_time(Outer(a, Quantity("x"))),
            }
        yield Exhibit(Mistake(f"the order of the gates {one.node} and {two.node} confused", exchanged), "four orders")


def _a_step_short(cell: Cell) -> dict[str, Change]:
    """What a loop that ends at t = 2 leaves out: the first step in every sum of a map, its ∇x, and ∇h(0) itself."""
    sums = summed(cell)
    of_maps = [name for m in cell.maps for name in (m.b, m.U, *(term.weight for term in m.terms)) if name]
    changes: dict[str, Change] = {f"grad_{name}": without_the_first_step(sums[f"grad_{name}"]) for name in of_maps}
    changes["grad_x"] = lambda known, value, t: np.concatenate([0 * value[:1], value[1:]])
    for start, terms in initial(cell).items():
        changes[start] = lambda known, value, t, terms=terms: sum(term.row(known, 0) for term in terms)  # type: ignore[misc]
    return changes


def _of_the_whole(cell: Cell) -> Iterator[Exhibit]:
    zeros = {"grad_x": times(lambda known: 0.0)}
    yield Exhibit(Mistake("the gradient of the sequence input is zeros", zeros), "jax #753")
    backwards = {"grad_x": lambda known, value, t: value[::-1]}
    yield Exhibit(Mistake("∇x collected on the way back and never turned round", backwards), COMMON)
    yield Exhibit(Mistake("the loop on the way back leaves out the first step", _a_step_short(cell)), COMMON)
    parameters = list(parameter_shapes(cell, n_in=1, n_hidden=1, n_out=1))
    clip = {f"grad_{name}": clipped for name in parameters}
    yield Exhibit(Mistake("clipping inside the loss function", clip), "min-char-rnn")
    reading = [f"grad_{cell.full(m.node)}" for m in cell.maps] + ["grad_V"]
    reading += [f"grad_{term.weight}" for m in cell.maps for term in m.terms]
    values = {name: value for name in reading if (value := right_value(cell, name)) is not None}
    stale = {name: as_change(Formula("", of_another_batch(value))) for name, value in values.items()}
    yield Exhibit(Mistake("stale tape: another batch's activations", stale), COMMON, in_reach=False)
