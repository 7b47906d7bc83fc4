"""Gradients of the reference by ``jax.grad``, with respect to the parameters, the initial state, x, and every node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reference import cells, losses
from reference.network import Loss, Network, all_states, run_batch, stack
from reference.same_nodes import check_same_nodes

Step = Callable[..., Any]
Problem = Mapping[str, Any]
"""``params`` and ``initial`` by name, ``x`` (T, B, n_in), ``y`` (T, B), ``weights`` (T, B): NumPy arrays.

With ``loss``, the name of a function in :mod:`reference.losses`, y is what that loss takes; without, it is the softmax.
With ``begins`` (T + 1, B) of bool, sequences begin in front of these steps (row T: behind the last), from zeros or what
is learned; with ``masks``, by the name of a layer's input (``layer2.x``) what it is multiplied with, (T, B, n).
"""
Answer = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
"""The nodes by name, (T, B, n) each, and the gradients of nodes, parameters, initial states ("h0") and x.

In a network of several, what a step names begins with its place, ``layer1.`` or ``layer1_reverse.``; ``layer2.x`` is
the input of a layer above the first, and ``layer1.x`` among the gradients the first layer's part of x.
"""

CASES_A_CALL = 8
"""Problems of one shape go through one compiled call in blocks of this size, which divides the cost of a call."""


@dataclass(frozen=True)
class Autodiff:
    """The oracle: what :func:`autodiff` returns."""

    name: str
    network: Network

    @property
    def step(self) -> Step:
        """The one step of which the layers are made."""
        return self.network.places[0].step

    @property
    def source(self) -> str:
        """What the gradients come from, as reports say it."""
        return f"autodiff of {self.name}"

    def __call__(self, problems: Sequence[Problem]) -> list[Answer]:
        """The nodes and gradients of problems of one shape, dtype and loss.

        A problem with ``upstream`` (T, B, n_hidden) has the loss ⟨upstream, h⟩ in place of readout and softmax; its
        answer has gradients only. ``upstream`` by the names of states has a product for each: {"h": …, "c": …}. Such
        a problem has neither begins nor masks. Raises ValueError where the first problem is of another network.
        """
        if not problems:
            return []
        if "upstream" not in problems[0]:  # which comes with a step of any names
            self.check(problems[0])
        dtype = np.asarray(problems[0]["x"]).dtype
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"The arrays are {dtype}; the reference has float32 and float64.")
        if "upstream" in problems[0] and len(self.network.layers[-1]) > 1:
            raise ValueError("upstream is for what one cell shows at each step; here both directions show a state.")
        loss, problems = loss_in(problems[0]), [arrays_of(problem) for problem in problems]
        size = 1 if len(problems) == 1 else CASES_A_CALL
        answers: list[Answer] = []
        with jax.enable_x64(True):
            for start in range(0, len(problems), size):
                block = problems[start : start + size]
                padded = block + block[:1] * (size - len(block))
                stacked = jax.tree.map(lambda *arrays: np.stack(arrays), *padded)
                linear = "upstream" in problems[0]
                nodes, grads = jax.device_get(_compiled(self.network, loss, linear)(stacked))
                answers += [(_of_case(nodes, i), _of_case(grads, i)) for i in range(len(block))]
        return answers


    def check(self, problem: Problem) -> None:
        """Raises ValueError where a problem is of another network: other layers, initial states learned or not."""
        check_same_nodes(self.network, self.source, problem)


def autodiff(
    cell: str | Step,
    *,
    readout_of: str = "h",
    layers: int = 1,
    bidirectional: bool = False,
    learned_initial: bool = False,
) -> Autodiff:
    """The oracle: a function from problems of one shape and dtype to their nodes and gradients.

    ``cell`` is the name of a function in :mod:`reference.cells`, or a step of one's own like those there;
    ``readout_of`` is the name of the state that the logits are made of, and the layer above sees. ``layers`` of the
    step lie one above the other, with one for each direction of time where they are ``bidirectional``; with
    ``learned_initial``, what a sequence starts from is the parameters ``initial_h`` and so on.
    Float64 is switched on for the length of a call only; the process's JAX configuration stays as it is.

    Raises:
        ValueError: no step has this name, or there is no layer; when called, an array is of a dtype that JAX does not
            have (longdouble), or an upstream gradient is given to both directions of a layer.
    """
    name = cell if isinstance(cell, str) else getattr(cell, "__name__", "a step of your own")
    network = stack(
        find_step(cell), readout_of, layers=layers, bidirectional=bidirectional, learned_initial=learned_initial
    )
    return Autodiff(name, network)


def find_step(cell: str | Step) -> Step:
    """The step function of a cell's name; a function is given back as it is."""
    if callable(cell):
        return cell
    step = getattr(cells, cell, None)
    if not callable(step) or cell.startswith("_"):
        raise ValueError(
            f"There is no reference step named {cell!r}: src/reference/cells.py needs a function of that name."
        )
    found: Step = step
    return found


