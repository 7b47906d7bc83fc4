"""The network around a step: scan over time, readout, loss. Still for one example; nothing here is clever."""

import jax
import jax.numpy as jnp


def run(step, params, initial, x, y, weights, zeros):
    """One sequence: x (T, n_in), y (T,), weights (T,); returns the loss and every node, each (T, n).

    ``zeros`` has one array of zeros per node, the same shapes: what ``tap`` adds.
    """

    def one(prev, at):
        x, y, weight, zero = at
        nodes = {}

        def tap(name, value):
            nodes[name] = value + zero[name]
            return nodes[name]

        state = step(params, prev, x, tap)
        h = next(iter(state.values()))
        o = tap("o", params["V"] @ h + params["c"])
        nodes["loss"] = -weight * jax.nn.log_softmax(o)[y]
        return state, nodes

    _, nodes = jax.lax.scan(one, initial, (x, y, weights, zeros))
    return jnp.sum(nodes["loss"]), nodes


def run_batch(step, params, initial, x, y, weights, zeros):
    """A batch, time-major as (T, B, ...): the sum of the losses, and every node as (T, B, n)."""
    over_batch = jax.vmap(lambda *example: run(step, params, *example), in_axes=(0, 1, 1, 1, 1), out_axes=(0, 1))
    losses, nodes = over_batch(initial, x, y, weights, zeros)
    return jnp.sum(losses), nodes
