"""Conventions of cells with gates: another order of the gates, the other reset of a GRU, a hard sigmoid.

Code that has one of them is right for a network of its own. So the derivation is replayed for that network, and its
gradients compared with all that the code returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from manual_rnn import cells
from manual_rnn.activations import sigmoid
from manual_rnn.cell import Array, Cell, Nodes, Tap
from manual_rnn.expression import (
    Call,
    Equations,
    Expression,
    Number,
    Symbol,
    backward_equations,
    evaluate,
    forward_equations,
)
from manual_rnn.network import parameter_shapes
from manual_rnn.testing.mistakes.replay import Replay
from manual_rnn.testing.mistakes.spoken import recognised
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.passes.blocks import blocks
from manual_rnn.testing.passes.regimes import Drawn
from manual_rnn.testing.passes.seen import Seen, block_axes
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.passes.truth import cell_of

OTHER_RESET = {"gru": "gru_reset_before", "gru_reset_before": "gru"}
RESETS = {
    "gru": "the reset gate scales the product W_n h(t−1), after it",
    "gru_reset_before": "the reset gate scales h(t−1), before the product",
}
HARD = {"0.2 a + 0.5": 0.2, "a/6 + 1/2": 1 / 6}
"""The slopes of the hard sigmoids: Keras's and PyTorch's."""


@dataclass(frozen=True)
class Network:
    """What the user's code may be right for: a cell, and the order of its gates."""

    words: str
    cell: Cell
    gates: str


def of_another_network(target: Target, seen: Sequence[Seen]) -> str:
    """The words of the one network for which everything that was returned is right; empty where there is none."""
    cell = cell_of(target)
    usable = [s for s in seen if all(map(s.fits, s.answered.returned))]
    if len(usable) < 2 or len(cell.maps) < 2:
        return ""
    smallest_first = sorted(usable, key=lambda s: s.drawn.sizes)
    for network in _networks(cell, target.layout.gates):
        if all(_gives(target, s, network) for s in smallest_first):
            return network.words
    return ""


def _networks(cell: Cell, gates: str) -> Iterator[Network]:
    cells_of = [("", cell)]
    if cell.name in OTHER_RESET:
        other = cells.get(OTHER_RESET[cell.name])
        cells_of.append((RESETS[other.name], other))
    cells_of += [
        (f"{words}{', ' * bool(words)}the sigmoid is hard, {line} between 0 and 1", with_hard_sigmoid(one, slope))
        for words, one in list(cells_of) for line, slope in HARD.items()
    ]  # fmt: skip
    for order in dict.fromkeys([gates, *map("".join, permutations(gates))]):
        declare = f'the gates stand in the order {", ".join(order)}: Layout(gates="{order}")' if order != gates else ""
        for words, one in cells_of:
            if words or declare:
                yield Network(" and ".join(part for part in (declare, words) if part), one, order)


def _gives(target: Target, s: Seen, network: Network) -> bool:
    try:
        gradients = _replayed(target, s.drawn, network)
    except KeyError:  # the other variant has parameters that this one has not
        return False
    layout = replace(target.layout, gates=network.gates)
    packed = layout.packed(gradients)
    for name, returned in s.answered.returned.items():
        right = packed.get(layout.ours(name))
        ours = layout.to_ours(name, returned)
        if right is None or right.shape != ours.shape:
            return False
        if blocks(ours, Estimate(right, np.zeros_like(right)), block_axes(target, name), target.dtype).wrong.any():
            return False
    return True


def _replayed(target: Target, drawn: Drawn, network: Network) -> Mapping[str, Array]:
    """The gradients of the same arrays, read as that network reads them."""
    stacked = target.layout.packed(drawn.params)
    params = replace(target.layout, gates=network.gates).unpacked(stacked)
    s = drawn.sizes
    shapes = parameter_shapes(network.cell, n_in=s.n_in, n_hidden=s.n_hidden, n_out=s.n_out)
    without = {name: np.zeros(shape) for name, shape in shapes.items() if name == "d_n" and name not in params}
    kept = {name: array for name, array in {**params, **without}.items() if name in shapes}
    dropped = [name for name in params if name not in shapes and params[name].any()]
    if dropped:
        raise KeyError(dropped[0])
    replay = Replay.of(network.cell, replace(drawn, params=kept))
    return {name: replay.grads[name] for name in replay.grads}


def with_hard_sigmoid(cell: Cell, slope: float) -> Cell:
    """The same cell with clip(slope a + 1/2, 0, 1) in the place of the logistic function."""

    def hard(a: Array) -> Array:
        return np.clip(slope * a + 0.5, 0, 1)

    def derivative(s: Array) -> Array:
        return slope * ((s > 0) & (s < 1))

    forward = _edited(forward_equations(cell), hard, derivative)
    backward = _edited(backward_equations(cell), hard, derivative)

    def run(equations: Equations, kinds: Mapping[str, Nodes], tap: Tap) -> dict[str, Array]:
        made: dict[str, Array] = {}

        def read(symbol: Symbol) -> Array:
            return made[symbol.name] if symbol.kind == "made" else getattr(kinds[symbol.kind], symbol.name)

        for name, expression in equations.tapped.items():
            made[name] = tap(name, evaluate(expression, read))
        return {name: evaluate(expression, read) for name, expression in equations.returned.items()}

    return replace(
        cell,
        forward=lambda node, prev, tap: run(forward, {"node": node, "prev": prev}, tap),
        backward=lambda node, prev, grad, tap: run(backward, {"node": node, "prev": prev, "grad": grad}, tap),
    )


def _edited(equations: Equations, hard: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Equations:
    def edit(part: Expression) -> Expression:
        match part:
            case Call(np.multiply, (s, Call(np.subtract, (Number(1.0), t)))) if s == t:
                return Call(slope, (s,))
            case Call(function, arguments):
                inside = tuple(map(edit, arguments))
                return Call(hard if function is sigmoid else function, inside)
        return part

    return Equations(
        {name: edit(recognised(e)) for name, e in equations.tapped.items()},
        {name: edit(recognised(e)) for name, e in equations.returned.items()},
    )
