"""The arrays that a cell's functions hand back, looked at after something went wrong: often one is no array.

A judge in full run does not look, for speed: a wrong type shows somewhere in its own code, where nobody finds it.
So the failing case is run once more with these checks. They cannot see what is returned to a call that is not made
again in the same way, by a cell that keeps a state between its calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from manual_rnn.cell import Array, Cell, Nodes, Tap
from manual_rnn.gradients import forward_and_backward
from manual_rnn.network import Network
from manual_rnn.tape import Tape
from manual_rnn.testing.local import run
from manual_rnn.testing.problem import Case


class _WrongReturn(Exception):
    pass


def wrong_return(model: Cell | Network, case: Case) -> str | None:
    """One sentence on the first thing of a wrong type or shape that a cell hands back; None if there is none."""
    T = case.spec.sizes.T
    try:
        with np.errstate(all="ignore"):
            run(forward_and_backward, _all_checked(Network.of(model)), case, Tape(T), Tape(T))
    except _WrongReturn as found:
        return str(found)
    except (Exception, SystemExit):
        return None
    return None


def _all_checked(network: Network) -> Network:
    return replace(network, layers=tuple(tuple(checked(cell) for cell in layer) for layer in network.layers))


def checked(cell: Cell) -> Cell:
    """The same cell, looking at everything that its functions return or give to ``tap``."""

    def forward(node: Nodes, prev: Nodes, tap: Tap) -> dict[str, Array]:
        shape = getattr(prev, cell.states[0]).shape
        states = cell.forward(node, prev, _checked_tap(tap, "forward", shape))
        _check("forward", states, cell.states, shape)
        return states

    def backward(node: Nodes, prev: Nodes, grad: Nodes, tap: Tap) -> dict[str, Array]:
        shape = getattr(grad, cell.states[0]).shape
        grads = cell.backward(node, prev, grad, _checked_tap(tap, "backward", shape))
        direct = [f"{state}_prev" for state in cell.states]
        _check("backward", grads, [*(m.node for m in cell.maps), *direct], shape)
        return grads

    return replace(cell, forward=forward, backward=backward)


def _checked_tap(tap: Tap, function: str, shape: tuple[int, ...]) -> Tap:
    def look(name: str, value: Array) -> Array:
        _check_array(f"{function} gives tap({name!r}, …)", value, shape)
        return tap(name, value)

    return look


def _check(function: str, found: Mapping[str, object], names: Iterable[str], shape: tuple[int, ...]) -> None:
    for name in (name for name in names if name in found):
        _check_array(f"{function} returns {name!r} as", found[name], shape)


def _check_array(what: str, value: object, shape: tuple[int, ...]) -> None:
    if not isinstance(value, np.ndarray | np.generic):
        raise _WrongReturn(f"{what} {_what(value)}; expected a NumPy array of shape {shape}.")
    if not np.issubdtype(value.dtype, np.inexact):
        raise _WrongReturn(f"{what} an array of {value.dtype}; expected floating point.")
    if value.shape != shape:
        raise _WrongReturn(f"{what} an array of shape {value.shape}; expected {shape}.")


def _what(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
