r"""What a cell is: the mathematics between the affine maps, one step of it.

A cell declares its affine maps and codes the rest. The maps
$a = W\,\text{state}(t-1) + U x(t) + b$ and their gradients are derived once for all cells
(:mod:`manual_rnn.affine`), the walk through time once for all cells (:mod:`manual_rnn.bptt`), so a cell's own
file holds only the equations that are its own.

Every named node of a step goes through ``tap(name, value)``, which gives back the value to go on with. While
training, ``tap`` records; the judge hands in one that puts the reference's value in the place of ours, so that
each equation is judged alone. The reference has a ``tap`` in the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Tap = Callable[[str, Array], Array]
Nodes = SimpleNamespace
"""Named nodes as attributes: ``node.a``, ``prev.h``, ``grad.h``; each array has shape (..., n_hidden)."""

Forward = Callable[[Nodes, Nodes, Tap], dict[str, Array]]
Backward = Callable[[Nodes, Nodes, Nodes, Tap], dict[str, Array]]


@dataclass(frozen=True, kw_only=True)
class Term:
    """One product in an affine map with what the network itself has made: W h(t−1), W rh(t), p ∘ c(t)."""

    weight: str
    """The name of the matrix (n_hidden, n_hidden), or of the vector (n_hidden,) of a product by element."""
    of: str
    """What it is taken of: a state of the step before, or with ``now`` any node of this step."""
    now: bool = False
    diagonal: bool = False
    """Whether the product goes by element, as in a peephole."""


@dataclass(frozen=True, kw_only=True)
class Affine:
    """The declaration of one affine map, node = W of(t−1) + U x(t) + b and more, by the names of its parts.

    Shapes: W (n_hidden, n_hidden), U (n_hidden, n_in), b (n_hidden,). A part that is None is not there.
    """

    node: str = "a"
    W: str | None = "W"
    U: str | None = "U"
    b: str | None = "b"
    of: str = "h"
    """What W is taken of: a state of the step before, or with ``now`` a node of this step."""
    now: bool = False
    more: tuple[Term, ...] = ()
    """Further products that are added: a peephole, a second matrix."""

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """All products with what the network itself has made."""
        first = () if self.W is None else (Term(weight=self.W, of=self.of, now=self.now),)
        return first + self.more

    @cached_property
    def waits_for(self) -> str | None:
        """The node of this step without which the map cannot be computed; None: it can from the start."""
        return next((term.of for term in self.terms if term.now), None)


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A weight that is a function of parameters, W = A − Aᵀ say, with the derivative of that function by hand."""

    name: str
    of: str
    """The parameter that it is made of, a matrix (n_hidden, n_hidden)."""
    forward: Callable[[Array], Array]
    """The weight from the parameter."""
    backward: Callable[[Array, Array, Array], Array]
    """The parameter's gradient from the parameter, the weight, and the weight's gradient."""
    start: Callable[[np.random.Generator, int, float], Array] | None = None
    """The parameter at the start, (n_hidden, n_hidden), from a generator, n_hidden and the gain; None: Gaussian."""


OF_THE_NETWORK = ("x", "o", "loss", "V", "c")
"""Names that mean something around every cell: no parameter may have them, and a node that has is cell.o, cell.c."""


