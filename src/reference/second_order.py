"""The directional derivative of the gradient by ``jax.jvp`` of ``jax.grad``: what a Hessian–vector product is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reference.autodiff import Autodiff, Problem, Step, arrays_of, loss_in, loss_of, zeros_for
from reference.network import Loss, hidden_states


def hessian_vector(oracle: Autodiff) -> Callable[[Problem, Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """A function from a problem and a direction to H v: by the name of each variable, in its shape.

    A direction has an array for each parameter, each initial state ("h0") and x. A problem with ``upstream`` has the
    loss ⟨upstream, h⟩, as for :class:`reference.autodiff.Autodiff`.
    """

    def along(problem: Problem, direction: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        initial = {name: direction[f"{name}0"] for name in problem["initial"]}
        tangent = ({name: direction[name] for name in problem["params"]}, initial, direction["x"])
        compiled = _compiled(oracle.step, oracle.readout_of, loss_in(problem))
        with jax.enable_x64(True):
            params, states, x = jax.device_get(compiled(arrays_of(problem), tangent))
        return {**params, **{f"{name}0": array for name, array in states.items()}, "x": x}

    return along


@cache
def _compiled(step: Step, readout_of: str, loss: Loss) -> Callable[[Problem, Any], Any]:
    def along(problem: Problem, tangent: Any) -> Any:
        def total(params: Any, initial: Any, x: Any) -> Any:
            if "upstream" in problem:
                return jnp.sum(problem["upstream"] * hidden_states(step, readout_of, params, initial, x))
            fixed = {"y": problem["y"], "weights": problem["weights"]}
            return loss_of(step, readout_of, loss, params, initial, x, zeros_for(step, problem), **fixed)[0]

        at = (problem["params"], problem["initial"], problem["x"])
        return jax.jvp(jax.grad(total, argnums=(0, 1, 2)), at, tangent)[1]

    return jax.jit(along)
