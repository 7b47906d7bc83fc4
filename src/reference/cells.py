"""One step of each cell for ONE example, as plainly as it can be written: the function's name is the cell's.

``p`` has the parameters, ``prev`` the states of the step before, ``x`` the input of this step (n_in,). Every named
node passes through ``tap(name, value)``, which adds a zero: the gradient with respect to that zero is ∂L/∂node(t).
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

Nodes = Mapping[str, Any]
Tap = Callable[[str, jax.Array], jax.Array]


def rnn(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", jnp.tanh(a))}


def rnn_relu(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", jnp.where(a > 0, a, 0))}


def rnn_identity(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", a)}