def loss_in(problem: Problem) -> Loss:
    """The loss of a problem. Raises ValueError where there is no such function in ``reference.losses``."""
    name = problem.get("loss", "softmax")
    found: Loss | None = getattr(losses, name, None)
    if not callable(found) or name.startswith("_"):
        raise ValueError(f"There is no reference loss named {name!r}: src/reference/losses.py needs that function.")
    return found


def arrays_of(problem: Problem) -> dict[str, Any]:
    """A problem without the name of its loss: what can be compiled."""
    return {name: value for name, value in problem.items() if name != "loss"}


NO_FUSION = {"xla_disable_hlo_passes": "fusion"}
"""A fused kernel may compute a node anew where it is used, rounded otherwise than the one on the tape."""


def _of_case(stacked: Mapping[str, Any], i: int) -> dict[str, np.ndarray]:
    return {name: array[i] for name, array in stacked.items()}


@lru_cache(maxsize=2)  # compiled code is never small: a process that judges fifty cells must let go of it
def _compiled(network: Network, loss: Loss, linear: bool) -> Callable[[Problem], Any]:
    answer = partial(gradients_from_upstream, network) if linear else partial(nodes_and_gradients, network, loss)
    return jax.jit(jax.vmap(answer), compiler_options=NO_FUSION)


def nodes_and_gradients(network: Network, loss: Loss, problem: Problem) -> tuple[dict[str, Any], dict[str, Any]]:
    """The nodes of one problem, and the gradient of its loss with respect to each of them and to each argument."""
    total = partial(run_batch, network, loss, **fixed_in(problem))
    arguments = (problem["params"], problem["initial"], problem["x"], zeros_for(network, loss, problem))
    grads, nodes = jax.grad(total, argnums=(0, 1, 2, 3), has_aux=True)(*arguments)
    params, initial, x, of_nodes = grads
    return nodes, {**params, **of_nodes, **{f"{name}0": g for name, g in initial.items()}, "x": x}


def gradients_from_upstream(network: Network, problem: Problem) -> tuple[dict[str, Any], dict[str, Any]]:
    """No nodes, and the gradient of ⟨upstream, h⟩, summed over the states that have one, for each argument."""
    upstream = problem["upstream"]
    (above,) = network.layers[-1]
    by_state = upstream if isinstance(upstream, Mapping) else {f"{above.prefix}{above.shows}": upstream}

    def loss(params: Any, initial: Any, x: Any) -> Any:
        states = all_states(network, params, initial, x)
        return sum(jnp.sum(grad * states[name]) for name, grad in by_state.items())

    params, initial, x = jax.grad(loss, argnums=(0, 1, 2))(problem["params"], problem["initial"], problem["x"])
    return {}, {**params, **{f"{name}0": g for name, g in initial.items()}, "x": x}


def fixed_in(problem: Problem) -> dict[str, Any]:
    """What of a problem nothing is differentiated by."""
    return {name: problem[name] for name in ("y", "weights", "begins", "masks") if name in problem}


def zeros_for(network: Network, loss: Loss, problem: Problem) -> dict[str, Any]:
    """A zero for every node, of its shape, and for what each step of the first layer sees of x.

    The network is run on shapes alone.
    """
    run = partial(run_batch, network, loss, zeros={}, **fixed_in(problem))
    _, nodes = jax.eval_shape(run, problem["params"], problem["initial"], problem["x"])
    inputs = {f"{place.prefix}x": problem["x"] for place in network.layers[0]}
    of_nodes = {name: node for name, node in nodes.items() if name != "loss"}
    return {name: jnp.zeros(like.shape, like.dtype) for name, like in {**of_nodes, **inputs}.items()}
