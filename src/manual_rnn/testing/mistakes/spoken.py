"""Expressions in the language of the derivation, and the functions that a derivation has names for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from manual_rnn.activations import sigmoid
from manual_rnn.cell import Array
from manual_rnn.expression import Call, Expression, Number, Symbol


def one_minus_square(v: Array) -> Array:
    """The derivative of tanh, from its value."""
    derivative: Array = (1 - v) * (1 + v)
    return derivative


def recognised(expression: Expression) -> Expression:
    """The same with the logistic function, and the derivative of tanh, as one function each, however they are coded."""
    if not isinstance(expression, Call):
        return expression
    parts = tuple(map(recognised, expression.arguments))
    match Call(expression.function, parts):
        case Call(np.divide, (Number(1.0), Call(np.add, (Number(1.0), Call(np.exp, (Call(np.negative, (a,)),)))))):
            return Call(sigmoid, (a,))
        case Call(np.multiply, (Call(np.subtract, (Number(1.0), v)), Call(np.add, (Number(1.0), w)))) if v == w:
            return Call(one_minus_square, (v,))
        case Call(np.subtract, (Number(1.0), Call(np.square, (v,)) | Call(np.power, (v, Number(2.0))))):
            return Call(one_minus_square, (v,))
        case Call(np.subtract, (Number(1.0), Call(np.multiply, (v, w)))) if v == w:
            return Call(one_minus_square, (v,))
        case found:
            return found


NAMES: dict[Callable[..., object], str] = {sigmoid: "σ", np.tanh: "tanh", np.exp: "exp", np.negative: "−"}
SIGNS: dict[Callable[..., object], str] = {np.add: "+", np.subtract: "−", np.multiply: "∘", np.divide: "/"}


def spoken(expression: Expression, name: Callable[[Symbol], str]) -> str:
    """The words of an expression, its symbols named by ``name``."""
    return _spoken(recognised(expression), name, 0)


def _spoken(expression: Expression, name: Callable[[Symbol], str], binding: int) -> str:
    if isinstance(expression, Number):
        return f"{expression.value:g}"
    if not isinstance(expression, Call):
        return name(expression)
    function, arguments = expression.function, expression.arguments
    if function is one_minus_square:
        return f"(1 − {_spoken(arguments[0], name, 3)}²)"
    if function is np.square:
        return f"{_spoken(arguments[0], name, 3)}²"
    if function in SIGNS:
        own = 1 if function in (np.add, np.subtract) else 2
        left, right = _spoken(arguments[0], name, own), _spoken(arguments[1], name, own + (SIGNS[function] in "−/"))
        said = f"{left} {SIGNS[function]} {right}"
        return f"({said})" if own < binding else said
    called = NAMES.get(function, getattr(function, "__name__", "f"))
    inner = ", ".join(_spoken(part, name, 0) for part in arguments)
    if called == "σ" or len(arguments) > 1:
        return f"{called}({inner})"
    said = f"{called} {_spoken(arguments[0], name, 3)}"
    return f"({said})" if binding == 3 else said
