"""The squared error as the judge knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.losses import JudgedLoss
from manual_rnn.testing.mistakes.factors import Factor
from manual_rnn.testing.mistakes.formula import Formula, symbol
from manual_rnn.testing.mistakes.terms import Given, Quantities


def scales(o: Array, y: Array, weights: Array) -> tuple[Array, Array]:
    """Scales of the loss, ½ w Σ (o − y)², and of ∇o = w (o − y): o and y are rounded apart before they cancel."""
    size = np.abs(o) + np.abs(y)
    return weights * ((size * size).sum(axis=-1) / 2), weights[..., None] * size


def _at(value: Callable[[Array, Array, Array], Array]) -> Callable[[Quantities, int], Array]:
    """A function of o, y (B, n_out) and w (B, 1) at a step."""
    return lambda known, t: np.asarray(value(known.nodes["o"][t], known.case.y[t], known.case.weights[t][:, None]))


def formulas(equation: str) -> Iterator[Formula]:
    """What other conventions of the squared error leave out or put in."""

    def mean(known: Quantities) -> Array:
        right = JUDGED.terms[equation]
        return np.stack([sum(term.row(known, t) for term in right) / known.nodes["o"].shape[-1] for t in known.rows])

    if equation in JUDGED.terms:
        yield Formula(f"{symbol(equation)} is averaged over the numbers of a step (factor 1/n_out).", mean)


JUDGED = JudgedLoss(
    scales=scales,
    terms={
        "loss": [Given("½ w(t) |o(t) − y(t)|²", _at(lambda o, y, w: (w * (o - y) ** 2).sum(-1) / 2))],
        "grad_o": [
            Given("w(t) o(t)", _at(lambda o, y, w: w * o)),
            Given("−w(t) y(t)", _at(lambda o, y, w: -w * y)),
        ],
    },
    instead={
        "loss": [
            Given("½ |o(t) − y(t)|²", _at(lambda o, y, w: ((o - y) ** 2).sum(-1) / 2)),
            Given("½ w(t)² |o(t) − y(t)|²", _at(lambda o, y, w: ((w * (o - y)) ** 2).sum(-1) / 2)),
            Given("w(t) Σ |o(t) − y(t)|", _at(lambda o, y, w: (w * np.abs(o - y)).sum(-1))),
            Given("w(t) |o(t) − y(t)|", _at(lambda o, y, w: w[:, 0] * np.sqrt(((o - y) ** 2).sum(-1)))),
        ],
        "grad_o": [
            Given("o(t)", _at(lambda o, y, w: o)),
            Given("−y(t)", _at(lambda o, y, w: -y)),
            Given("w(t)² o(t)", _at(lambda o, y, w: w * w * o)),
        ],
    },
    formulas=formulas,
    conventions=(
        Factor(lambda s: 2.0, "without the ½ of the loss (factor 2)"),
        Factor(lambda s: 1 / s.n_out, "averaged over the numbers of a step (factor 1/n_out)"),
        Factor(lambda s: 2 / s.n_out, "without the ½ of the loss and averaged over the numbers of a step (2/n_out)"),
    ),
)
