"""The directional derivative of the gradient by ``jax.jvp`` of ``jax.grad``: what a Hessian–vector product is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reference.autodiff import Autodiff, Problem, arrays_of, fixed_in, loss_in
from reference.network import Loss, Network, all_states, run_batch


def hessian_vector(oracle: Autodiff) -> Callable[[Problem, Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """A function from a problem and a direction to H v: by the name of each variable, in its shape.

    A direction has an array for each parameter, each initial state ("h0") and x. A problem with ``upstream`` has the
    loss ⟨upstream, h⟩, as for :class:`reference.autodiff.Autodiff`.
    """

    def along(problem: Problem, direction: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        initial = {name: direction[f"{name}0"] for name in problem["initial"]}
        tangent = ({name: direction[name] for name in problem["params"]}, initial, direction["x"])
        compiled = _compiled(oracle.network, loss_in(problem))
        with jax.enable_x64(True):
            params, states, x = jax.device_get(compiled(arrays_of(problem), tangent))
        return {**params, **{f"{name}0": array for name, array in states.items()}, "x": x}

    return along


@cache
def _compiled(network: Network, loss: Loss) -> Callable[[Problem, Any], Any]:
    def along(problem: Problem, tangent: Any) -> Any:
        def total(params: Any, initial: Any, x: Any) -> Any:
            if "upstream" in problem:
                (above,) = network.layers[-1]
                states = all_states(network, params, initial, x)
                return jnp.sum(problem["upstream"] * states[f"{above.prefix}{above.shows}"])
            return run_batch(network, loss, params, initial, x, {}, **fixed_in(problem))[0]

        at = (problem["params"], problem["initial"], problem["x"])
        return jax.jvp(jax.grad(total, argnums=(0, 1, 2)), at, tangent)[1]

    return jax.jit(along)
