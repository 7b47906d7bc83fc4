"""One step of each cell for ONE example, as plainly as it can be written: the function's name is the cell's.

``p`` has the parameters, ``prev`` the states of the step before, ``x`` the input of this step (n_in,). Every named
node passes through ``tap(name, value)``, which adds a zero: the gradient with respect to that zero is ∂L/∂node(t).

A step whose weights are functions of its parameters says so with ``made_of``; it finds them in ``p``.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

Nodes = Mapping[str, Any]
Tap = Callable[[str, jax.Array], jax.Array]
Step = Callable[[Nodes, Nodes, jax.Array, Tap], Nodes]


def made_of(weights: Callable[[Nodes], Nodes]) -> Callable[[Step], Step]:
    """Says of a step which of its weights are made, and how: a function from the parameters to these weights."""

    def say(step: Step) -> Step:
        step.weights = weights  # type: ignore[attr-defined]
        return step

    return say


def rnn(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", jnp.tanh(a))}


def rnn_relu(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", jnp.where(a > 0, a, 0))}


def rnn_sigmoid(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", jax.nn.sigmoid(a))}


def rnn_identity(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", a)}


def rnn_orthogonal_weights(p: Nodes) -> Nodes:
    W = jnp.eye(len(p["Y"]), dtype=p["Y"].dtype)
    for v in p["Y"][::-1]:
        W = W - 2 * jnp.outer(v, v @ W) / (v @ v)
    return {"W": W}


@made_of(rnn_orthogonal_weights)
def rnn_orthogonal(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    return rnn(p, prev, x, tap)


def antisymmetric_rnn_weights(p: Nodes) -> Nodes:
    return {"W": p["A"] - p["A"].T - 0.01 * jnp.eye(len(p["A"]), dtype=p["A"].dtype)}


@made_of(antisymmetric_rnn_weights)
def antisymmetric_rnn(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", prev["h"] + 0.1 * jnp.tanh(a))}


def minimal_rnn(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    z = tap("z", jnp.tanh(tap("a_z", p["U"] @ x + p["b_z"])))
    u = tap("u", jax.nn.sigmoid(tap("a_u", p["W"] @ prev["h"] + p["Z"] @ z + p["b_u"])))
    return {"h": tap("h", u * prev["h"] + (1 - u) * z)}


def lstm(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    def gate(k: str) -> jax.Array:
        return tap(f"a_{k}", p[f"W_{k}"] @ prev["h"] + p[f"U_{k}"] @ x + p[f"b_{k}"])

    i = tap("i", jax.nn.sigmoid(gate("i")))
    f = tap("f", jax.nn.sigmoid(gate("f")))
    g = tap("g", jnp.tanh(gate("g")))
    o = tap("o", jax.nn.sigmoid(gate("o")))
    c = tap("c", f * prev["c"] + i * g)
    s = tap("s", jnp.tanh(c))
    return {"h": tap("h", o * s), "c": c}


def lstm_peephole(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    def gate(k: str, seen: Any) -> jax.Array:
        return tap(f"a_{k}", p[f"W_{k}"] @ prev["h"] + p[f"U_{k}"] @ x + p[f"b_{k}"] + seen)

    i = tap("i", jax.nn.sigmoid(gate("i", p["p_i"] * prev["c"])))
    f = tap("f", jax.nn.sigmoid(gate("f", p["p_f"] * prev["c"])))
    g = tap("g", jnp.tanh(gate("g", 0)))
    c = tap("c", f * prev["c"] + i * g)
    s = tap("s", jnp.tanh(c))
    o = tap("o", jax.nn.sigmoid(gate("o", p["p_o"] * c)))
    return {"h": tap("h", o * s), "c": c}


def gru(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    r = tap("r", jax.nn.sigmoid(tap("a_r", p["W_r"] @ prev["h"] + p["U_r"] @ x + p["b_r"])))
    z = tap("z", jax.nn.sigmoid(tap("a_z", p["W_z"] @ prev["h"] + p["U_z"] @ x + p["b_z"])))
    n_x = tap("n_x", p["U_n"] @ x + p["b_n"])
    n_h = tap("n_h", p["W_n"] @ prev["h"] + p["d_n"])
    n = tap("n", jnp.tanh(tap("a_n", n_x + r * n_h)))
    return {"h": tap("h", (1 - z) * n + z * prev["h"])}


def gru_reset_before(p: Nodes, prev: Nodes, x: jax.Array, tap: Tap) -> Nodes:
    r = tap("r", jax.nn.sigmoid(tap("a_r", p["W_r"] @ prev["h"] + p["U_r"] @ x + p["b_r"])))
    z = tap("z", jax.nn.sigmoid(tap("a_z", p["W_z"] @ prev["h"] + p["U_z"] @ x + p["b_z"])))
    q = tap("q", r * prev["h"])
    n = tap("n", jnp.tanh(tap("a_n", p["W_n"] @ q + p["U_n"] @ x + p["b_n"])))
    return {"h": tap("h", (1 - z) * n + z * prev["h"])}
