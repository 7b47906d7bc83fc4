"""One step of each cell for ONE example, as plainly as it can be written: the function's name is the cell's.

``p`` has the parameters, ``prev`` the states of the step before, ``x`` the input of this step (n_in,). Every named
node passes through ``tap(name, value)``, which adds a zero: the gradient with respect to that zero is ∂L/∂node(t).
"""

import jax.numpy as jnp


def rnn(p, prev, x, tap):
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", jnp.tanh(a))}


def rnn_relu(p, prev, x, tap):
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", jnp.where(a > 0, a, 0))}


def rnn_identity(p, prev, x, tap):
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", a)}
