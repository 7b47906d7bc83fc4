"""One problem to be judged: the arrays of a network and its sequences, and how they were drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from manual_rnn import affine, losses
from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network, parameter_shapes

Answer = tuple[Mapping[str, Array], Mapping[str, Array]]
"""The nodes by name, (T, B, n) each, and the gradients of nodes, parameters, initial states ("h0") and x."""

Oracle = Callable[[Sequence[Mapping[str, Any]]], Sequence[Answer]]
"""A source of truth: answers problems of one shape and dtype. ``reference.autodiff("rnn")`` is one."""


@dataclass(frozen=True, order=True)
class Sizes:
    """The dimensions of a problem: steps, sequences, and the widths of input, hidden state and logits."""

    T: int
    B: int
    n_in: int
    n_hidden: int
    n_out: int

    def __str__(self) -> str:
        return f"T={self.T} B={self.B} n_in={self.n_in} n_hidden={self.n_hidden} n_out={self.n_out}"


@dataclass(frozen=True)
class Spec:
    """All that decides a drawn case: the same spec gives the same arrays."""

    family: str
    sizes: Sizes
    dtype: str
    seed: int
    severity: int
    """How far into its family's range the case goes, in per cent: the exponent of a vanished gradient, say."""
    loss: str = "softmax"
    resets: bool = False
    """Whether sequences begin in mid-array, and have lengths of their own."""
    dropout: bool = False
    """Whether the inputs of the layers above the first are masked."""

    def as_dict(self) -> dict[str, Any]:
        """All but what is the same for all cases that are judged together: the loss, resets, dropout."""
        return {name: value for name, value in asdict(self).items() if name not in ("loss", "resets", "dropout")}


@dataclass(frozen=True)
class Case:
    """A problem with its arrays. x is dense (T, B, n_in) or token ids (T, B); weights (T, B).

    y is what the loss takes: ids (T, B), or rows (T, B, n_out).
    """

    spec: Spec
    params: Mapping[str, Array]
    initial: Mapping[str, Array]
    x: Array
    y: Array
    weights: Array
    begins: Array | None = None
    """Where sequences begin, (T + 1, B) of bool (:mod:`manual_rnn.sequences`); None: nowhere in the array."""
    masks: Mapping[str, Array] = field(default_factory=dict)
    """By the name of a layer's input, ``layer2.x``, what it is multiplied with, (T, B, n)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.spec.dtype)

    def for_oracle(self) -> dict[str, Any]:
        """The same problem for an oracle, which gets every input as dense rows."""
        n_in = self.spec.sizes.n_in
        x = np.eye(n_in, dtype=self.dtype)[self.x] if affine.is_tokens(self.x) else self.x
        rest = {"x": x, "y": self.y, "weights": self.weights, "loss": self.spec.loss}
        rest |= {} if self.begins is None else {"begins": self.begins}
        rest |= {"masks": dict(self.masks)} if self.masks else {}
        return {"params": dict(self.params), "initial": dict(self.initial), **rest}

    def astype(self, dtype: Any) -> Case:
        """The same numbers in another dtype."""
        return replace(
            self,
            params={n: a.astype(dtype) for n, a in self.params.items()},
            initial={n: a.astype(dtype) for n, a in self.initial.items()},
            x=self.x if affine.is_tokens(self.x) else self.x.astype(dtype),
            y=self.y if losses.get(self.spec.loss).targets.ids else self.y.astype(dtype),
            weights=self.weights.astype(dtype),
            masks={n: a.astype(dtype) for n, a in self.masks.items()},
        )


def leading_axes(model: Cell | Network, equation: str) -> int:
    """How many axes of an equation's array stand for time and batch.

    Two for whatever is there at every step, (T, B, ...); one for the gradient of an initial state, (B, n); none for
    that of a parameter.
    """
    network = Network.of(model)
    variable = equation.removeprefix("grad_")
    made = {w.name for cell in network.cells for w in cell.weights}
    if variable == equation:
        return 0 if variable in made else 2
    if variable in made or variable in parameter_shapes(network, n_in=1, n_hidden=1, n_out=1):
        return 0
    return 1 if variable in {f"{state}0" for state in network.states} else 2
