r"""The forms of one quantity that code in use has, and what they are held against: the same in 80 bits.

``of`` says what a form is computed from: a, the pre-activation or the logits, or what the forward pass has kept, which
is rounded: h = tanh a, s = σ(a), ŷ. What that rounding has taken, no form gives back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_rnn.activations import sigmoid

Array = np.ndarray
CLASSES = 65


@dataclass(frozen=True)
class Form:
    """One way to compute a quantity."""

    name: str
    f: Callable[..., Any]
    of: str = "a"
    library: bool = False
    """Whether the library has this form."""
    jax: bool = False
    """Autodiff's, or JAX's own function: compiled, so without a cost beside NumPy's."""


@dataclass(frozen=True)
class Quantity:
    """What is computed, where, how, and its value in 80 bits."""

    name: str
    truth: Callable[[Array], Array]
    forms: tuple[Form, ...]
    ranges: dict[str, tuple[float, float]]
    draw: Callable[[np.random.Generator, tuple[float, float], type], Array]
    kept: dict[str, Callable[[Array], Array]] = field(default_factory=dict)
    """What the forward pass leaves on the tape, by name."""
    entries: Callable[[Array, tuple[float, float]], Array] | None = None
    """Which entries of the result belong to the range; None: all."""


def _elements(rng: np.random.Generator, limits: tuple[float, float], dtype: type) -> Array:
    return rng.uniform(*limits, 20_000).astype(dtype)


def _either_sign(rng: np.random.Generator, limits: tuple[float, float], dtype: type) -> Array:
    return _elements(rng, limits, dtype) * rng.choice([-1, 1], 20_000).astype(dtype)


def _by_element(f: Callable[[Any], Any]) -> Callable[[Array], Any]:
    return jax.jit(jax.vmap(jax.grad(f)))


def _two_branches(a: Array) -> Array:
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, e) / (1 + e)


def _slope_of_tanh(a: Array) -> Array:
    e = np.exp(-2 * np.abs(a))
    return 4 * e / ((1 + e) * (1 + e))


def _slope_of_sigmoid(a: Array) -> Array:
    e = np.exp(-np.abs(a))
    return e / ((1 + e) * (1 + e))


def _textbook_softmax(o: Array) -> Array:
    e = np.exp(o)
    return e / e.sum(axis=-1, keepdims=True)


def _softmax(o: Array) -> Array:
    e = np.exp(o - o.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _loss(o: Array) -> Array:
    shifted = o - o.max(axis=-1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=-1)) - shifted[:, 0]


def _loss_without_the_largest(o: Array) -> Array:
    largest = o.argmax(axis=-1)[:, None]
    shifted = o - np.take_along_axis(o, largest, axis=-1)
    e = np.exp(shifted)
    np.put_along_axis(e, largest, 0, axis=-1)
    return np.log1p(e.sum(axis=-1)) - shifted[:, 0]


def _rest(y_hat: Array) -> Array:
    return -y_hat[:, 1:].sum(axis=-1)


def _logits(rng: np.random.Generator, limits: tuple[float, float], dtype: type) -> Array:
    middle = 1000 if limits[0] >= 1000 else 0
    return (middle + rng.uniform(-50, 50, (2000, CLASSES))).astype(dtype)


def _ahead(rng: np.random.Generator, limits: tuple[float, float], dtype: type) -> Array:
    """Logits whose class 0, the target, is ahead of the largest other by so much."""
    o = rng.standard_normal((4000, CLASSES))
    o[:, 0] = o[:, 1:].max(axis=-1) + rng.uniform(*limits, len(o))
    return o.astype(dtype)


def _from_the_largest(o: Array, limits: tuple[float, float]) -> Array:
    low, high = (0, 100) if limits[0] >= 1000 else limits
    distance = o.max(axis=-1, keepdims=True).astype(float) - o
    return (distance >= low) & (distance < high)


def _ranges(*limits: tuple[float, float]) -> dict[str, tuple[float, float]]:
    return {f"{low} to {high}".replace("-", "−"): (low, high) for low, high in limits}


