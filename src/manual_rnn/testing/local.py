r"""The local verdict: each equation alone, at each step, fed with the reference's tape and incoming gradient.

Nothing propagates from one equation to the next, so neither chaos nor vanishing nor saturation matters. An error
is counted in units in the last place of the equation's natural scale, $\text{unit} = \varepsilon \cdot \text{scale}
+ \text{tiny}$, where tiny is the smallest normal number of the dtype: compiled JAX flushes what is below it to
zero. There is no other absolute tolerance, at any magnitude.

What it cannot see: an equation in whose every case the numbers lie below the format's limit, or cancel to less
than half of the format's digits. Those are counted as undecided, never as passed. So is a gradient exactly at a kink
that the cell declares: there it is anything between the slopes of the two sides, and nobody's choice is wrong (JAX
gives ``jnp.maximum(a, 0)`` a half and ``jax.nn.relu`` zero). What each step starts from, in a pass that does not
reserve its states on the tape, is judged by the whole gradient alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_rnn.anew import starts_of
from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.gradients import forward_and_backward
from manual_rnn.network import INITIAL, Network
from manual_rnn.tape import Tape
from manual_rnn.testing.problem import Answer, Case
from manual_rnn.testing.scales import Scales, previous_states

BEFORE = "before"
"""What the name of the equation ends with that says what each step starts from."""

Manual = Callable[..., Any]
"""A pass that records on the tapes it is handed, with the signature of ``gradients.forward_and_backward``."""


def run(manual: Manual, model: Cell | Network, case: Case, tape: Tape, grads: Tape) -> None:
    """Runs a pass on a case. One that knows no loss but the softmax, no boundaries or no masks is not told of them."""
    told: dict[str, Any] = {} if case.spec.loss == "softmax" else {"loss": case.spec.loss}
    told |= {} if case.begins is None else {"begins": case.begins}
    told |= {"masks": case.masks} if case.masks else {}
    arguments = (case.params, case.x, case.y, case.weights, case.initial)
    manual(model, *arguments, inputs=True, tape=tape, grads=grads, **told)


class ForcedTape(Tape):
    """Keeps what was computed, and lets the pass go on with the reference's value in its place."""

    def __init__(
        self,
        T: int,
        reference: Mapping[str, Array],
        previous: Mapping[str, Array],
        nodes: Collection[str] | None = None,
    ) -> None:
        """``nodes`` are the names in the reference that may be tapped step by step; all of them by default."""
        super().__init__(T)
        self._nodes = reference.keys() if nodes is None else nodes
        self._arrays = {name: _read_only(array) for name, array in reference.items()}
        self._previous = {name: _read_only(array) for name, array in previous.items()}
        self.computed: dict[str, Array] = {}
        self.starts_from: dict[str, Array] = {}
        """By state, what the pass would have each step start from; it goes on with what the reference's starts from."""

    def reserve_state(
        self, name: str, initial: Array, dtype: Any, *, reverse: bool = False, fresh: Array | None = None
    ) -> None:
        """Nothing to reserve: the states are the reference's."""
        if name in self._arrays:
            first, rows = initial[None], self._arrays[name]
            self._shifted[name] = np.concatenate([rows[1:], first] if reverse else [first, rows[:-1]])
            self.starts_from[name] = self._shifted[name].copy()
            if fresh is not None:
                self.starts_from[name][:] = fresh

    def go_on(self, name: str, starts: Array) -> None:
        np.copyto(self.starts_from[name][self.t], self._shifted[name][self.t], where=~starts[:, None])

    def tap(self, name: str, value: Array) -> Array:
        if name not in self._nodes:
            raise ValueError(
                f"The cell taps a node named {name!r} that its reference does not have; "
                f"the reference has {', '.join(self._nodes)}."
            )
        if not isinstance(value, np.ndarray):
            raise ValueError(f"The cell taps a {type(value).__name__} as {name!r}; expected an array.")
        truth = self._arrays[name]
        if name not in self.computed:
            self.computed[name] = np.full((self.T, *value.shape), np.nan, value.dtype)
        self.computed[name][self.t] = value
        row: Array = truth[self.t]
        return row

    def tap_all(self, name: str, values: Array) -> Array:
        self.computed[name] = values
        return self._arrays[name]


