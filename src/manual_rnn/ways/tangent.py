r"""Numbers with a tangent: an array v beside R{v}, its derivative along one direction; arithmetic keeps both.

.. math::
    R\{u + v\} = R\{u\} + R\{v\} \qquad R\{u\, v\} = R\{u\}\, v + u\, R\{v\} \qquad R\{f(v)\} = f'(v)\, R\{v\}

They are the dual numbers of forward accumulation (Griewank and Walther, *Evaluating Derivatives*, 2008, chapter 3).
A function that has no rule here is refused, never taken for a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from manual_rnn.cell import Array

SLOPES: dict[np.ufunc, Callable[[Array, Array], Array]] = {
    np.positive: lambda v, f: np.ones_like(v),
    np.negative: lambda v, f: -np.ones_like(v),
    np.tanh: lambda v, f: (1 - f) * (1 + f),
    np.exp: lambda v, f: f,
    np.expm1: lambda v, f: 1 + f,
    np.log: lambda v, f: 1 / v,
    np.log1p: lambda v, f: 1 / (1 + v),
    np.sqrt: lambda v, f: 1 / (2 * f),
    np.square: lambda v, f: 2 * v,
    np.reciprocal: lambda v, f: -f * f,
    np.sin: lambda v, f: np.cos(v),
    np.cos: lambda v, f: -np.sin(v),
    np.sinh: lambda v, f: np.cosh(v),
    np.cosh: lambda v, f: np.sinh(v),
    np.absolute: lambda v, f: np.sign(v),
    np.sign: lambda v, f: np.zeros_like(v),
}
"""f′(v) of each function of one argument, from v and f(v)."""


class Dual(NDArrayOperatorsMixin):
    """``value`` and ``tangent``, of one shape."""

    __array_priority__ = 100

    def __init__(self, value: Array, tangent: Array) -> None:
        self.value, self.tangent = value, tangent

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype

    @property
    def T(self) -> Dual:
        return Dual(self.value.T, self.tangent.T)

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: Any) -> Dual:
        return Dual(self.value[index], self.tangent[index])

    def __setitem__(self, index: Any, given: Any) -> None:
        self.value[index], self.tangent[index] = value_of(given), tangent_of(given)

    def sum(self, axis: Any = None) -> Dual:
        return Dual(self.value.sum(axis=axis), self.tangent.sum(axis=axis))

    def reshape(self, *shape: int) -> Dual:
        return Dual(self.value.reshape(*shape), self.tangent.reshape(*shape))

    def __array__(self, *given: Any, **options: Any) -> Array:
        raise TypeError("A number with a tangent cannot be made a plain array: its tangent would be lost.")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options:
            return NotImplemented
        values = [value_of(i) for i in inputs]
        value = ufunc(*values)
        if value.dtype == bool:  # a comparison
            return value
        if ufunc in SLOPES:
            return Dual(value, SLOPES[ufunc](values[0], value) * inputs[0].tangent)
        if ufunc not in OF_TWO:
            return NotImplemented
        with np.errstate(invalid="ignore"):
            return Dual(value, np.broadcast_to(OF_TWO[ufunc](value, *inputs), value.shape))

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        if function is np.where:
            condition, chosen, other = arguments
            tangent = np.where(condition, tangent_of(chosen), tangent_of(other))
            return Dual(np.where(condition, value_of(chosen), value_of(other)), tangent)
        if function is np.outer:
            u, v = arguments
            return u[:, None] * v[None, :]
        if function in (np.zeros_like, np.ones_like, np.empty_like):
            return Dual(function(arguments[0].value, **options), np.zeros_like(arguments[0].tangent))
        return NotImplemented


def _of_product(times: Callable[[Any, Any], Any]) -> Callable[[Array, Any, Any], Array]:
    """R{u v} = R{u} v + u R{v}, for a product of any kind; a constant has no part in it."""

    def rule(value: Array, u: Any, v: Any) -> Array:
        parts = [times(u.tangent, value_of(v))] if isinstance(u, Dual) else []
        parts += [times(value_of(u), v.tangent)] if isinstance(v, Dual) else []
        return np.asarray(sum(parts[1:], start=parts[0]))

    return rule


def _of_quotient(f: Array, u: Any, v: Any) -> Array:
    """R{u / v} = (R{u} − f R{v}) / v; where v has overflowed f is zero, and stays so: a sigmoid far out."""
    return np.where(np.isinf(value_of(v)), 0, (tangent_of(u) - f * tangent_of(v)) / value_of(v))


OF_TWO: dict[np.ufunc, Callable[[Array, Any, Any], Array]] = {
    np.add: lambda f, u, v: tangent_of(u) + tangent_of(v),
    np.subtract: lambda f, u, v: tangent_of(u) - tangent_of(v),
    np.multiply: _of_product(np.multiply),
    np.matmul: _of_product(np.matmul),
    np.divide: _of_quotient,
    np.maximum: lambda f, u, v: np.where(value_of(u) >= value_of(v), tangent_of(u), tangent_of(v)),
    np.minimum: lambda f, u, v: np.where(value_of(u) <= value_of(v), tangent_of(u), tangent_of(v)),
    np.power: lambda f, u, p: p * np.power(value_of(u), p - 1) * tangent_of(u),
}
"""R{f} of each function of two arguments, from f and them; the exponent of a power is a constant."""


def value_of(given: Any) -> Any:
    return given.value if isinstance(given, Dual) else given


def tangent_of(given: Any) -> Any:
    # Of a constant the built-in zero: one of NumPy's would make float64 of what is float32.
    return given.tangent if isinstance(given, Dual) else 0


def stack(rows: Sequence[Dual]) -> Dual:
    """Rows one below the other, along a new first axis."""
    return Dual(np.stack([row.value for row in rows]), np.stack([row.tangent for row in rows]))
