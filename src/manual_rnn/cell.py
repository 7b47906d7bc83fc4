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
from dataclasses import dataclass, field
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
class Affine:
    """The declaration of one affine map, node = W state(t−1) + U x(t) + b, by the names of its parts.

    Shapes: W (n_hidden, n_hidden), U (n_hidden, n_in), b (n_hidden,).
    """

    node: str = "a"
    W: str = "W"
    U: str = "U"
    b: str = "b"
    state: str = "h"


OF_THE_NETWORK = ("x", "o", "loss", "V", "c")
"""Names that mean something around every cell, so that none may have them for a node, a state or a parameter."""


@dataclass(frozen=True)
class Cell:
    """One recurrent cell: its name, one step forward, one step backward, and what it declares.

    ``forward(node, prev, tap)`` gets the affine maps of step t as ``node.a`` and the states of step t−1 as
    ``prev.h``; it returns the states of step t by name.

    ``backward(node, prev, grad, tap)`` gets every node of the step, the previous states, and ``grad.h`` =
    ∇h(t), the total gradient of each state; it returns the gradient of each affine map by the map's name and,
    where a state of step t−1 enters other than through a map, its direct gradient as ``"h_prev"``.

    All its arrays are ``(..., n_hidden)`` and all its operations go by element, so one code serves one step
    and all steps at once.
    """

    name: str
    forward: Forward
    backward: Backward
    maps: tuple[Affine, ...] = (Affine(),)
    states: tuple[str, ...] = ("h",)
    """The states carried from step to step; the readout sees the first."""
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

    def __post_init__(self) -> None:
        own = [name for m in self.maps for name in (m.node, m.W, m.U, m.b)]
        names = own + [name for name in self.states if name not in {m.node for m in self.maps}]
        taken = {name for name in names if name in OF_THE_NETWORK or names.count(name) > 1}
        if taken:
            raise ValueError(
                f"The cell {self.name!r} has the names {', '.join(sorted(taken))} twice, or for something else than "
                f"the network around it: {', '.join(OF_THE_NETWORK)} are the input, the logits, the loss, V and c."
            )

    @property
    def nodes(self) -> tuple[str, ...]:
        """The maps' nodes, then the states: what every cell has."""
        return tuple(m.node for m in self.maps) + self.states


def parameter_shapes(cell: Cell, *, n_in: int, n_hidden: int, n_out: int) -> dict[str, tuple[int, ...]]:
    """The name and shape of each parameter of a network made of ``cell`` and a readout."""
    shapes: dict[str, tuple[int, ...]] = {}
    for m in cell.maps:
        shapes |= {m.U: (n_hidden, n_in), m.W: (n_hidden, n_hidden), m.b: (n_hidden,)}
    return shapes | {"V": (n_out, n_hidden), "c": (n_out,)}


def initialise(
    cell: Cell,
    *,
    n_in: int,
    n_hidden: int,
    n_out: int,
    seed: int | np.random.Generator = 0,
    gain: float = 1.0,
    dtype: npt.DTypeLike = np.float64,
) -> dict[str, Array]:
    r"""Matrices at random, biases at zero: the first of the six steps.

    Each entry of a matrix is drawn from $N(0, g^2/n)$, n being the width of its input and g the ``gain``, so
    that a product keeps the size of what goes in (Sompolinsky, Crisanti, Sommers 1988, for W).
    """
    rng = np.random.default_rng(seed)
    shapes = parameter_shapes(cell, n_in=n_in, n_hidden=n_hidden, n_out=n_out)

    def draw(shape: tuple[int, ...]) -> Array:
        return gain / np.sqrt(shape[1]) * rng.standard_normal(shape) if len(shape) == 2 else np.zeros(shape)

    return {name: draw(shape).astype(dtype) for name, shape in shapes.items()}
