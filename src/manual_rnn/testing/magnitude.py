r"""Magnitude arithmetic: the natural scale of an equation, found by running the equation itself.

The scale is the sum of the magnitudes of the terms, that is, the same formula with every minus made a plus: for
$(1-h)(1+h)\nabla h$ it is $(1+|h|)(1+|h|)|\nabla h|$. Rounding errors are in proportion to it, whatever form the
formula is coded in, so an error is counted in units of eps · scale (Higham 2002, *Accuracy and Stability of
Numerical Algorithms*, §3.3, running error analysis).

A function passes its argument's scale on by its derivative: $|f(v)| + |f'(v)|\,\text{scale}$. An argument that stands
on the tape is exact, and passes on nothing; one that was computed has been rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from manual_rnn.cell import Array


def _derivative_of_power(v: Array, p: Any) -> Array:
    return np.asarray(p * np.power(v, p - 1))


DERIVATIVES: dict[np.ufunc, Callable[[Array, Array], Array]] = {
    np.tanh: lambda v, f: 1 - f * f,
    np.exp: lambda v, f: f,
    np.log: lambda v, f: 1 / v,
    np.log1p: lambda v, f: 1 / (1 + v),
    np.expm1: lambda v, f: 1 + f,
    np.sqrt: lambda v, f: 1 / (2 * f),
    np.reciprocal: lambda v, f: f * f,
    np.cosh: lambda v, f: np.sinh(v),
    np.sinh: lambda v, f: np.cosh(v),
}


OF_THE_SHAPE = (np.zeros_like, np.ones_like, np.full_like, np.shape, np.ndim, np.size)
"""Functions whose result has nothing of the numbers, so nothing of their rounding."""


class Magnitude(NDArrayOperatorsMixin):
    """An array with its scale. ``Magnitude(v)`` is exact: its scale is |v|."""

    __array_priority__ = 100

    def __init__(self, value: Array, scale: Array | None = None) -> None:
        self.value = np.asarray(value)
        self.exact = scale is None
        self.scale = np.abs(self.value) if scale is None else scale

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype

    @property
    def T(self) -> Magnitude:
        return Magnitude(self.value.T, None if self.exact else self.scale.T)

    def __len__(self) -> int:
        return len(self.value)

    def astype(self, dtype: Any, **options: Any) -> Magnitude:
        """The same numbers: rounding to another dtype is an error to be found, not a part of the scale."""
        return self

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__":
            return NotImplemented
        values, scales = [_value(i) for i in inputs], [_scale(i) for i in inputs]
        value = ufunc(*values)
        if value.dtype == bool:
            return value
        if ufunc in (np.add, np.subtract):
            return Magnitude(value, scales[0] + scales[1])
        if ufunc is np.multiply:
            return Magnitude(value, scales[0] * scales[1])
        if ufunc is np.divide:
            divisor = abs(values[1])  # its square may overflow where the quotient does not
            exact = scales[0] / divisor
            scale = exact * (scales[1] / divisor)
            return Magnitude(value, np.where(np.isnan(scale), exact, scale))
        if ufunc in (np.negative, np.positive, np.absolute):
            return Magnitude(value, scales[0])
        if ufunc is np.square:
            return Magnitude(value, scales[0] ** 2)
        if ufunc is np.power:
            if np.ndim(values[1]) == 0 and values[1] > 0:
                return Magnitude(value, scales[0] ** values[1])  # as the product that it is
            return _passed_on(value, _derivative_of_power(*values), inputs[0])
        if ufunc in (np.maximum, np.minimum):
            return Magnitude(value, np.where(value == values[0], scales[0], scales[1]))
        if len(inputs) > 1:
            return NotImplemented
        slope = DERIVATIVES[ufunc](values[0], value) if ufunc in DERIVATIVES else np.ones_like(value)
        return _passed_on(value, slope, inputs[0])

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        if function is np.where and len(arguments) == 3:
            condition, chosen, other = arguments
            condition = _value(condition)
            return Magnitude(
                np.where(condition, _value(chosen), _value(other)), np.where(condition, _scale(chosen), _scale(other))
            )
        if function in OF_THE_SHAPE:
            return function(*(_value(a) for a in arguments), **options)
        return NotImplemented


def _passed_on(value: Array, slope: Array, argument: Any) -> Magnitude:
    """A function's value with what its argument's rounding makes of it; an exact or infinite argument has none."""
    if not isinstance(argument, Magnitude) or argument.exact:
        return Magnitude(value, np.abs(value))
    passed = np.where(np.isfinite(argument.value), np.abs(slope) * argument.scale, 0)
    return Magnitude(value, np.abs(value) + passed)


def _value(operand: Any) -> Any:
    return operand.value if isinstance(operand, Magnitude) else operand


def _scale(operand: Any) -> Any:
    # Of a number of Python's the built-in: one of NumPy's would make float64 of what is float32.
    return operand.scale if isinstance(operand, Magnitude) else abs(operand)


def scale_of(operand: Any) -> Array:
    """The scale of what an equation gave: of a plain array, its magnitude."""
    return np.asarray(_scale(operand))
