"""Truncated BPTT(k₁, k₂) by autodiff: ``jax.grad`` of a run for each block of losses, with its past held fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reference.autodiff import Problem, arrays_of, find_step, loss_in
from reference.network import Loss, weights_of


def truncated_bptt(
    cell: str | Callable[..., Any], *, k1: int, k2: int, readout_of: str = "h"
) -> Callable[[Problem], dict[str, np.ndarray]]:
    """A function from a problem to what BPTT(k₁, k₂) has for gradients, of parameters, initial states ("h0") and x.

    For each block of k₁ steps the network is run anew with the losses of the block alone, and with ``stop_gradient``
    on the states that the k₂ steps up to the block's end start from. What is differentiated is the sum of these runs.
    """
    step = find_step(cell)

    def oracle(problem: Problem) -> dict[str, np.ndarray]:
        T = len(problem["y"])
        counted, cut = np.zeros((T, T), bool), np.zeros((T, T), bool)  # by the block's last step, and by step
        for end in {*range(k1 - 1, T, k1), T - 1}:
            counted[end, end - end % k1 : end + 1] = True
            cut[end, max(end - k2 + 1, 0)] = end - k2 + 1 > 0
        compiled = _compiled(step, readout_of, loss_in(problem))
        with jax.enable_x64(True):
            params, initial, x = jax.device_get(compiled(arrays_of(problem), counted, cut))
        return {**params, **{f"{name}0": array for name, array in initial.items()}, "x": x}

    return oracle


@lru_cache(maxsize=2)
def _compiled(step: Callable[..., Any], readout_of: str, loss: Loss) -> Callable[..., Any]:
    def losses(params: Any, first: Any, x: Any, y: Any, weights: Any, cut: Any) -> Any:
        """The losses (T,) of one sequence; the state before a step that is cut is a constant."""

        def one_step(prev: Mapping[str, Any], at_t: Any) -> tuple[Mapping[str, Any], Any]:
            x, y, weight, cut = at_t
            prev = {name: jnp.where(cut, jax.lax.stop_gradient(h), h) for name, h in prev.items()}
            state = step(params, prev, x, lambda name, value: value)
            return state, weight * loss(params["V"] @ state[readout_of] + params["c"], y)

        return jax.lax.scan(one_step, first, (x, y, weights, cut))[1]

    def total(params: Any, initial: Any, x: Any, problem: Problem, counted: Any, cut: Any) -> Any:
        params = {**params, **weights_of(step, params)}
        of_batch = jax.vmap(partial(losses, params), in_axes=(0, 1, 1, 1, None), out_axes=1)
        of_blocks = jax.vmap(lambda cut: of_batch(initial, x, problem["y"], problem["weights"], cut))(cut)
        return jnp.sum(jnp.where(counted[:, :, None], of_blocks, 0))

    def gradients(problem: Problem, counted: Any, cut: Any) -> Any:
        arguments = (problem["params"], problem["initial"], problem["x"])
        return jax.grad(total, argnums=(0, 1, 2))(*arguments, problem, counted, cut)

    return jax.jit(gradients)
