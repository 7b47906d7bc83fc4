"""Directional derivatives of the reference's loss by ``jax.jvp``: forward mode, which has no backward pass.

What it cannot see: JAX derives reverse mode by transposing forward mode, so both have the same derivative of
an elementary function, right or wrong. The order of time, the sums over steps and what is carried are its
own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import jax
import numpy as np

from reference.autodiff import Problem, Step, arrays_of, autodiff, fixed_in, loss_in
from reference.network import Loss, Network, run_batch

Direction = Mapping[str, np.ndarray]
"""An array for each variable that moves, by the name of its gradient: parameters, "h0", "x"."""


def forward_mode(
    cell: str | Step, **options: Any
) -> Callable[[Problem, Sequence[Direction]], np.ndarray]:
    """The derivative of a problem's loss along each of some directions: ⟨gradient, direction⟩, one each.

    ``cell`` and the options are those of :func:`reference.autodiff`.

    Raises:
        ValueError: no step has this name, an array is of a dtype that JAX does not have (longdouble), or a
            direction has a name that is no variable of the problem.
    """
    network = autodiff(cell, **options).network

    def oracle(problem: Problem, directions: Sequence[Direction]) -> np.ndarray:
        dtype = np.asarray(problem["x"]).dtype
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"The arrays are {dtype}; the reference has float32 and float64.")
        if not directions:
            return np.zeros(0, dtype)
        tangents = [_tangent(problem, direction) for direction in directions]
        with jax.enable_x64(True):
            stacked = jax.tree.map(lambda *arrays: np.stack(arrays), *tangents)
            return np.asarray(_compiled(network, loss_in(problem))(arrays_of(problem), stacked))

    return oracle


def _tangent(problem: Problem, direction: Direction) -> tuple[Any, Any, Any]:
    """(params, initial, x) of a direction, with zeros for what stands still."""
    initial = {f"{name}0": array for name, array in problem["initial"].items()}
    arrays = {**problem["params"], **initial, "x": problem["x"]}
    unknown = [name for name in direction if name not in arrays]
    if unknown:
        raise ValueError(f"There is no variable {', '.join(unknown)}; the variables are {', '.join(arrays)}.")
    of = {name: np.asarray(direction.get(name, np.zeros_like(a)), a.dtype) for name, a in arrays.items()}
    states = {name: of[f"{name}0"] for name in problem["initial"]}
    return {name: of[name] for name in problem["params"]}, states, of["x"]


@cache
def _compiled(network: Network, loss: Loss) -> Callable[[Problem, Any], Any]:
    def along(problem: Problem, tangent: Any) -> Any:
        def total(params: Any, initial: Any, x: Any) -> Any:
            return run_batch(network, loss, params, initial, x, {}, **fixed_in(problem))[0]

        return jax.jvp(total, (problem["params"], problem["initial"], problem["x"]), tangent)[1]

    return jax.jit(jax.vmap(along, in_axes=(None, 0)))