def _read_only(array: Array) -> Array:
    """A view that a cell cannot overwrite: later steps, and the verdict, need the array as it was."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True)
class EquationCheck:
    """One equation of one case: per number, the error in units, and whether it can be decided."""

    units: Array
    bound: float
    undecided: Array

    @property
    def wrong(self) -> Array:
        """Which numbers are off by more units than the bound; a NaN is."""
        return np.asarray(~(self.units <= self.bound))

    @property
    def agree(self) -> bool:
        return not self.wrong.any()

    @property
    def wholly_undecided(self) -> bool:
        """Whether not a single number of the equation could be decided in this case."""
        return bool(self.undecided.all())


def bound_for(terms: int) -> float:
    """The units that a right equation may be off by, n being the terms of the longest sum in it: 32 + n.

    Thirty-two for the functions: float64 tanh is up to 6.5 units off in JAX and 1.1 in NumPy, and an equation may
    be made of several, in another form than the reference's. Each of the n additions rounds by half a unit at most,
    in either implementation, in whatever order they are made (Higham 2002, eq. 4.4). A wrong term is off by about
    1e15, float32 inside float64 by 1e8.
    """
    return 32.0 + terms


def compare(ours: Array, truth: Array, scale: Array, terms: int, at_kink: Array | None = None) -> EquationCheck:
    """Counts the errors of ``ours`` in units of the natural scale. All arrays have one shape.

    ``at_kink`` says at which numbers the derivative has no one value: any that is finite will do there.

    Raises:
        ValueError: ours has another shape than the truth.
    """
    if ours.shape != truth.shape:
        raise ValueError(f"it has the shape {ours.shape}, expected {truth.shape}.")
    info = np.finfo(truth.dtype)
    with np.errstate(all="ignore"):
        unit = info.eps * scale + info.tiny
        units = np.abs(ours - truth) / unit
        # Beyond half of the digits lost, agreement says nothing: by cancellation, by underflow, or by overflow.
        undecided = ~(unit <= np.sqrt(info.eps) * np.abs(truth)) | ~np.isfinite(truth)
    units = np.where(np.isfinite(truth), units, 0.0)
    if at_kink is not None:
        anything = at_kink & np.isfinite(ours)
        units, undecided = np.where(anything, 0.0, units), undecided | anything
    return EquationCheck(units, bound_for(terms), undecided & ~(units > bound_for(terms)))


def _check_returned_states(
    cell: Cell, case: Case, nodes: Mapping[str, Array], before: Mapping[str, Array]
) -> None:
    """The next step starts from what the tape has; a window from what forward returns: they must be one."""
    tape = ForcedTape(case.spec.sizes.T, nodes, before)
    maps = Nodes(**{m.node: tape[cell.full(m.node)][0] for m in cell.maps})
    prev = Nodes(**{name: tape.previous(cell.full(name))[0] for name in cell.states})
    with np.errstate(all="ignore"):
        returned = cell.forward(maps, prev, lambda name, value: tape.tap(cell.full(name), value))
    for name in cell.states:
        if name in returned and not np.array_equal(returned[name], tape[cell.full(name)][0], equal_nan=True):
            raise ValueError(f"forward returns a state {name!r} that is not the {name!r} it has tapped.")


def _at_kinks(cell: Cell, case: Case, nodes: Mapping[str, Array], scales: Scales) -> dict[str, Array]:
    """By the name of a gradient that the cell's own code makes: where a node with a kink is exactly zero."""
    if not cell.kinks:
        return {}
    zero = np.any([nodes[cell.full(name)] == 0 for name in cell.kinks], axis=0)
    states = [cell.full(name) for name in cell.states]
    found = {name: zero for name in nodes if cell.own(name) is not None and name not in states}
    starts = None if case.begins is None else starts_of(cell, case.begins)[..., None]
    goes_on = zero if starts is None else zero & ~starts
    nothing = np.zeros_like(zero[:1])
    for name in cell.states:
        if f"{cell.prefix}{name}_prev" in scales[1]:  # handed to the step before, a part of the state's gradient there
            arrives = [nothing, goes_on[:-1]] if cell.reverse else [goes_on[1:], nothing]
            found |= {cell.full(name): np.concatenate(arrives)}
            found |= {cell.initial_name(name): goes_on[-1 if cell.reverse else 0]}
            if starts is not None:
                found |= {f"{cell.prefix}{INITIAL}{name}": (zero & starts).any(axis=(0, 1))}
    return found


def _checks_of_beginnings(
    network: Network, case: Case, tape: ForcedTape, before: Mapping[str, Array]
) -> dict[str, EquationCheck]:
    """What each step starts from, where that is something else than the state of the row above: ``h_before``."""
    others = [cell for cell in network.cells if case.begins is not None or cell.reverse]
    states = [cell.full(name) for cell in others for name in cell.states]
    return {
        f"{name}_{BEFORE}": compare(tape.starts_from[name], before[name], np.abs(before[name]), 1)
        for name in states if name in tape.starts_from
    }  # fmt: skip


def local_verdict(
    model: Cell | Network, case: Case, answer: Answer, scales: Scales, *, manual: Manual = forward_and_backward
) -> dict[str, EquationCheck]:
    """Judges every equation of one case; the names are those of the command line's contract (a, h, …, grad_W, …),
    in a network of several with the prefix of the cell.

    Raises:
        ValueError: a node or gradient is missing or has the wrong shape; the sentence names it.
    """
    network, (nodes, grads) = Network.of(model), answer
    before = previous_states(network, case, nodes)
    T = case.spec.sizes.T
    tape = ForcedTape(T, nodes, before, list(nodes))
    back = ForcedTape(T, grads, before, [name for name in nodes if name in grads])
    kinks: dict[str, Array] = {}
    for cell in network.cells:
        _check_returned_states(cell, case, nodes, before)
        kinks |= _at_kinks(cell, case, nodes, scales)
    with np.errstate(all="ignore"):
        run(manual, model, case, tape, back)

    checks = _checks_of_beginnings(network, case, tape, before)
    for prefix, computed, truths, scale_of, at_kinks in (
        ("", tape.computed, nodes, scales[0], {}),
        ("grad_", back.computed, grads, scales[1], kinks),
    ):
        for name in [*computed, *(name for name in truths if name not in computed)]:
            equation, truth = f"{prefix}{name}", truths[name]
            if name not in computed:
                raise ValueError(f"{equation} is missing: the reference has it and the manual pass never gave it.")
            scale = scale_of[name]
            try:
                checks[equation] = compare(computed[name], truth, scale.of, scale.terms, at_kinks.get(name))
            except ValueError as error:
                raise ValueError(f"{equation}: {error}") from None
    return checks
