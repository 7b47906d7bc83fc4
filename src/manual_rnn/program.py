"""A step as a list of calls that write into arrays which are there already: nothing is allocated while time runs.

A call is a function with an ``out`` and its operands, each a stack of one array a step, or an array that all steps
share. What an expression has in between goes to buffers that are used again as soon as they are free, so that few
(B, n_hidden) arrays are touched in a step and they stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.expression import Call, Expression, Number, Unreadable


@dataclass(eq=False)
class Rows:
    """An operand that is another array at each step: ``array[t]``, and ``array[t % len(array)]`` where it is short.

    Another array may be put in its place for another pass.
    """

    array: Array


@dataclass(eq=False)
class Same:
    """An operand that is the same array at each step. Another may be put in its place for another pass."""

    array: Array


@dataclass(frozen=True, eq=False)
class Between:
    """What is needed within a step only; a buffer is found for it at last."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


Operand = Rows | Same | Between
Function = Callable[..., Any]
Step = tuple[Function, list[tuple[Array, ...]]]
"""A call of all steps."""


class Program:
    """Collects the calls of one step on arrays ``shape`` of one dtype."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        self.values: dict[Expression, Operand] = {}
        """What is known already, by its expression."""
        self.calls: list[tuple[Function, tuple[Operand, ...], Operand]] = []
        self._places: dict[Between, Array] = {}
        self._views: dict[Operand, tuple[Array, list[Array]]] = {}
        self._steps: list[tuple[list[list[Array]], Step]] = []

    def call(self, function: Function, *operands: Operand, out: Operand | None = None) -> Operand:
        """Adds a call; its result goes to ``out``, to a buffer by default."""
        if out is None:
            shape = np.broadcast_shapes(self.shape, *map(shape_of, operands))
            out = Between(shape, _dtype(function, *map(dtype_of, operands)))
        self.calls.append((function, operands, out))
        return out

    def value(self, expression: Expression, out: Operand | None = None) -> Operand:
        """Adds what an expression needs; what has been computed in this step before is not computed again."""
        if expression not in self.values:
            if isinstance(expression, Call):
                operands = [self.value(argument) for argument in expression.arguments]
                found = self.call(_in_place(expression.function), *operands, out=out)
            elif isinstance(expression, Number) and not isinstance(expression.value, np.generic):
                found = Same(np.asarray(expression.value, self.dtype))
            else:
                raise Unreadable(f"{expression} is not there yet, or decides the dtype")
            self.values[expression] = found
        found = self.values[expression]
        if out is None or found is out:
            return found
        if isinstance(found, Between) and (found.shape, found.dtype) == (shape_of(out), dtype_of(out)):
            self._move(found, out)
            return out
        return self.call(np.positive, found, out=out)

    def _move(self, old: Between, new: Operand) -> None:
        """What went to a buffer goes to a place of its own, which nothing reads before."""
        self.calls = [
            (function, tuple(new if o is old else o for o in operands), new if out is old else out)
            for function, operands, out in self.calls
        ]
        self.values = {expression: new if v is old else v for expression, v in self.values.items()}

    def steps(self, times: Sequence[int]) -> list[Step]:
        """By call, its function and what to hand it at each of the times: first the operands, then the output.

        Where it has been asked before, only what has another array since is made anew; the times must be the same.
        """
        if not self._steps:
            self._places = self._buffers()
            self._steps = [([], (function, [])) for function, _, _ in self.calls]
        for i, (function, operands, out) in enumerate(self.calls):
            views = [self._at_each(operand, times) for operand in (*operands, out)]
            before = self._steps[i][0]
            if len(before) != len(views) or any(a is not b for a, b in zip(before, views, strict=True)):
                self._steps[i] = views, (function, list(zip(*views, strict=True)))
        return [step for _, step in self._steps]

    def _at_each(self, operand: Operand, times: Sequence[int]) -> list[Array]:
        array = self._places[operand] if isinstance(operand, Between) else operand.array
        found = self._views.get(operand)
        if found is None or not _same(found[0], array):
            if isinstance(operand, Rows):
                rows = list(array)
                found = array, [rows[t % len(rows)] for t in times]
            else:
                found = array, [array] * len(times)
            self._views[operand] = found
        return found[1]

    def _buffers(self) -> dict[Between, Array]:
        """A buffer for each result in between; one that is read for the last time is free for that call's result."""
        last = {operand: i for i, (_, operands, _) in enumerate(self.calls) for operand in operands}
        places: dict[Between, Array] = {}
        free: list[Array] = []
        for i, (function, operands, out) in enumerate(self.calls):
            freed = [places[v] for v in dict.fromkeys(operands) if isinstance(v, Between) and last[v] == i]
            if _may_overwrite(function):
                free += freed
            if isinstance(out, Between):
                fits = [k for k, buffer in enumerate(free) if (buffer.shape, buffer.dtype) == (out.shape, out.dtype)]
                places[out] = free.pop(fits[-1]) if fits else np.empty(out.shape, out.dtype)
            if not _may_overwrite(function):
                free += freed
        return places


def _same(a: Array, b: Array) -> bool:
    """Whether they are the same elements of the same memory, which ``a`` keeps from being given away."""
    return a is b or a.__array_interface__ == b.__array_interface__


def run(steps: list[Step]) -> None:
    """All calls of all steps, a step after the other."""
    if steps:
        # Where e^{−a} is beyond the format's range, σ is zero.
        with np.errstate(over="ignore"):
            for k in range(len(steps[0][1])):
                for function, arrays in steps:
                    function(*arrays[k])


def dtype_of(operand: Operand) -> np.dtype[Any]:
    return operand.dtype if isinstance(operand, Between) else operand.array.dtype


def shape_of(operand: Operand) -> tuple[int, ...]:
    """Of what there is of it at one step."""
    if isinstance(operand, Rows):
        return operand.array.shape[1:]
    return operand.shape if isinstance(operand, Between) else operand.array.shape


def _may_overwrite(function: Function) -> bool:
    """Whether the result may take the place of an operand."""
    return isinstance(function, np.ufunc) and function.signature is None


def _in_place(function: Function) -> Function:
    if function is np.where:
        return where
    # The power of arrays and of an array's own operator are not the same to the last bit.
    if not isinstance(function, np.ufunc) or function.signature or function.nout != 1 or function is np.power:
        raise Unreadable(f"{function} has no form in place")
    return function


def where(condition: Array, yes: Array, no: Array, out: Array) -> None:
    np.copyto(out, no)
    np.copyto(out, yes, where=condition)


@cache
def _dtype(function: Function, *operands: np.dtype[Any]) -> np.dtype[Any]:
    if function is where:
        return np.result_type(*operands[1:])
    result: Array = np.asarray(function(*(np.ones((1, 1), dtype) for dtype in operands)))
    return result.dtype
