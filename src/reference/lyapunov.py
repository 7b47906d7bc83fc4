"""Lyapunov exponents of a run, as plainly as they can be written; their gradients by ``jax.grad`` through the QR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reference.autodiff import Autodiff
from reference.network import Network, all_weights_of

Found = tuple[np.ndarray, dict[str, np.ndarray]]


def lyapunov_exponents(oracle: Autodiff) -> Callable[..., Found]:
    """A function from (params, initial, x (T, B, n_in), directions (B, D, k), warm_up, upstream (B, k)) to λ (B, k)
    and the gradient of ⟨upstream, λ⟩ by the name of each parameter and initial state ("h0").

    D is the width of all states end to end, in the order of the step's; the first ``warm_up`` steps do not count.
    """

    def of(
        params: Mapping[str, np.ndarray], initial: Mapping[str, np.ndarray], x: np.ndarray, directions: np.ndarray,
        warm_up: int, upstream: np.ndarray,
    ) -> Found:  # fmt: skip
        with jax.enable_x64(True):
            compiled = _compiled(oracle.network, tuple(initial), warm_up)
            exponents, (of_params, of_initial) = jax.device_get(
                compiled(dict(params), dict(initial), x, directions, upstream)
            )
        return exponents, {**of_params, **{f"{name}0": array for name, array in of_initial.items()}}

    return of


@cache
def _compiled(network: Network, states: tuple[str, ...], warm_up: int) -> Callable[..., Any]:
    step = network.places[0].step

    def of_one(params: Any, initial: Any, x: jax.Array, directions: jax.Array) -> jax.Array:
        """λ (k,) of one sequence."""
        weights = {**params, **all_weights_of(network, params)}
        n = len(next(iter(initial.values())))

        def after(s: jax.Array, row: jax.Array) -> jax.Array:
            prev = {name: s[i * n : (i + 1) * n] for i, name in enumerate(states)}
            made = step(weights, prev, row, lambda _, value: value)
            return jnp.concatenate([made[name] for name in states])

        def one_step(carried: Any, row: jax.Array) -> Any:
            s, Q = carried
            Q, R = jnp.linalg.qr(jax.jacfwd(after)(s, row) @ Q)
            return (after(s, row), Q), jnp.log(jnp.abs(jnp.diagonal(R)))

        s = jnp.concatenate([initial[name] for name in states])
        _, growth = jax.lax.scan(one_step, (s, directions), x)
        return jnp.mean(growth[warm_up:], axis=0)

    def of_all(params: Any, initial: Any, x: jax.Array, directions: jax.Array, upstream: jax.Array) -> Any:
        exponents = jax.vmap(of_one, in_axes=(None, 0, 1, 0))(params, initial, x, directions)
        return (upstream * exponents).sum(), exponents

    def answer(params: Any, initial: Any, *rest: Any) -> Any:
        (_, exponents), gradients = jax.value_and_grad(of_all, argnums=(0, 1), has_aux=True)(params, initial, *rest)
        return exponents, gradients

    return jax.jit(answer)
