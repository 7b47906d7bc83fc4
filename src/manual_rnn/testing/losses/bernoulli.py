"""The binary cross-entropy as the judge knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from manual_rnn.activations import sigmoid
from manual_rnn.cell import Array
from manual_rnn.testing.losses import JudgedLoss
from manual_rnn.testing.mistakes.factors import Factor
from manual_rnn.testing.mistakes.formula import Formula, symbol
from manual_rnn.testing.mistakes.terms import Given, Quantities


def scales(o: Array, y: Array, weights: Array) -> tuple[Array, Array]:
    """Scales of the loss, w Σ (log(1 + e^{−|o|}) + max(o, 0) − y o), and of ∇o = w (ŷ − y): right forms that cancel.

    1 + e^{−|o|} lies in [1, 2]: its rounding is an error of the size of one in the logarithm. That of o is an error in
    proportion to |o| in the exponential.
    """
    size = np.abs(o)
    value = weights * (1 + size * (1 + y)).sum(axis=-1)
    return value, weights[..., None] * (sigmoid(o) * (1 + size) + y)


def _at(value: Callable[[Array, Array, Array], Array]) -> Callable[[Quantities, int], Array]:
    """A function of o, y (B, n_out) and w (B, 1) at a step."""
    return lambda known, t: np.asarray(value(known.nodes["o"][t], known.case.y[t], known.case.weights[t][:, None]))


def _softplus(o: Array) -> Array:
    """log(1 + e^o)."""
    return np.asarray(np.logaddexp(0, o))


def formulas(equation: str) -> Iterator[Formula]:
    """Half of the loss, a logarithm of what is rounded, and other conventions."""
    name = symbol(equation)

    def of_steps(value: Callable[[Array, Array, Array], Array]) -> Callable[[Quantities], Array]:
        return lambda known: np.stack([_at(value)(known, t) for t in known.rows])

    if equation == "loss":
        yes = of_steps(lambda o, y, w: (w * y * _softplus(-o)).sum(-1))
        yield Formula(f"{name}: the term (1 − y(t)) log (1 − ŷ(t)) is missing.", yes)
        no = of_steps(lambda o, y, w: (w * (1 - y) * _softplus(o)).sum(-1))
        yield Formula(f"{name}: the term y(t) log ŷ(t) is missing.", no)
        words = f"{name}: ŷ(t) is rounded before its logarithm is taken, which is infinite where ŷ is zero or one."
        yield Formula(words, of_steps(_of_rounded))
        overflows = of_steps(lambda o, y, w: (w * (np.log(1 + np.exp(o)) - y * o)).sum(-1))
        yield Formula(f"{name}: log(1 + e^o(t)) is taken as it stands, and overflows.", overflows)
        yield Formula(
            f"{name} is averaged over the logits of a step (factor 1/n_out).",
            of_steps(lambda o, y, w: (w * (_softplus(o) - y * o)).mean(-1)),
        )
    if equation == "grad_o":
        again = of_steps(lambda o, y, w: w * (sigmoid(o) - y) * sigmoid(o) * sigmoid(-o))
        yield Formula(f"{name}: the factor ŷ(t) (1 − ŷ(t)) is there besides, the derivative of σ counted twice.", again)
        overflows = of_steps(lambda o, y, w: w * (np.exp(o) / (1 + np.exp(o)) - y))
        yield Formula(f"{name}: σ(o(t)) is taken as e^o / (1 + e^o), which overflows.", overflows)
        yield Formula(
            f"{name} is averaged over the logits of a step (factor 1/n_out).",
            of_steps(lambda o, y, w: w * (sigmoid(o) - y) / o.shape[-1]),
        )


def _of_rounded(o: Array, y: Array, w: Array) -> Array:
    y_hat = sigmoid(o)
    return np.asarray(-(w * (y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat))).sum(-1))


JUDGED = JudgedLoss(
    scales=scales,
    terms={
        "loss": [
            Given("w(t) Σ log(1 + e^o(t))", _at(lambda o, y, w: (w * _softplus(o)).sum(-1))),
            Given("−w(t) Σ y(t) o(t)", _at(lambda o, y, w: -(w * y * o).sum(-1))),
        ],
        "grad_o": [
            Given("w(t) ŷ(t)", _at(lambda o, y, w: w * sigmoid(o))),
            Given("−w(t) y(t)", _at(lambda o, y, w: -w * y)),
        ],
    },
    instead={
        "loss": [
            Given("Σ log(1 + e^o(t))", _at(lambda o, y, w: _softplus(o).sum(-1))),
            Given("−Σ y(t) o(t)", _at(lambda o, y, w: -(y * o).sum(-1))),
            Given("w(t) Σ max(o(t), 0)", _at(lambda o, y, w: (w * np.maximum(o, 0)).sum(-1))),
        ],
        "grad_o": [
            Given("ŷ(t)", _at(lambda o, y, w: sigmoid(o))),
            Given("−y(t)", _at(lambda o, y, w: -y)),
            Given("w(t) o(t)", _at(lambda o, y, w: w * o)),
        ],
    },
    formulas=formulas,
    conventions=(Factor(lambda s: 1 / s.n_out, "averaged over the logits of a step (factor 1/n_out)"),),
)
