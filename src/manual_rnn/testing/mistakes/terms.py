r"""Terms of which the equations of a derivation are sums, as data: so that one can be dropped, turned or shifted.

A :class:`Linear` term is a matrix times a quantity at some step, $W^\top \nabla a(t+1)$; an :class:`Outer` term is a
sum over time, $\sum_t \nabla a(t)\, h(t-1)^\top$. Each says itself in the language of the derivation and computes
itself from the quantities that stand on the tapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from manual_rnn import affine
from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.tape import Tape
from manual_rnn.testing.problem import Case


class Quantities:
    """All that an equation can be made of: nodes, gradients and inputs at any step, zero beyond the ends."""

    def __init__(
        self,
        cell: Cell,
        case: Case,
        nodes: Mapping[str, Array] | Tape,
        grads: Mapping[str, Array] | Tape,
        upstream: Array | None = None,
    ) -> None:
        """``upstream`` is what comes to ∇h from above where there is no readout."""
        self.cell, self.case, self.nodes, self.grads, self.upstream = cell, case, nodes, grads, upstream
        self._initial = {cell.full(name): array for name, array in case.initial.items()}
        self.x = case.for_oracle()["x"]
        self.T = case.spec.sizes.T
        self.rows: Sequence[int] = range(self.T)
        """The rows that an equation of every step is wanted at: all, or the one that a pass has come to."""

    @property
    def nodes_by_step(self) -> list[str]:
        """The nodes that have a row of units at every step."""
        return [name for name in self.nodes if self.nodes[name].ndim == 3]

    @property
    def weights(self) -> Mapping[str, Array]:
        """The parameters, and the weights that are made of parameters."""
        made = {w.name: self.nodes[w.name] for w in self.cell.weights}
        return {**self.case.params, **made} if made else self.case.params

    @property
    def grads_by_step(self) -> list[str]:
        """The nodes that have a gradient at every step."""
        return [name for name in self.nodes_by_step if name in list(self.grads)]

    def at(self, quantity: Quantity, t: int) -> Array:
        """A quantity at row t + its offset, (B, n)."""
        if quantity.name == "1":
            return np.ones((self.case.spec.sizes.B, 1), self.x.dtype)
        row = (self.T - 1 - t if quantity.reversed else t) + quantity.offset
        if quantity.wraps:
            row %= self.T
        if row == -1 and not quantity.gradient and quantity.name in self._initial:
            return self._initial[quantity.name]
        if not 0 <= row < self.T:
            s = self.case.spec.sizes
            width = {"x": s.n_in, "o": s.n_out}.get(quantity.name, s.n_hidden)
            return np.zeros((s.B, width), self.x.dtype)
        if quantity.name == "x" and not quantity.gradient:
            return np.asarray(self.x[row])
        return np.asarray((self.grads if quantity.gradient else self.nodes)[quantity.name][row])

    def at_every_step(self, quantity: Quantity) -> Array:
        """The same at all rows, (T, B, n)."""
        return np.stack([self.at(quantity, t) for t in range(self.T)])

    def nodes_at(self, t: int) -> tuple[Nodes, Nodes]:
        """What the cell's own code is given at row t: the nodes of the step, and the states of the one before."""
        prev = {name: self.at(Quantity(self.cell.full(name), offset=-1), t) for name in self.cell.states}
        return Nodes(**self._by_own_name(t)), Nodes(**prev)

    def _by_own_name(self, t: int, *, gradient: bool = False) -> dict[str, Array]:
        names = {own: name for name in self.nodes_by_step if (own := self.cell.own(name)) is not None}
        return {own: self.at(Quantity(name, gradient=gradient), t) for own, name in names.items()}

    def direct(self, state: str, t: int) -> Array:
        """What row t hands to ∇state(t−1) past the maps, (B, n_hidden), as the cell's code gives it; zero beyond."""
        B, n = self.case.initial[state].shape
        if not 0 <= t < self.T:
            return np.zeros((B, n), self.x.dtype)
        grad = Nodes(**self._by_own_name(t, gradient=True))
        tapped = self.cell.backward(
            *self.nodes_at(t), grad, lambda name, _: self.at(Quantity(self.cell.full(name), gradient=True), t)
        )
        return np.asarray(tapped.get(f"{state}_prev", np.zeros((B, n), self.x.dtype)))


