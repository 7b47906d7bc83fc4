"""The network around a step: scan over time, readout, loss. For one example; ``vmap`` makes the batch of it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

Nodes = Mapping[str, Any]
Step = Callable[..., Nodes]
Loss = Callable[[jax.Array, jax.Array], jax.Array]


OF_THE_NETWORK = ("x", "o", "loss", "V", "c")
"""Names that mean something around every step: a node of a step that has one is cell.o, cell.c."""


def full_name(name: str) -> str:
    """The name of a step's node among the nodes of the network."""
    return f"cell.{name}" if name in OF_THE_NETWORK else name


def weights_of(step: Step, params: Nodes) -> Nodes:
    """The weights that a step makes of its parameters; most make none."""
    made: Nodes = step.weights(params) if hasattr(step, "weights") else {}
    return made


def run(
    step: Step,
    readout_of: str,
    loss: Loss,
    params: Nodes,
    initial: Nodes,
    x: jax.Array,
    y: jax.Array,
    weights: jax.Array,
    zeros: Nodes,
) -> tuple[jax.Array, Nodes]:
    """One sequence: x (T, n_in), y (T,) or (T, n_out), weights (T,); returns the loss and every node, each (T, n).

    ``zeros`` has one array of zeros per node, of the node's shape: what ``tap`` adds. ``readout_of`` is the state that
    the logits are made of.
    """

    def one_step(prev: Nodes, at_t: Any) -> tuple[Nodes, Nodes]:
        x, y, weight, zero = at_t
        nodes: dict[str, jax.Array] = {}

        def tap_full(name: str, value: jax.Array) -> jax.Array:
            nodes[name] = value + zero[name]
            return nodes[name]

        def tap(name: str, value: jax.Array) -> jax.Array:
            return tap_full(full_name(name), value)

        state = step(params, prev, x, tap)
        o = tap_full("o", params["V"] @ state[readout_of] + params["c"])
        nodes["loss"] = weight * loss(o, y)
        return state, nodes

    _, nodes = jax.lax.scan(one_step, initial, (x, y, weights, zeros))
    return jnp.sum(nodes["loss"]), nodes


def run_batch(
    step: Step,
    readout_of: str,
    loss: Loss,
    params: Nodes,
    initial: Nodes,
    x: jax.Array,
    y: jax.Array,
    weights: jax.Array,
    zeros: Nodes,
) -> tuple[jax.Array, Nodes]:
    """A batch, time-major as (T, B, ...): the sum of the losses, and every node as (T, B, n).

    A weight that the step makes of its parameters is a node without time and batch.
    """
    made = {name: W + zeros[name] for name, W in weights_of(step, params).items()}
    of_steps = {name: zero for name, zero in zeros.items() if name not in made}
    one = partial(run, step, readout_of, loss, {**params, **made})
    over_batch = jax.vmap(one, in_axes=(0, 1, 1, 1, 1), out_axes=(0, 1))
    losses, nodes = over_batch(initial, x, y, weights, of_steps)
    return jnp.sum(losses), {**nodes, **made}


def hidden_states(step: Step, readout_of: str, params: Nodes, initial: Nodes, x: jax.Array) -> jax.Array:
    """h at every step, (T, B, n_hidden), of a batch x (T, B, n_in): no readout, no taps."""
    return jnp.asarray(all_states(step, params, initial, x)[readout_of])


def all_states(step: Step, params: Nodes, initial: Nodes, x: jax.Array) -> Nodes:
    """Every state at every step, (T, B, n_hidden) each, by name."""
    params = {**params, **weights_of(step, params)}

    def one_step(prev: Nodes, x: jax.Array) -> tuple[Nodes, Nodes]:
        state = step(params, prev, x, lambda name, value: value)
        return state, state

    def one_sequence(first: Nodes, rows: jax.Array) -> Nodes:
        _, states = jax.lax.scan(one_step, first, rows)
        return states

    found: Nodes = jax.vmap(one_sequence, in_axes=(0, 1), out_axes=1)(initial, x)
    return found