AHEAD = _ranges((-1000, -800), (-20, -5), (-5, 0), (0, 5), (5, 15), (15, 35), (35, 80))

QUANTITIES = (
    Quantity(
        "tanh′(a), by |a|",
        _slope_of_tanh,
        (
            Form("1 − h²", lambda h: 1 - h * h, of="h"),
            Form("(1 − h)(1 + h)", lambda h: (1 - h) * (1 + h), of="h", library=True),
            Form("4e/(1 + e)², e = exp(−2|a|)", _slope_of_tanh),
            Form("1/cosh² a", lambda a: 1 / np.cosh(a) ** 2),
            Form("jax.grad(jnp.tanh)", _by_element(jnp.tanh), jax=True),
        ),
        _ranges((0, 1), (1, 5), (5, 9), (9, 19), (19, 40), (40, 350)),
        _either_sign,
        {"h": np.tanh},
    ),
    Quantity(
        "σ(a), by a",
        _two_branches,
        (
            Form("1/(1 + exp(−a))", sigmoid, library=True),
            Form("by the sign of a, exp(−|a|)", _two_branches),
            Form("(1 + tanh(a/2))/2", lambda a: 0.5 * np.tanh(0.5 * a) + 0.5),
            Form("jax.nn.sigmoid", jax.jit(jax.nn.sigmoid), jax=True),
        ),
        _ranges((-700, -90), (-87, -20), (-20, -5), (-5, 0), (0, 5), (5, 90)),
        _elements,
    ),
    Quantity(
        "σ′(a), by a",
        _slope_of_sigmoid,
        (
            Form("s(1 − s)", lambda s: s * (1 - s), of="s", library=True),
            Form("s(1 − s), s = (1 + tanh(a/2))/2", lambda s: s * (1 - s), of="s of tanh"),
            Form("e/(1 + e)², e = exp(−|a|)", _slope_of_sigmoid),
            Form("jax.grad(jax.nn.sigmoid)", _by_element(jax.nn.sigmoid), jax=True),
        ),
        _ranges((-87, -20), (-20, -5), (-5, 5), (5, 16), (16, 36), (36, 87)),
        _elements,
        {"s": sigmoid, "s of tanh": lambda a: 0.5 * np.tanh(0.5 * a) + 0.5},
    ),
    Quantity(
        "softmax(o), by the distance from the largest logit",
        _softmax,
        (
            Form("exp(o)/Σ exp(o)", _textbook_softmax),
            Form("exp(o − max)/Σ", _softmax, library=True),
            Form("jax.nn.softmax", jax.jit(jax.nn.softmax), jax=True),
        ),
        _ranges((0, 1), (1, 10), (10, 80)) | {"any, logits of about 1000": (1000, 1000)},
        _logits,
        entries=_from_the_largest,
    ),
    Quantity(
        "−log softmax(o) of the target, by how far its logit is ahead",
        _loss_without_the_largest,
        (
            Form("−log ŷ", lambda o: -np.log(_textbook_softmax(o)[:, 0])),
            Form("log Σ exp(o − max) − (o − max)", _loss, library=True),
            Form("log1p(Σ without the largest) − (o − max)", _loss_without_the_largest),
            Form("jax.nn.log_softmax", jax.jit(lambda o: -jax.nn.log_softmax(o)[:, 0]), jax=True),
        ),
        AHEAD,
        _ahead,
    ),
    Quantity(
        "its gradient ŷ − 1, by how far the target's logit is ahead",
        lambda o: _rest(_softmax(o)),
        (
            Form("ŷ − 1", lambda y_hat: y_hat[:, 0] - 1, of="ŷ", library=True),
            Form("−Σ of the other ŷ", _rest, of="ŷ"),
            Form(
                "jax.grad of −log_softmax",
                jax.jit(jax.vmap(lambda o: jax.grad(lambda p: -jax.nn.log_softmax(p)[0])(o)[0])),
                jax=True,
            ),
        ),
        AHEAD,
        _ahead,
        {"ŷ": _softmax},
    ),
)
