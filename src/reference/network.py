"""The network around steps: scans over time, one layer above the other, readout, loss. For one example; ``vmap`` makes
the batch of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

Nodes = Mapping[str, Any]
Step = Callable[..., Nodes]
Loss = Callable[[jax.Array, jax.Array], jax.Array]


OF_THE_NETWORK = ("x", "o", "loss", "V", "c")
"""Names that mean something around every step: a node of a step that has one is cell.o, cell.c."""


@dataclass(frozen=True)
class Placed:
    """A step at its place in a network: all its names there begin with ``prefix``."""

    step: Step
    shows: str
    """The state that the layer above sees, or the readout."""
    prefix: str = ""
    reverse: bool = False
    """Whether it goes through the sequence from its last step to its first."""

    def own(self, named: Nodes) -> Nodes:
        """Of what a network has by name the step's part, under its own names."""
        return {name.removeprefix(self.prefix): a for name, a in named.items() if name.startswith(self.prefix)}

    def placed(self, named: Nodes) -> Nodes:
        """What the step has by name, under the network's names."""
        return {f"{self.prefix}{name}": a for name, a in named.items()}


@dataclass(frozen=True)
class Network:
    """Layers of steps, the lowest first: each has one, or one for each direction of time."""

    layers: tuple[tuple[Placed, ...], ...]
    learned_initial: bool = False
    """Whether a sequence that begins starts from parameters, ``initial_h``, and not from zeros."""

    @property
    def places(self) -> tuple[Placed, ...]:
        return tuple(place for layer in self.layers for place in layer)


def stack(step: Step, shows: str, *, layers: int, bidirectional: bool, learned_initial: bool) -> Network:
    """Layers of one step; a single one in one direction has the step's own names."""
    if layers < 1:
        raise ValueError(f"layers is {layers}; expected at least 1.")
    if layers == 1 and not bidirectional:
        return Network(((Placed(step, shows),),), learned_initial)
    numbers = range(1, layers + 1)
    forward = [Placed(step, shows, f"layer{k}.") for k in numbers]
    if not bidirectional:
        return Network(tuple((place,) for place in forward), learned_initial)
    backward = [Placed(step, shows, f"layer{k}_reverse.", reverse=True) for k in numbers]
    return Network(tuple(zip(forward, backward, strict=True)), learned_initial)


def learned_name(state: str) -> str:
    """The parameter that a state of the network starts from where that is learned: ``layer2.initial_h``."""
    prefix, point, name = state.rpartition(".")
    return f"{prefix}{point}initial_{name}"


def full_name(name: str) -> str:
    """The name of a step's node among the nodes of the network."""
    return f"cell.{name}" if name in OF_THE_NETWORK else name


def weights_of(step: Step, params: Nodes) -> Nodes:
    """The weights that a step makes of its parameters; most make none."""
    made: Nodes = step.weights(params) if hasattr(step, "weights") else {}
    return made


def run_place(
    place: Placed, params: Nodes, initial: Nodes, fresh: Nodes, x: jax.Array, begins: Any, zeros: Nodes
) -> tuple[Nodes, Nodes]:
    """One step over one sequence x (T, n): its states and its nodes under its own names, (T, n_hidden) each.

    ``begins`` (T + 1,) says in front of which steps a sequence begins, and whether one does behind the last: for a step
    that goes back in time, that is where it comes from. It starts from ``fresh``. None: nowhere.
    """

    def one_step(prev: Nodes, at_t: Any) -> tuple[Nodes, tuple[Nodes, Nodes]]:
        x, starts, zero = at_t
        nodes: dict[str, jax.Array] = {}

        def tap(name: str, value: jax.Array) -> jax.Array:
            nodes[full_name(name)] = add_zero(zero, full_name(name), value)
            return nodes[full_name(name)]

        if starts is not None:
            prev = {name: jnp.where(starts, fresh[name], state) for name, state in prev.items()}
        states = place.step(params, prev, x, tap)
        return states, (states, nodes)

    starts = None if begins is None else begins[1:] if place.reverse else begins[:-1]
    _, (states, nodes) = jax.lax.scan(one_step, initial, (x, starts, zeros), reverse=place.reverse)
    return states, nodes


