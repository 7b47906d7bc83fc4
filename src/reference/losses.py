"""The losses of one step of one example, as plainly as they can be written: from o (n_out,) and a target y."""

import jax
import jax.numpy as jnp


def softmax(o: jax.Array, y: jax.Array) -> jax.Array:
    """y is the id of the class."""
    return -jax.nn.log_softmax(o)[y]


def squared(o: jax.Array, y: jax.Array) -> jax.Array:
    """y has a number for each of o."""
    return jnp.sum((o - y) ** 2) / 2


def bernoulli(o: jax.Array, y: jax.Array) -> jax.Array:
    """y has for each of o the probability that the answer is yes."""
    return -jnp.sum(y * jax.nn.log_sigmoid(o) + (1 - y) * jax.nn.log_sigmoid(-o))