@dataclass(frozen=True)
class Quantity:
    """A node or its gradient at step t + offset; "1" is the constant."""

    name: str
    gradient: bool = False
    offset: int = 0
    wraps: bool = False
    """Whether a step beyond an end is one at the other end, as Python's index −1 and np.roll have it."""
    reversed: bool = False
    """Whether the steps are read from the last to the first."""

    def __str__(self) -> str:
        if self.name == "1":
            return "1"
        when, offset = ("τ", self.offset + 1) if self.reversed else ("t", self.offset)
        when += f"{offset:+d}".replace("-", "−") if offset else ""
        when += " mod τ" if self.wraps else "−t" if self.reversed else ""
        return f"{'∇' if self.gradient else ''}{self.name.removeprefix('cell.')}({when})"


def at_other_steps(quantity: Quantity) -> list[Quantity]:
    """The same quantity read round the end of the sequence, or backwards in time."""
    if quantity.name == "1":
        return []
    around = [replace(quantity, offset=offset, wraps=True) for offset in (-1, 1)]
    return around + [replace(quantity, offset=offset, reversed=True) for offset in dict.fromkeys((0, quantity.offset))]


def edits(first: Quantity, second: Quantity) -> int:
    """How many things one has to change in a quantity to make it another."""
    step = (first.offset, first.wraps) != (second.offset, second.wraps)
    other = (first.reversed != second.reversed) + (first.gradient != second.gradient)
    return step + other + (first.name != second.name)


@dataclass(frozen=True)
class Linear:
    """matrix · quantity at each step; without a matrix the quantity itself; with a vector, by element."""

    quantity: Quantity
    matrix: str | None = None
    transposed: bool = False
    diagonal: bool = False

    def __str__(self) -> str:
        if self.quantity.name == "1":
            return str(self.matrix)
        if self.diagonal:
            return f"{self.matrix} ∘ {self.quantity}"
        return f"{self.matrix or ''}{'ᵀ' if self.transposed else ''}{' ' if self.matrix else ''}{self.quantity}"

    def row(self, known: Quantities, t: int) -> Array:
        """Its value at row t, (B, m)."""
        value = known.at(self.quantity, t)
        if self.matrix is None:
            return value
        M = known.weights[self.matrix]
        if self.quantity.name == "1":
            return np.broadcast_to(M, (len(value), *M.shape))
        if self.diagonal:
            return value * M
        return value @ (M if self.transposed else M.T)


@dataclass(frozen=True)
class Outer:
    """The sum over time and batch of left · rightᵀ; with the constant on the right, of left alone."""

    left: Quantity
    right: Quantity
    transposed: bool = False
    diagonal: bool = False
    """Whether the product goes by element: the gradient of a vector."""

    def __str__(self) -> str:
        if self.right.name == "1":
            return f"Σ_t {self.left}"
        if self.diagonal:
            return f"Σ_t {self.left} ∘ {self.right}"
        return f"(Σ_t {self.left} {self.right}ᵀ)ᵀ" if self.transposed else f"Σ_t {self.left} {self.right}ᵀ"

    def value(self, known: Quantities) -> Array:
        """The sum, (m, n) or (m,)."""
        return self.value_of(known.at_every_step(self.left), known.at_every_step(self.right))

    def value_of(self, left: Array, right: Array) -> Array:
        """The sum over all rows of both sides, (…, m) and (…, n).

        Raises:
            ValueError: the product goes by element, and the sides are of two widths.
        """
        if self.right.name == "1" or self.diagonal:
            return affine.bias_gradient(left * right if self.diagonal else left)
        outer = affine.weight_gradient(left, right, right.shape[-1])
        return outer.T if self.transposed else outer

    def by_step(self, known: Quantities, of: slice = slice(None)) -> Array:
        """What each step gives, (T, m, n) or (T, m); ``of`` which sequences of the batch."""
        sides = ((known.at(self.left, t)[of], known.at(self.right, t)[of]) for t in range(known.T))
        return np.stack([self.value_of(left, right) for left, right in sides])


@dataclass(frozen=True)
class Given:
    """A term that is no product with a matrix: its words, and its value at a row."""

    words: str
    value: Callable[[Quantities, int], Array] = field(compare=False)
    carried: bool = False
    """Whether it comes from the next step."""

    def __str__(self) -> str:
        return self.words

    def row(self, known: Quantities, t: int) -> Array:
        return self.value(known, t)


Term = Linear | Given