def add_zero(zeros: Nodes, name: str, value: jax.Array) -> jax.Array:
    """A node with its zero, which its gradient is taken with respect to."""
    return value + zeros[name] if name in zeros else value


def run_layers(
    network: Network, params: Nodes, initial: Nodes, x: jax.Array, begins: Any, masks: Nodes, zeros: Nodes
) -> tuple[jax.Array, Nodes, Nodes]:
    """One sequence through all layers: what the last one shows (T, n), all states, and all nodes.

    ``masks`` has by the name of a layer's input, ``layer2.x``, what it is multiplied with, (T, n).
    """
    all_states: dict[str, jax.Array] = {}
    nodes: dict[str, jax.Array] = {}
    shown = x
    for k, layer in enumerate(network.layers):
        below, shows = shown, []
        for place in layer:
            name = f"{place.prefix}x"
            seen = add_zero(zeros, name, masks[name] * below if name in masks else below)
            own, starts_from = place.own(params), place.own(initial)
            if network.learned_initial:
                fresh = {state: own[f"initial_{state}"] for state in starts_from}
            else:
                fresh = {state: jnp.zeros_like(array) for state, array in starts_from.items()}
            states, of_step = run_place(place, own, starts_from, fresh, seen, begins, place.own(zeros))
            shows.append(states[place.shows])
            all_states |= place.placed(states)
            nodes |= place.placed(of_step)
            nodes |= {name: seen} if k > 0 else {}
        shown = jnp.concatenate(shows, axis=-1)
    return shown, all_states, nodes


def run(
    network: Network,
    loss: Loss,
    params: Nodes,
    initial: Nodes,
    x: jax.Array,
    y: jax.Array,
    weights: jax.Array,
    begins: Any,
    masks: Nodes,
    zeros: Nodes,
) -> tuple[jax.Array, Nodes]:
    """One sequence: x (T, n_in), y (T,) or (T, n_out), weights (T,); returns the loss and every node, each (T, n).

    ``zeros`` has one array of zeros per node, of the node's shape, and one for what each step of the first layer sees.
    """
    shown, _, nodes = run_layers(network, params, initial, x, begins, masks, zeros)
    o = add_zero(zeros, "o", shown @ params["V"].T + params["c"])
    losses = weights * jax.vmap(loss)(o, y)
    return jnp.sum(losses), {**nodes, "o": o, "loss": losses}


def run_batch(
    network: Network,
    loss: Loss,
    params: Nodes,
    initial: Nodes,
    x: jax.Array,
    zeros: Nodes,
    *,
    y: jax.Array,
    weights: jax.Array,
    begins: Any = None,
    masks: Nodes | None = None,
) -> tuple[jax.Array, Nodes]:
    """A batch, time-major as (T, B, ...): the sum of the losses, and every node as (T, B, n).

    A weight that a step makes of its parameters is a node without time and batch.
    """
    made = {name: add_zero(zeros, name, W) for name, W in all_weights_of(network, params).items()}
    of_steps = {name: zero for name, zero in zeros.items() if name not in made}
    one = partial(run, network, loss, {**params, **made})
    over_batch = jax.vmap(one, in_axes=(0, 1, 1, 1, 1, 1, 1), out_axes=(0, 1))
    losses, nodes = over_batch(initial, x, y, weights, begins, masks or {}, of_steps)
    return jnp.sum(losses), {**nodes, **made}


def all_weights_of(network: Network, params: Nodes) -> dict[str, Any]:
    """The weights that the steps of a network make of their parameters, under the network's names."""
    made: dict[str, Any] = {}
    for place in network.places:
        made |= place.placed(weights_of(place.step, place.own(params)))
    return made


def all_states(network: Network, params: Nodes, initial: Nodes, x: jax.Array) -> Nodes:
    """Every state at every step of a batch x (T, B, n_in), (T, B, n_hidden) each, by name: no readout, no taps."""
    params = {**params, **all_weights_of(network, params)}

    def one_sequence(first: Nodes, rows: jax.Array) -> Nodes:
        return run_layers(network, params, first, rows, None, {}, {})[1]

    found: Nodes = jax.vmap(one_sequence, in_axes=(0, 1), out_axes=1)(initial, x)
    return found
