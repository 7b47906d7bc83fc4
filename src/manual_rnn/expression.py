"""A cell's own equations as data, found by running its code once on symbols in the place of arrays.

A cell's code goes by element, so one run on symbols says what every run computes: which functions, of which nodes, in
which order. Code that looks at numbers on its way (an ``if``, an index) or calls what is no ufunc cannot be read so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from manual_rnn.cell import Array, Cell


@dataclass(frozen=True)
class Symbol:
    """What the code was handed: ``node.a``, ``prev.h``, ``grad.h``; or ``made``: what it has tapped itself before."""

    kind: str
    name: str


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Call:
    """A function of expressions, by element."""

    function: Callable[..., Any]
    arguments: tuple[Expression, ...]


Expression = Symbol | Number | Call


class Unreadable(Exception):
    """The code does something else than arithmetic by element."""


@dataclass(frozen=True)
class Equations:
    """What one function of a cell computes: every node that it taps, in order, and what it returns, by name."""

    tapped: Mapping[str, Expression]
    returned: Mapping[str, Expression]


def forward_equations(cell: Cell) -> Equations:
    """The cell's own forward equations. Raises Unreadable."""
    return _read(lambda tap: cell.forward(_Handed("node"), _Handed("prev"), tap))  # type: ignore[arg-type]


def backward_equations(cell: Cell) -> Equations:
    """The cell's own backward equations, a gradient each. Raises Unreadable."""
    return _read(lambda tap: cell.backward(_Handed("node"), _Handed("prev"), _Handed("grad"), tap))  # type: ignore[arg-type]


def evaluate(expression: Expression, read: Callable[[Symbol], Array]) -> Array:
    """The value of an expression, with a value for each of its symbols."""
    if isinstance(expression, Call):
        return np.asarray(expression.function(*(evaluate(part, read) for part in expression.arguments)))
    return expression.value if isinstance(expression, Number) else read(expression)  # type: ignore[return-value]


def symbols(expression: Expression) -> set[Symbol]:
    """Every symbol in an expression."""
    if isinstance(expression, Call):
        return {symbol for part in expression.arguments for symbol in symbols(part)}
    return {expression} if isinstance(expression, Symbol) else set()


def _read(run: Callable[[Any], Any]) -> Equations:
    tapped: dict[str, Expression] = {}

    def tap(name: str, value: Any) -> Any:
        tapped[name] = _expression(value)
        return Traced(Symbol("made", name))

    try:
        returned = {name: _expression(value) for name, value in run(tap).items()}
    except Exception as error:  # whatever a user's code does with a symbol
        raise Unreadable(str(error)) from error
    return Equations(tapped, returned)


class _Handed:
    """Attributes that are symbols, whatever their name."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> Traced:
        if name.startswith("__"):
            raise AttributeError(name)
        return Traced(Symbol(self._kind, name))


class Traced(NDArrayOperatorsMixin):
    """Stands for an array; arithmetic with it gives the expression."""

    __array_priority__ = 100

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Traced:
        if method != "__call__" or options:
            raise Unreadable(f"{ufunc.__name__} with {method} or options")
        return Traced(Call(ufunc, tuple(map(_expression, inputs))))

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Traced:
        if function is np.where and len(arguments) == 3:
            return Traced(Call(np.where, tuple(map(_expression, arguments))))
        if function in (np.zeros_like, np.ones_like):
            return Traced(Number(float(function is np.ones_like)))
        raise Unreadable(function.__name__)

    def __bool__(self) -> bool:
        raise Unreadable("a condition")


def _expression(value: Any) -> Expression:
    if isinstance(value, Traced):
        return value.expression
    if isinstance(value, bool | int | float | np.floating | np.integer):
        # A scalar of NumPy's keeps its dtype: it decides that of the result, a Python number does not.
        return Number(cast(float, value) if isinstance(value, np.generic) else float(value))
    raise Unreadable(f"a value of the type {type(value).__name__}")