@dataclass(frozen=True)
class Cell:
    """One recurrent cell: its name, one step forward, one step backward, and what it declares.

    ``forward(node, prev, tap)`` gets the affine maps of step t as ``node.a`` and the states of step t−1 as
    ``prev.h``; it returns the states of step t by name. A map of a node of this step is there as soon as that node
    has been tapped.

    ``backward(node, prev, grad, tap)`` gets every node of the step, the previous states, and what has come to each
    state from above and from step t+1: ``grad.h`` for the first state is ∇h(t), the total gradient, as nothing else
    in the step is made of it. The total gradient of any further state the cell completes and taps itself. Where a
    map takes a node of this step, its part of that node's gradient is in ``grad`` as soon as the gradient of the map
    has been tapped. It returns the gradient of each affine map by the map's name and, where a state of step t−1
    enters other than through a map, its direct gradient as ``"h_prev"``.

    All its arrays are ``(..., n_hidden)`` and all its operations go by element, so one code serves one step
    and all steps at once.
    """

    name: str
    forward: Forward
    backward: Backward
    maps: tuple[Affine, ...] = (Affine(),)
    states: tuple[str, ...] = ("h",)
    """The states carried from step to step. The readout sees the first, of which nothing else in its step is made."""
    weights: tuple[Derived, ...] = ()
    """The weights of maps that are no parameters but made of them."""
    keep: str | None = None
    """The bias of the gate that keeps the state of the step before: the forget gate's, or the update gate's."""
    write: str | None = None
    """The bias of the gate that writes, where that is not the same gate: the input gate's of an LSTM."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The number in the derivation of each equation that is the cell's own: ``{"h": "F2", "grad_a": "B5"}``."""
    kinks: tuple[str, ...] = ()
    """The nodes at whose zero a derivative jumps (the pre-activation of a ReLU). Where one is exactly zero, either
    side's slope is right and the judge decides nothing."""
    latex: Mapping[str, str] = field(default_factory=dict)
    """The equations that are the cell's own, for reports: ``{"h": r"h(t) = \\tanh a(t)"}``; those of all cells are
    known (:mod:`manual_rnn.formulas`), and one that is not given is shown by its name alone."""
    against: Callable[..., Any] | None = None
    """The cell's partner, one pure step in JAX; None: the function of the same name in ``reference.cells``."""
    prefix: str = ""
    """What its names begin with on the tapes and among the parameters of a network of several: see :meth:`placed`."""
    reverse: bool = False
    """Whether it goes through the sequence from its last step to its first."""

    def __post_init__(self) -> None:
        weights = [*(n for m in self.maps for n in (*(term.weight for term in m.terms), m.U, m.b) if n)]
        weights += [w.of for w in self.weights]
        nodes = [m.node for m in self.maps]
        nodes += [name for name in self.states if name not in nodes]
        names = weights + nodes
        taken = {n for n in weights if n in OF_THE_NETWORK} | {n for n in names if names.count(n) > 1}
        if taken:
            raise ValueError(
                f"The cell {self.name!r} has the names {', '.join(sorted(taken))} twice, or for something else than "
                f"the network around it: {', '.join(OF_THE_NETWORK)} are the input, the logits, the loss, V and c."
            )
        if not any(m.U for m in self.maps):
            raise ValueError(f"The cell {self.name!r} has no map with a U: it never sees its input.")
        for m in self.maps:
            before = [term.of for term in m.terms if not term.now and term.of not in self.states]
            if before or len({term.of for term in m.terms if term.now}) > 1:
                raise ValueError(
                    f"The map {m.node!r} of the cell {self.name!r} takes {', '.join(before) or 'two nodes of its step'}"
                    f"; it may take states of the step before ({', '.join(self.states)}) and one node of its own step."
                )

    @property
    def nodes(self) -> tuple[str, ...]:
        """The maps' nodes, then the states: what every cell has."""
        return tuple(m.node for m in self.maps) + self.states

    def full(self, name: str) -> str:
        """The name of one of the cell's nodes on a network's tape."""
        return f"{self.prefix}{OF_THE_CELL}{name}" if name in OF_THE_NETWORK else f"{self.prefix}{name}"

    def own(self, name: str) -> str | None:
        """The cell's name of a node on a network's tape; None where the node is not the cell's."""
        if not name.startswith(self.prefix) or name in {w.name for w in self.weights}:
            return None
        name = name.removeprefix(self.prefix)
        if name.startswith(OF_THE_CELL):
            return name.removeprefix(OF_THE_CELL)
        return None if name in OF_THE_NETWORK else name

    def placed(self, prefix: str, *, reverse: bool = False) -> Cell:
        """The cell as one of several in a network: what it names there begins with ``prefix``.

        Its code goes on with its own names; the parameters' names in its maps are the network's.
        """
        return replace(self._renamed(lambda name: f"{prefix}{name}"), prefix=prefix, reverse=reverse)

    def alone(self) -> Cell:
        """The cell by itself, as it was before it was placed in a network."""
        return replace(self._renamed(lambda name: name.removeprefix(self.prefix)), prefix="", reverse=False)

    def _renamed(self, named: Callable[[str], str]) -> Cell:
        def renamed(name: str | None) -> str | None:
            return None if name is None else named(name)

        maps = tuple(
            replace(
                m, W=renamed(m.W), U=renamed(m.U), b=renamed(m.b),
                more=tuple(replace(term, weight=named(term.weight)) for term in m.more),
            )
            for m in self.maps
        )  # fmt: skip
        weights = tuple(replace(w, name=named(w.name), of=named(w.of)) for w in self.weights)
        return replace(self, maps=maps, weights=weights, keep=renamed(self.keep), write=renamed(self.write))

    def initial_name(self, state: str) -> str:
        """The name of ∇(initial state), (B, n_hidden), among a network's gradients: ``h0``."""
        return f"{self.prefix}{state}0"


OF_THE_CELL = "cell."


def shapes_of_cell(cell: Cell, *, n_in: int, n_hidden: int) -> dict[str, tuple[int, ...]]:
    """The name and shape of each parameter of a cell, which has n_in inputs."""
    shapes: dict[str, tuple[int, ...]] = {}
    for m in cell.maps:
        shapes |= {m.U: (n_hidden, n_in)} if m.U else {}
        shapes |= {term.weight: (n_hidden,) if term.diagonal else (n_hidden, n_hidden) for term in m.terms}
        shapes |= {m.b: (n_hidden,)} if m.b else {}
    for w in cell.weights:
        shapes = {w.of if name == w.name else name: shape for name, shape in shapes.items()}
    return shapes


def of_input(cell: Cell) -> str:
    """The name of a matrix that is taken of the input, the first that there is."""
    return next(m.U for m in cell.maps if m.U)
